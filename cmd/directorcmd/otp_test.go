//go:build unix

package directorcmd_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/auth/privacyidea/privacyideatest"
	"github.com/dcvix/dcvix/cmd/directorcmd"
	"github.com/dcvix/dcvix/directorapi/client"
)

// withLDAP are the usual backends, but for one that stands in for a directory
// and knows alice.
func withLDAP() map[string]directorcmd.BackendFactory {
	backends := directorcmd.Backends()
	backends["ldap"] = func(*directorcmd.Section) directorcmd.BackendOpener {
		return func(context.Context, *slog.Logger) (auth.Authenticator, error) {
			return authtest.Static{Passwords: map[dcvix.Username]auth.Secret{"alice": password}}, nil
		}
	}
	return backends
}

// startIn starts a director in this process and returns its log and a client.
func startIn(t *testing.T, path string) (*running, func() *client.Client) {
	t.Helper()
	r := &running{t: t}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan int, 1)
	go func() {
		ended <- directorcmd.Run(ctx, directorcmd.Options{Backends: withLDAP(), Args: []string{"--conf", path}, Environ: []string{}, Stdout: r, Stderr: r})
	}()
	t.Cleanup(func() {
		cancel()
		assert.Equal(t, directorcmd.ExitOK, <-ended, r.said())
	})
	address := r.await(`msg="director started" address=(\S+)`)[1]
	return r, func() *client.Client {
		c, err := client.New(client.Config{URL: "https://" + address, TLS: trusting(t, path)})
		require.NoError(t, err)
		t.Cleanup(c.Close)
		return c
	}
}

// caFile writes the stand-in's CA beside the configuration in dir.
func caFile(t *testing.T, dir string, pi *privacyideatest.Server) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pi.Certificate().Raw})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pi.pem"), text, 0o600))
}

// codeCommand writes a program that takes alice's code 246810.
func codeCommand(t *testing.T, dir string) {
	t.Helper()
	text := "#!/bin/sh\nread -r u; read -r p; read -r o\n[ \"$u $p $o $1\" = \"alice " + password + " 246810 -v\" ]\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "otp"), []byte(text), 0o700))
}

func TestASecondFactorBehindABackend(t *testing.T) {
	const bigPI = "otp_type = privacyidea\nprivacyidea_url = URL\n"
	tests := map[string]struct {
		config string
		mode   dcvix.OTPMode
		asks   bool // a login without a code
	}{
		"none":                            {config: "", mode: dcvix.OTPNever},
		"privacyIDEA":                     {config: "[otp]\n" + bigPI, mode: dcvix.OTPOptional, asks: true},
		"privacyIDEA, as 0.1 had it":      {config: "[ldap_auth]\n" + bigPI, mode: dcvix.OTPOptional, asks: true},
		"privacyIDEA, said twice":         {config: "[ldap_auth]\n" + bigPI + "[otp]\n" + bigPI, mode: dcvix.OTPOptional, asks: true},
		"privacyIDEA, the URL as 0.1":     {config: "[ldap_auth]\nprivacyidea_url = URL\n[otp]\notp_type = privacyidea\n", mode: dcvix.OTPOptional, asks: true},
		"a program":                       {config: "[otp]\notp_type = external\notp_external_command = ./otp\notp_external_args = -v\n", mode: dcvix.OTPRequired},
		"a program, as 0.1 had it":        {config: "[ldap_auth]\notp_type = external\notp_external_command = ./otp\notp_external_args = -v\n", mode: dcvix.OTPRequired},
		"switched off, as 0.1 wrote it":   {config: "[ldap_auth]\notp_type = disabled\nprivacyidea_url = URL\n", mode: dcvix.OTPNever},
		"a code and nothing else is sent": {config: "[otp]\nprivacyidea_pass = otp\n" + bigPI, mode: dcvix.OTPOptional},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			pi := privacyideatest.NewServer(t, privacyideatest.Config{APIKey: "key-77-tulip"})
			caFile(t, dir, pi)
			codeCommand(t, dir)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "api.key"), []byte("key-77-tulip\n"), 0o600))
			more := "[otp]\nprivacyidea_ca_file = pi.pem\nprivacyidea_api_key_file = api.key\n"
			config := strings.ReplaceAll(tt.config, "URL", pi.URL)
			if i := strings.Index(config, "[otp]\n"); i >= 0 {
				config = config[:i] + more + config[i+len("[otp]\n"):]
			} else {
				config += more
			}
			pin := password
			if strings.Contains(config, "privacyidea_pass = otp") {
				pin = ""
			}
			k := pi.AddToken("alice", pin, privacyideatest.HOTP)
			code := func() string { return "246810" }
			if strings.Contains(config, "otp_type = privacyidea") {
				code = k.Code
			}
			if tt.asks {
				k.Asks("Code of your token")
			}
			_, director := startIn(t, confIn(t, dir, "auth_type = ldap", config))

			options, err := director().LoginOptions(t.Context())
			require.NoError(t, err)
			assert.Equal(t, tt.mode, options.OTP)
			req := dcvix.LoginRequest{UserID: "alice", Password: password, OTP: code()}
			require.NoError(t, director().Login(t.Context(), req))
			if tt.mode == dcvix.OTPNever {
				return
			}
			req.OTP = "1"
			assertRefused(t, director().Login(t.Context(), req))
			req.OTP = ""
			err = director().Login(t.Context(), req)
			if !tt.asks {
				assertRefused(t, err)
				return
			}
			var step *client.ChallengeError
			require.ErrorAs(t, err, &step)
			assert.Equal(t, "Code of your token", step.Prompt)
			req.OTP, req.Challenge = code(), step.Challenge
			assert.NoError(t, director().Login(t.Context(), req))
		})
	}
}

func assertRefused(t *testing.T, err error) {
	t.Helper()
	var refusal *dcvix.Error
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, dcvix.CodeUnauthenticated, refusal.Code)
}

func TestTheExternalBackendTakesACodeIfThereIsOne(t *testing.T) {
	_, director := startIn(t, conf(t, "", ""))
	options, err := director().LoginOptions(t.Context())
	require.NoError(t, err)
	assert.Equal(t, dcvix.OTPOptional, options.OTP)
	assert.NoError(t, director().Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password}))
}

func TestWhatLDAPSaysOfCodesIsNotForOtherBackends(t *testing.T) {
	_, director := startIn(t, conf(t, "", "[ldap_auth]\notp_type = external\notp_external_command = /nothing\n[otp]\notp_type = disabled\n"))
	assert.NoError(t, director().Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password}))
}

func TestACertificateThatIsNotCheckedIsWarnedOf(t *testing.T) {
	dir := t.TempDir()
	pi := privacyideatest.NewServer(t, privacyideatest.Config{})
	k := pi.AddToken("alice", password, privacyideatest.HOTP)
	path := confIn(t, dir, "auth_type = ldap", "[otp]\notp_type = privacyidea\nprivacyidea_url = "+pi.URL+"\nprivacyidea_tls_strict = false\n")

	r, director := startIn(t, path)

	assert.Contains(t, r.said(), `level=WARN msg="the certificate of the privacyIDEA server is not checked`)
	assert.NoError(t, director().Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password, OTP: k.Code()}))
}

func TestAPushMessageHasItsTimeInALogin(t *testing.T) {
	dir := t.TempDir()
	pi := privacyideatest.NewServer(t, privacyideatest.Config{})
	k := pi.AddToken("alice", password, privacyideatest.Push)
	caFile(t, dir, pi)
	_, director := startIn(t, confIn(t, dir, "auth_type = ldap", "[otp]\notp_type = privacyidea\nprivacyidea_ca_file = pi.pem\nprivacyidea_url = "+pi.URL+"\n"))
	go func() {
		for end := time.Now().Add(20 * time.Second); k.Approve() == 0 && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
	}()
	assert.NoError(t, director().Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password}))
}

func TestMistakesAboutCodesAreOneSentenceEach(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty.pem"), nil, 0o600))
	tests := map[string]struct {
		tail string
		want []string
	}{
		"two types":               {"[otp]\notp_type = privacyidea\n[ldap_auth]\notp_type = disabled\n", []string{".conf:8: otp_type and ", ".conf:10: otp_type differ: remove the one in [ldap_auth]"}},
		"two servers":             {"[otp]\nprivacyidea_url = https://a\n[ldap_auth]\nprivacyidea_url = https://b\n", []string{".conf:8: privacyidea_url and ", "differ"}},
		"two minds about TLS":     {"[otp]\nprivacyidea_tls_strict = yes\n[ldap_auth]\nprivacyidea_tls_strict = no\n", []string{"privacyidea_tls_strict and ", "differ"}},
		"two programs":            {"[otp]\notp_external_command = a\n[ldap_auth]\notp_external_command = b\n", []string{"otp_external_command and ", "differ"}},
		"two lists of arguments":  {"[otp]\notp_external_args = a\n[ldap_auth]\notp_external_args = b\n", []string{"otp_external_args and ", "differ"}},
		"an unknown type":         {"[otp]\notp_type = privacyidee\n", []string{"otp_type", "did you mean privacyidea?"}},
		"no server":               {"[otp]\notp_type = privacyidea\n", []string{"privacyidea_url is missing: add privacyidea_url = https://pi.example", ".conf:8: otp_type"}},
		"no server, as 0.1":       {"[ldap_auth]\notp_type = privacyidea\n", []string{"privacyidea_url is missing", ".conf:8: otp_type"}},
		"no program":              {"[otp]\notp_type = external\n", []string{"otp_external_command is missing"}},
		"a program that is away":  {"[otp]\notp_type = external\notp_external_command = /nothing/here\n", []string{"/nothing/here cannot be run: install it"}},
		"plain http":              {"[otp]\notp_type = privacyidea\nprivacyidea_url = http://pi.example\n", []string{"is not https", ".conf:9: privacyidea_url"}},
		"no CA file":              {"[otp]\notp_type = privacyidea\nprivacyidea_url = https://pi\nprivacyidea_ca_file = nothing.pem\n", []string{"cannot be read", ".conf:10: privacyidea_ca_file"}},
		"a CA file without one":   {"[otp]\notp_type = privacyidea\nprivacyidea_url = https://pi\nprivacyidea_ca_file = " + dir + "/empty.pem\n", []string{"empty.pem holds no certificate in PEM"}},
		"no key file":             {"[otp]\notp_type = privacyidea\nprivacyidea_url = https://pi\nprivacyidea_api_key_file = nothing.key\n", []string{"privacyidea_api_key", "cannot be read"}},
		"a time that is too long": {"[otp]\notp_timeout = 5m\n", []string{"otp_timeout", "1s to 20s"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			path := conf(t, "auth_type = ldap", tt.tail)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // should it start
			defer cancel()
			code := directorcmd.Run(ctx, directorcmd.Options{Backends: withLDAP(), Args: []string{"--conf", path}, Environ: []string{}, Stderr: &stderr})
			require.Equal(t, directorcmd.ExitUsage, code, stderr.String())
			for _, want := range tt.want {
				assert.Contains(t, result{stderr: stderr.String()}.sentence(t), want)
			}
			assert.NoDirExists(t, filepath.Join(filepath.Dir(path), "data"), "nothing is written")
		})
	}
}
