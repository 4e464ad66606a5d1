//go:build unix

package directorcmd_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/directorcmd"
	"github.com/dcvix/dcvix/directorapi/client"
)

// trusting returns TLS for a client of the director with that configuration.
func trusting(t *testing.T, path string) *tls.Config {
	t.Helper()
	chain, err := ca.ReadCertFile(filepath.Join(filepath.Dir(path), "data", ca.CertFile))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(chain[0])
	return &tls.Config{RootCAs: pool}
}

func person(t *testing.T, path, address string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: "https://" + address, TLS: trusting(t, path)})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func setUsers(t *testing.T, path, text string) {
	t.Helper()
	dir := filepath.Join(filepath.Dir(path), "policydb")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "users.json"), []byte(text), 0o600))
}

func TestDirectorServesUntilItIsTerminated(t *testing.T) {
	for name, sig := range map[string]os.Signal{"interrupt": os.Interrupt, "termination": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			path := conf(t, "registration_token = "+secret, "")
			setUsers(t, path, `[{"id": "alice", "workstations": ["ws1"]}, {"id": "root", "admin": true}]`)
			r, address := start(t, process(t, "--conf", path))
			alice := person(t, path, address)
			require.Error(t, alice.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: secret}))
			require.NoError(t, alice.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password}))
			servers, err := alice.Servers(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{"ws1"}, servers)
			require.NoError(t, person(t, path, address).AdminLogin(t.Context(), dcvix.LoginRequest{UserID: "root", Password: password}))

			require.NoError(t, r.cmd.Process.Signal(sig))

			require.NoError(t, r.cmd.Wait(), r.said())
			assert.Contains(t, r.said(), `msg="director stopped"`)
			for _, hidden := range []string{secret, password, "v4.local"} {
				assert.NotContains(t, r.said(), hidden)
			}
		})
	}
}

func TestKilledDirectorComesBackAsTheSame(t *testing.T) {
	path := conf(t, "", "")
	r, address := start(t, process(t, "--conf", path))
	alice := person(t, path, address)
	require.NoError(t, alice.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password}))
	fingerprint := r.await(`ca_fingerprint=(\S+)`)[1]
	require.NoError(t, r.cmd.Process.Kill())
	_ = r.cmd.Wait() // of course it was

	cmd := process(t, "--conf", path)
	cmd.Env = append(cmd.Env, "DCVIX_DIRECTOR_DIRECTOR_PORT="+strings.TrimPrefix(address, "127.0.0.1:"))
	r, _ = start(t, cmd)

	assert.Equal(t, fingerprint, r.await(`ca_fingerprint=(\S+)`)[1])
	_, err := alice.Servers(t.Context())
	assert.NoError(t, err, "her login is good still")
}

func TestKeyThatIsNowhereIsShownOnceWithTheRemedy(t *testing.T) {
	path := conf(t, "token_key_file = ", "")
	r, address := start(t, process(t, "--conf", path))
	key := r.await(`level=WARN msg="no token key is configured: [^"]*set token_key_file[^"]*" token_key="([^"]+)"`)[1]
	_, err := token.ParseKey(key)
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(r.said(), key))
	alice := person(t, path, address)
	require.NoError(t, alice.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password}))
	require.NoError(t, r.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, r.cmd.Wait())

	cmd := process(t, "--conf", path)
	cmd.Env = append(cmd.Env, "DCVIX_DIRECTOR_DIRECTOR_PORT="+strings.TrimPrefix(address, "127.0.0.1:"),
		"DCVIX_DIRECTOR_TOKEN_KEY="+token.NewKey().Base64(), "DCVIX_DIRECTOR_TOKEN_KEYS_OLD="+key)
	r, _ = start(t, cmd)
	_, err = alice.Servers(t.Context())
	require.NoError(t, err, "a key that was kept opens what it sealed")
	assert.NotContains(t, r.said(), key)
	assert.NotContains(t, r.said(), "no token key")
}

func TestHangupReadsThePolicyAgain(t *testing.T) {
	path := conf(t, "", "")
	r, address := start(t, process(t, "--conf", path))
	alice := person(t, path, address)
	require.NoError(t, alice.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password}))
	for i, tt := range []struct{ users, says, want string }{
		{users: `[{"id": "alice", "workstations": ["ws1"]}]`, says: `level=INFO msg="policy reloaded"\n`, want: "ws1"},
		{users: "[\n{]", says: `level=ERROR msg="policy not reloaded, the one before stays" err=.*users.json:2`, want: "ws1"},
		{users: `[{"id": "alice", "workstations": ["ws2"]}]`, says: `(?s)reloaded"\n.*policy reloaded"\n`, want: "ws2"},
	} {
		setUsers(t, path, tt.users)
		require.NoError(t, r.cmd.Process.Signal(syscall.SIGHUP))
		r.await(tt.says)
		servers, err := alice.Servers(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{tt.want}, servers, i)
	}
}

func TestFirstSignalWaitsForRequestsAndSecondKills(t *testing.T) {
	tests := map[string]struct {
		signals int
		want    string // of the process's end
	}{
		"one": {signals: 1, want: "exit status 0"},
		"two": {signals: 2, want: "signal: interrupt"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			slow := filepath.Join(dir, "slow")
			require.NoError(t, os.WriteFile(slow, []byte("#!/bin/sh\n: > \"$0.called\"\nsleep 2\n"), 0o700))
			path := confIn(t, dir, "", "[external_auth]\nexternal_command = ./slow\n")
			r, address := start(t, process(t, "--conf", path))
			answered := make(chan error, 1)
			alice := person(t, path, address)
			go func() { answered <- alice.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password}) }()
			require.Eventually(t, func() bool {
				_, err := os.Stat(slow + ".called")
				return err == nil
			}, 20*time.Second, 5*time.Millisecond, "the login arrives")
			require.NoError(t, r.cmd.Process.Signal(os.Interrupt))
			ended := make(chan struct{})
			go func() {
				_ = r.cmd.Wait() // the state says it all
				close(ended)
			}()
			again := time.NewTicker(10 * time.Millisecond) // nothing shows when the first one took effect
			defer again.Stop()
			for going := true; going; {
				select {
				case <-ended:
					going = false
				case <-again.C:
					if tt.signals == 2 {
						_ = r.cmd.Process.Signal(os.Interrupt) // it may have ended
					}
				}
			}
			assert.Equal(t, tt.want, r.cmd.ProcessState.String(), r.said())
			if err := <-answered; tt.signals == 1 {
				assert.NoError(t, err, "the login under way was answered")
			} else {
				assert.Error(t, err)
			}
		})
	}
}

// oldFile has every key that files of the 0.1 generation can have. The three
// values that a test cannot take are filled in.
const oldFile = `# Configuration of the director
[director]
director_host = 127.0.0.1
director_port = 0        ; any
agent_port = 8446        # where agents listen
auth_type = external
token_key = %s
policydb_folder = policydb
data_dir = data

[pam_auth]
pam_service_name = login

[ldap_auth]
ldap_address = ldap://127.0.0.1:389
ldap_base_dn = dc=example,dc=com
ldap_bind_user = cn=admin,dc=example,dc=com
ldap_bind_password = %s
ldap_filter = (sAMAccountName=%%s)
otp_type = disabled
privacyidea_url = https://otp.example
privacyidea_tls_strict = true
otp_external_command = /usr/bin/otp
otp_external_args = -v

[radius_auth]
radius_server = 127.0.0.1
radius_port = 1812
radius_secret = %[2]s

[external_auth]
external_command = "%s"
args =

[gateway]
gateways_list = 127.0.0.1

[housekeeper]
housekeeper_frequency = 40s
max_age = 30s

[log]
level = INFO
directory = log
rotation = 2
`

func TestFileOfThe01GenerationLoadsUnchanged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "dcvix-director.conf")
	text := fmt.Sprintf(oldFile, token.NewKey().Base64(), secret, loginCommand(t, dir))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	cmd := process(t, "-conf", path)
	stderr := &running{t: t}
	cmd.Stdout, cmd.Stderr = stderr, stderr
	require.NoError(t, cmd.Start())
	var log string
	require.Eventually(t, func() bool {
		data, err := os.ReadFile(filepath.Join(dir, "log", "dcvix-director.log"))
		log = string(data)
		return err == nil && strings.Contains(log, "director started")
	}, 30*time.Second, 5*time.Millisecond, "%s", stderr.said())
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	assert.Empty(t, stderr.said(), "all is in the log file")
	assert.NotContains(t, log, secret)
	assert.NotContains(t, log, "level=WARN")
	assert.NotContains(t, log, "has no meaning in this version")
}

// openFolder returns a folder that everybody may enter.
func openFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		require.NoError(t, os.Chmod(d, 0o755))
	}
	return dir
}

// asSomebodyElse lets the command run without root's rights and returns its user
// id. As an ordinary user it runs as that: a folder without the right to write is
// enough then.
func asSomebodyElse(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	if os.Getuid() != 0 {
		return os.Getuid()
	}
	program, err := os.ReadFile(cmd.Path) // it is in a folder that root alone may enter
	require.NoError(t, err)
	cmd.Path = filepath.Join(openFolder(t), "director")
	require.NoError(t, os.WriteFile(cmd.Path, program, 0o755))
	cmd.Dir = "/"
	if covered := openFolder(t); os.Getenv("GOCOVERDIR") != "" { // go test -cover
		require.NoError(t, os.Chmod(covered, 0o777))
		cmd.Env = append(cmd.Env, "GOCOVERDIR="+covered)
	}
	const nobody = 65534
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return nobody
}

func TestFolderWithoutTheRightToWriteIsSaid(t *testing.T) {
	parent := openFolder(t)
	there := filepath.Join(parent, "there")
	require.NoError(t, os.Mkdir(there, 0o755))
	for _, dir := range []string{parent, there} {
		require.NoError(t, os.Chmod(dir, 0o555))
		t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
	}
	for name, data := range map[string]string{"a folder to make": filepath.Join(parent, "new"), "a folder that is there": there} {
		t.Run(name, func(t *testing.T) {
			cmd := process(t)
			uid := asSomebodyElse(t, cmd)
			cmd.Env = append(cmd.Env, "DCVIX_DIRECTOR_AUTH_TYPE=external", "DCVIX_EXTERNAL_AUTH_EXTERNAL_COMMAND=/bin/true",
				"DCVIX_DIRECTOR_DIRECTOR_HOST=127.0.0.1", "DCVIX_DIRECTOR_DIRECTOR_PORT=0", "DCVIX_DIRECTOR_DATA_DIR="+data)

			got := finish(t, cmd)

			assert.Equal(t, directorcmd.ExitFailure, got.code, got.stderr)
			assert.Contains(t, got.sentence(t), data)
			assert.Contains(t, got.sentence(t), fmt.Sprintf("permission denied: give the user with id %d (chown) the right to write there, or choose another folder (DCVIX_DIRECTOR_DATA_DIR)", uid))
		})
	}
}

func TestListenerSpeaksTLSAlone(t *testing.T) {
	path := conf(t, "", "")
	_, address := start(t, process(t, "--conf", path))
	for name, tt := range map[string]struct {
		url  string
		tls  *tls.Config
		want int // 0: no answer
	}{
		"TLS 1.3": {url: "https://", tls: trusting(t, path), want: http.StatusOK},
		"TLS 1.1": {url: "https://", tls: &tls.Config{RootCAs: trusting(t, path).RootCAs, MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11}},
		"none":    {url: "http://", want: http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			transport := &http.Transport{TLSClientConfig: tt.tls}
			defer transport.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tt.url+address+dcvix.PathHealth, nil)
			require.NoError(t, err)
			resp, err := (&http.Client{Transport: transport}).Do(req)
			if tt.want == 0 {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, tt.want, resp.StatusCode)
		})
	}
}
