//go:build unix

package directorcmd_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/token"
)

// again starts the director once more, on the port it had, with more environment.
func again(t *testing.T, path, address string, environ ...string) *running {
	t.Helper()
	cmd := process(t, "--conf", path)
	cmd.Env = append(append(cmd.Env, "DCVIX_DIRECTOR_DIRECTOR_PORT="+strings.TrimPrefix(address, "127.0.0.1:")), environ...)
	r, _ := start(t, cmd)
	return r
}

func (r *running) stop() {
	r.t.Helper()
	require.NoError(r.t, r.cmd.Process.Signal(unix.SIGTERM))
	require.NoError(r.t, r.cmd.Wait(), r.said())
}

// ask sends a request with the cookie of a login, and returns the status.
func ask(t *testing.T, path, address, method, route, sealed string, body ...byte) (status int, cookie string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://"+address+route, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.AddCookie(&http.Cookie{Name: dcvix.CookieName, Value: sealed})
	resp, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: trusting(t, path), DisableKeepAlives: true}}).Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	for _, c := range resp.Cookies() {
		cookie = c.Value
	}
	return resp.StatusCode, cookie
}

// logIn returns the status and the cookie of a login.
func logIn(t *testing.T, path, address string, req dcvix.LoginRequest) (status int, sealed string) {
	t.Helper()
	body, err := json.Marshal(req)
	require.NoError(t, err)
	return ask(t, path, address, http.MethodPost, dcvix.PathUserLogin, "", body...)
}

func TestAReplacedTokenKeyLogsNobodyOutOverARestart(t *testing.T) {
	oldKey, newKey := token.NewKey().Base64(), token.NewKey().Base64()
	path := conf(t, "token_key_file =", "")
	first, second := "DCVIX_DIRECTOR_TOKEN_KEY="+oldKey, "DCVIX_DIRECTOR_TOKEN_KEY="+newKey
	cmd := process(t, "--conf", path)
	cmd.Env = append(cmd.Env, first)
	r, address := start(t, cmd)
	before := person(t, path, address)
	good := dcvix.LoginRequest{UserID: "alice", Password: password}
	require.NoError(t, before.Login(t.Context(), good))
	r.stop()

	r = again(t, path, address, second, "DCVIX_DIRECTOR_TOKEN_KEYS_OLD="+oldKey)
	_, err := before.Servers(t.Context())
	require.NoError(t, err, "sealed with the old key")
	after := person(t, path, address)
	require.NoError(t, after.Login(t.Context(), good))
	r.stop()

	r = again(t, path, address, second)
	_, err = after.Servers(t.Context())
	require.NoError(t, err, "the old key sealed nothing more")
	_, err = before.Servers(t.Context())
	require.Error(t, err, "once the old key is gone, what it sealed is no login")
	assert.NotContains(t, r.said(), oldKey)
	assert.NotContains(t, r.said(), newKey)
}

func TestALogoutHoldsOverARestartAndAKill(t *testing.T) {
	path := conf(t, "", "")
	r, address := start(t, process(t, "--conf", path))
	_, sealed := logIn(t, path, address, dcvix.LoginRequest{UserID: "alice", Password: password})
	status, _ := ask(t, path, address, http.MethodGet, dcvix.PathAuthHealth, sealed)
	require.Equal(t, http.StatusOK, status)
	status, _ = ask(t, path, address, http.MethodPost, dcvix.PathLogout, sealed)
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, r.cmd.Process.Kill())
	_ = r.cmd.Wait() // of course it was

	again(t, path, address)

	status, _ = ask(t, path, address, http.MethodGet, dcvix.PathAuthHealth, sealed)
	assert.Equal(t, http.StatusUnauthorized, status)
}

func TestTheThrottleHasTheLimitsOfTheConfiguration(t *testing.T) {
	path := conf(t, "", "[throttle]\nfailures = 1\n")
	_, address := start(t, process(t, "--conf", path))
	for i, want := range []int{401, 401, 429} {
		status, _ := logIn(t, path, address, dcvix.LoginRequest{UserID: "alice", Password: "guess"})
		assert.Equal(t, want, status, i)
	}
}

func TestNoSecretOfALoginIsInALogOrAFile(t *testing.T) {
	path := conf(t, "", "[log]\nlevel = debug\n[throttle]\nfailures = 2\n")
	r, address := start(t, process(t, "--conf", path))
	setUsers(t, path, `[{"id": "alice", "workstations": ["ws1"]}, {"id": "root", "admin": true}]`)
	_, sealed := logIn(t, path, address, dcvix.LoginRequest{UserID: "alice", Password: password})
	for _, req := range []dcvix.LoginRequest{
		{UserID: "alice", Password: "hunter2-secret", OTP: "987654321"},
		{UserID: "alice", Password: password, OTP: "987654321", Challenge: "challenge-secret"},
		{UserID: "alice\nroot", Password: "hunter2-secret"},
	} {
		for range 6 {
			logIn(t, path, address, req) // the later ones are throttled
		}
	}
	for _, route := range []string{dcvix.PathSessions, dcvix.PathUserConnectionToken + "?sessionId=s9&serverId=ws1"} {
		ask(t, path, address, http.MethodGet, route, sealed)
	}
	ask(t, path, address, http.MethodGet, dcvix.PathAuthHealth, sealed[:len(sealed)-1])
	ask(t, path, address, http.MethodPost, dcvix.PathLogout, sealed)
	arguments, err := os.ReadFile("/proc/self/cmdline") // of a system that has it
	if err == nil {
		arguments, err = os.ReadFile(filepath.Join("/proc", strconv.Itoa(r.cmd.Process.Pid), "cmdline"))
		require.NoError(t, err)
	}
	r.stop()

	seen := map[string]string{"its log": r.said(), "its arguments": string(arguments)}
	require.NoError(t, filepath.WalkDir(filepath.Dir(path), func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(name)
		seen[name] = string(data)
		return err
	}))
	require.Contains(t, seen["its log"], "level=DEBUG")
	require.Contains(t, seen["its log"], "too many logins failed")
	require.Contains(t, seen[filepath.Join(filepath.Dir(path), "data", "audit.jsonl")], `"outcome":"refused"`)
	for where, text := range seen {
		for _, secret := range []string{password, "hunter2-secret", "987654321", "challenge-secret", "v4.local", sealed} {
			assert.False(t, strings.Contains(text, secret), "%s has %q", where, secret)
		}
	}
}
