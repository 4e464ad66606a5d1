package radius_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	radiuslib "layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/auth/radius"
)

// secret is long enough to be found in a log.
const secret = "shared-with-the-server"

// A freeRADIUS is a running FreeRADIUS and the addresses of its listeners.
type freeRADIUS struct{ legacy, strict string }

// startFreeRADIUS starts the real server with testdata/radiusd.conf.
func startFreeRADIUS(t *testing.T) freeRADIUS {
	t.Helper()
	path := findFreeRADIUS(t)
	dir := t.TempDir()
	legacy, strict := freePort(t), freePort(t)
	for strict == legacy {
		strict = freePort(t)
	}
	conf, err := template.ParseFiles("testdata/radiusd.conf")
	require.NoError(t, err)
	var text strings.Builder
	require.NoError(t, conf.Execute(&text, map[string]any{"Dir": dir, "Secret": secret, "Legacy": legacy, "Strict": strict}))
	users, err := os.ReadFile("testdata/users")
	require.NoError(t, err)
	for name, content := range map[string]string{
		"radiusd.conf": text.String(), "users": string(users), "dictionary": "$INCLUDE /usr/share/freeradius/dictionary\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	cmd := exec.Command(path, "-f", "-d", dir, "-D", "/usr/share/freeradius")
	output := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = output, output
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "radius.log"))
			t.Logf("FreeRADIUS said:\n%s%s", output, log)
		}
	})
	require.Eventually(t, func() bool {
		log, err := os.ReadFile(filepath.Join(dir, "radius.log"))
		return err == nil && strings.Contains(string(log), "Ready to process")
	}, 30*time.Second, 10*time.Millisecond, "FreeRADIUS does not start")
	return freeRADIUS{legacy: fmt.Sprintf("127.0.0.1:%d", legacy), strict: fmt.Sprintf("127.0.0.1:%d", strict)}
}

func findFreeRADIUS(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"freeradius", "/usr/sbin/freeradius", "radiusd", "/usr/sbin/radiusd"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" { //nolint:forbidigo // a skip is a failure there
		t.Fatal("FreeRADIUS is missing: run scripts/need freeradius")
	}
	t.Skip("FreeRADIUS is missing: run scripts/need freeradius")
	return ""
}

func freePort(t *testing.T) int {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // a test
	return conn.LocalAddr().(*net.UDPAddr).Port
}

func TestConformance(t *testing.T) {
	server := startFreeRADIUS(t)
	down := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	tests := map[string]radius.Config{
		"a strict server":               {Servers: []string{server.strict}},
		"a server of before 2024":       {Servers: []string{server.legacy}, AllowUnsigned: true},
		"the second server of two":      {Servers: []string{down, server.strict}},
		"a strict server, not required": {Servers: []string{server.strict}, AllowUnsigned: true},
	}
	for name, cfg := range tests {
		t.Run(name, func(t *testing.T) {
			running := goleak.IgnoreCurrent()
			authtest.TestAuthenticator(t, authtest.Target{
				Authenticator: open(t, cfg),
				Good:          auth.Credentials{User: "alice", Password: "wonder"},
				Want:          auth.Identity{User: "alice", Groups: []string{"cad", "gpu"}},
				Down:          open(t, radius.Config{Servers: []string{down}}),
			})
			goleak.VerifyNone(t, running)
		})
	}
}

func TestAnUnsignedAnswerOfARealServerIsRefused(t *testing.T) {
	server := startFreeRADIUS(t)
	log := &logged{}
	b := open(t, radius.Config{Servers: []string{server.legacy}, Timeout: 3 * time.Second, Logger: log.logger()})

	_, err := b.Authenticate(t.Context(), auth.Credentials{User: "alice", Password: "wonder"})

	require.ErrorIs(t, err, auth.ErrUnavailable)
	assert.Contains(t, log.String(), "radius_require_message_authenticator")
	assert.Contains(t, log.String(), server.legacy)
}

// TestTheStrictServerWantsASignedRequest makes sure that the tests against it
// mean something.
func TestTheStrictServerWantsASignedRequest(t *testing.T) {
	server := startFreeRADIUS(t)
	for _, tt := range []struct {
		address string
		answers bool
	}{{server.legacy, true}, {server.strict, false}} {
		p := radiuslib.New(radiuslib.CodeAccessRequest, []byte(secret))
		require.NoError(t, rfc2865.UserName_SetString(p, "alice"))
		require.NoError(t, rfc2865.UserPassword_SetString(p, "wonder"))
		wire, err := p.Encode()
		require.NoError(t, err)
		conn, err := net.Dial("udp", tt.address)
		require.NoError(t, err)
		_, err = conn.Write(wire)
		require.NoError(t, err)
		wait := time.Second // silence is what is expected
		if tt.answers {
			wait = 30 * time.Second
		}
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(wait)))
		_, err = conn.Read(make([]byte, 4096))
		assert.Equal(t, tt.answers, err == nil, "%s: %v", tt.address, err)
		require.NoError(t, conn.Close())
	}
}

func TestAChallengeOfARealServer(t *testing.T) {
	server := startFreeRADIUS(t)
	for name, cfg := range map[string]radius.Config{
		"strict": {Servers: []string{server.strict}},
		"legacy": {Servers: []string{server.legacy}, AllowUnsigned: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t, cfg)
			first := auth.Credentials{User: "otto", Password: "first"}
			second := challenged(t, b, first)

			second.OTP = "999999"
			_, err := b.Authenticate(t.Context(), second)
			require.ErrorIs(t, err, auth.ErrInvalidCredentials, "a wrong code")

			second = challenged(t, b, first)
			second.OTP = "123456"
			who, err := b.Authenticate(t.Context(), second)
			require.NoError(t, err)
			assert.Equal(t, auth.Identity{User: "otto"}, who)

			first.OTP = "123456"
			who, err = b.Authenticate(t.Context(), first)
			require.NoError(t, err, "both typed at once")
			assert.Equal(t, auth.Identity{User: "otto"}, who)

			first.OTP = "999999"
			_, err = b.Authenticate(t.Context(), first)
			require.ErrorIs(t, err, auth.ErrInvalidCredentials)

			first.Password = "wrong"
			_, err = b.Authenticate(t.Context(), first)
			require.ErrorIs(t, err, auth.ErrInvalidCredentials, "no challenge after a wrong password")
		})
	}
}

// challenged logs in and returns what the second step takes, but for the code.
func challenged(t *testing.T, b *radius.Backend, c auth.Credentials) auth.Credentials {
	t.Helper()
	_, err := b.Authenticate(t.Context(), c)
	var challenge *auth.Challenge
	require.ErrorAs(t, err, &challenge)
	assert.Equal(t, "Enter OTP", challenge.Prompt)
	c.Challenge = challenge.State
	return c
}

func TestARealServersNameForAUserIsTheCanonicalOne(t *testing.T) {
	b := open(t, radius.Config{Servers: []string{startFreeRADIUS(t).strict}})
	who, err := b.Authenticate(t.Context(), auth.Credentials{User: "bob", Password: "builder"})
	require.NoError(t, err)
	assert.Equal(t, auth.Identity{User: "robert"}, who)
}

func TestAWrongSecretLooksLikeSilence(t *testing.T) {
	server := startFreeRADIUS(t)
	for name, address := range map[string]string{"strict": server.strict, "legacy": server.legacy} {
		t.Run(name, func(t *testing.T) {
			log := &logged{}
			b := open(t, radius.Config{
				Servers: []string{address}, Secret: "not-what-the-server-has", AllowUnsigned: true,
				Timeout: 300 * time.Millisecond, Retries: -1, Logger: log.logger(),
			})
			_, err := b.Authenticate(t.Context(), auth.Credentials{User: "alice", Password: "wonder"})
			require.ErrorIs(t, err, auth.ErrUnavailable)
			assert.Contains(t, log.String(), "radius_secret")
			assert.NotContains(t, log.String(), "not-what-the-server-has")
		})
	}
}

func TestTheHealthOfARealServer(t *testing.T) {
	server := startFreeRADIUS(t)
	down := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	tests := map[string]struct {
		cfg  radius.Config
		want error
	}{
		"strict":           {cfg: radius.Config{Servers: []string{server.strict}}},
		"legacy":           {cfg: radius.Config{Servers: []string{server.legacy}, AllowUnsigned: true}},
		"one of two":       {cfg: radius.Config{Servers: []string{down, server.strict}}},
		"nothing is there": {cfg: radius.Config{Servers: []string{down}}, want: auth.ErrUnavailable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			assert.ErrorIs(t, open(t, tt.cfg).CheckHealth(t.Context()), tt.want)
		})
	}
}
