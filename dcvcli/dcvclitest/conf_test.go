package dcvclitest_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// confFile writes a dcv.conf and returns its path and a way to write it again.
func confFile(t *testing.T, text string) (path string, write func(string)) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "dcv.conf")
	write = func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	write(text)
	return path, write
}

func verifierIs(url string) string { return fmt.Sprintf("[security]\nauth-token-verifier=%q\n", url) }

func TestAServerObeysItsConf(t *testing.T) {
	verifier := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, yesToAlice) }))
	t.Cleanup(verifier.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: verifier.Certificate().Raw}), 0o600))
	asked := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-asked:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(asked) })
	tests := map[string]struct {
		conf string
		log  string // "" means that alice gets in
	}{
		"as set up for a director": {conf: "# made by hand\n[session-management]\ncreate-session=false\n\n" + verifierIs(verifier.URL) + "ca-file='" + ca + "'\nno-tls-strict=false\n"},
		"CRLF and a mark":          {conf: "\ufeff[security]\r\nauth-token-verifier='" + verifier.URL + "'\r\nca-file='" + ca + "'\r\n"},
		"the last one counts":      {conf: verifierIs("https://127.0.0.1:1") + "ca-file='" + ca + "'\n[log]\n" + verifierIs(verifier.URL)},
		"no-tls-strict":            {conf: verifierIs(verifier.URL) + "no-tls-strict=true\n"},
		"no ca-file":               {conf: verifierIs(verifier.URL), log: "certificate"},
		"a missing ca-file":        {conf: verifierIs(verifier.URL) + "ca-file='" + ca + ".not'\n", log: "is not there yet"},
		"no verifier":              {conf: "[security]\n#auth-token-verifier='" + verifier.URL + "'\n", log: "no verifier is configured"},
		"a verifier in no quotes":  {conf: "[security]\nauth-token-verifier=" + verifier.URL + "\n", log: "no verifier is configured"},
		"a verifier that is none":  {conf: verifierIs("director"), log: "is not an https or http URL"},
		"a timeout":                {conf: verifierIs(slow.URL) + "auth-token-verifier-timeout=1\n", log: "no answer within 1s"},
		"no connections of a user": {conf: verifierIs(verifier.URL) + "no-tls-strict=true\nmax-connections-per-user=0\n", log: "as many connections"},
		"no clients of a session":  {conf: verifierIs(verifier.URL) + "no-tls-strict=true\n[session-management]\nmax-concurrent-clients=0\n", log: "as many clients"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path, _ := confFile(t, tt.conf)
			if tt.log == "is not an https or http URL" {
				_, err := startable(t, path)
				require.ErrorContains(t, err, tt.log)
				return
			}
			server := start(t, dcvclitest.ServerConfig{ConfFile: path})
			require.NoError(t, server.dcv.Update(func(s *dcvclitest.State) error {
				s.Sessions[0].MaxConcurrentClients = 0 // what the settings say
				return nil
			}))
			conn, err := server.dial(t, "s", "any")
			if tt.log == "" {
				require.NoError(t, err)
				conn.Close()
				return
			}
			require.ErrorIs(t, err, dcvclitest.ErrRefused)
			assert.Contains(t, server.logs.String(), tt.log)
		})
	}
}

// startable tries to start a server with a dcv.conf.
func startable(t *testing.T, conf string) (*dcvclitest.Server, error) {
	t.Helper()
	server, err := dcvclitest.NewServer(dcvclitest.ServerConfig{
		Name: "ws1", DCV: newDCV(t, dcvclitest.Config{}), ConfFile: conf, Listener: listen(t), Logger: testLogger(t),
	})
	if err != nil {
		return nil, err
	}
	return server, server.Run(t.Context())
}

func TestAServerDoesNotStartWithABrokenConf(t *testing.T) {
	for name, text := range map[string]string{
		"no section":       "auth-token-verifier=''\n",
		"an open section":  "[security\n",
		"no key":           "[security]\n='x'\n",
		"no equals sign":   "[security]\nauth-token-verifier\n",
		"an empty section": "[]\n",
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := confFile(t, text)
			_, err := startable(t, path)
			require.ErrorContains(t, err, "dcv.conf: line ")
		})
	}
}

// TestSettingsHoldWhenTheyAreSaidTo follows the reload column of the parameters:
// another verifier holds at once, one instead of none and none instead of one
// after a restart.
func TestSettingsHoldWhenTheyAreSaidTo(t *testing.T) {
	yes, no := answering(t, http.StatusOK, yesToAlice), answering(t, http.StatusOK, `<auth result="no"/>`)
	path, write := confFile(t, "")
	server := start(t, dcvclitest.ServerConfig{ConfFile: path})
	enters := func() bool {
		conn, err := server.dial(t, "s", "any")
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	assert.False(t, enters())
	write(verifierIs(yes))
	assert.False(t, enters(), "the first verifier waits for a restart")
	assert.Contains(t, server.logs.String(), "waits for a restart")
	require.NoError(t, server.dcv.Restart())
	assert.True(t, enters())
	write(verifierIs(no))
	assert.False(t, enters(), "another verifier holds at once")
	write(verifierIs(yes))
	assert.True(t, enters())
	write("")
	assert.True(t, enters(), "to be without one takes a restart")
	require.NoError(t, server.dcv.Restart())
	assert.False(t, enters())
	write(verifierIs(yes) + "[")
	assert.False(t, enters(), "a conf that is damaged later lets nobody in")
	require.Error(t, server.dcv.Restart())
	require.NoError(t, os.Remove(path))
	require.NoError(t, server.dcv.Restart())
	assert.False(t, enters())
}

func TestTheCommandSetsWhatTheServerObeys(t *testing.T) {
	path, _ := confFile(t, verifierIs(answering(t, http.StatusOK, `<auth result="no"/>`)))
	server := start(t, dcvclitest.ServerConfig{ConfFile: path})
	_, err := server.dial(t, "s", "any")
	require.ErrorIs(t, err, dcvclitest.ErrRefused)
	_, err = server.dcv.Run(t.Context(), "set-config", "--section=security", "--key=auth-token-verifier", "'"+answering(t, http.StatusOK, yesToAlice)+"'")
	require.NoError(t, err)
	server.mustDial(t, "s", "any")
}

func TestAServersStartMakesTheAutomaticConsole(t *testing.T) {
	path, _ := confFile(t, "[session-management]\ncreate-session=true\n[session-management/automatic-console-session]\nowner='alice'\n"+
		verifierIs(tokens(t)))
	dcv := newDCV(t, dcvclitest.Config{})
	_, err := dcv.Run(t.Context(), "create-session", "--owner=alice", "v")
	require.NoError(t, err)
	port := run(t, dcvclitest.ServerConfig{Name: "ws1.localhost", DCV: dcv, ConfFile: path, RestartsDCV: true})
	conn, err := dcvclitest.Dial(t.Context(), dcvclitest.Target{Host: "ws1.localhost", Port: port, Session: "console", Token: "token-of-alice"})
	require.NoError(t, err)
	conn.Close()
	state, err := dcv.State()
	require.NoError(t, err)
	require.Len(t, state.Sessions, 1, "a restart keeps no virtual session")
	assert.WithinDuration(t, time.Now(), state.Sessions[0].CreationTime, time.Minute)
}
