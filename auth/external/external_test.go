//go:build unix

package external_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/auth/external"
)

// knowsAlice is a command that a site could have.
const knowsAlice = `read -r user; read -r password; read -r otp
[ "$user" = alice ] && [ "$password" = wonder ]`

func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "login")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700))
	return path
}

func open(t *testing.T, cfg external.Config) *external.Authenticator {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	a, err := external.New(cfg)
	require.NoError(t, err)
	return a
}

var alice = auth.Credentials{User: "alice", Password: "wonder"}

func TestConformance(t *testing.T) {
	authtest.TestAuthenticator(t, authtest.Target{
		Authenticator: open(t, external.Config{Command: script(t, knowsAlice)}),
		Good:          alice,
		Want:          auth.Identity{User: "alice"},
		Down:          open(t, external.Config{Command: script(t, "exit 3")}),
	})
}

// oneTime is a command that knows alice's codes, of six digits from 500000 on,
// and spends each by making a folder of its name, which one of two alone can do.
const oneTime = `read -r user; read -r password; read -r otp
case "$user $password $otp" in "alice wonder 5"[0-9][0-9][0-9][0-9][0-9]) mkdir "$1/$otp" 2>/dev/null ;; *) exit 1 ;; esac`

func TestConformanceAsVerifier(t *testing.T) {
	spent, next := t.TempDir(), new(atomic.Int32)
	authtest.TestVerifier(t, authtest.VerifierTarget{
		Verifier: open(t, external.Config{Command: script(t, oneTime), Args: []string{spent}}),
		Fresh: func() auth.Credentials {
			c := alice
			c.OTP = auth.Secret(strconv.Itoa(500_000 + int(next.Add(1))))
			return c
		},
		Down: open(t, external.Config{Command: script(t, "exit 3")}),
	})
}

func TestACommandForCodesIsNotAskedWithoutOne(t *testing.T) {
	a := open(t, external.Config{Command: script(t, "exit 0")})
	require.NoError(t, a.Verify(t.Context(), auth.Credentials{User: "alice", OTP: "1"}))
	for name, c := range map[string]auth.Credentials{
		"no code":                {User: "alice", Password: "wonder"},
		"a name with a newline":  {User: "alice\nx", OTP: "1"},
		"a challenge of another": {User: "alice", OTP: "1", Challenge: "x"},
	} {
		assert.ErrorIs(t, a.Verify(t.Context(), c), auth.ErrInvalidCredentials, name)
	}
}

func TestWhatTheCommandGets(t *testing.T) {
	out := filepath.Join(t.TempDir(), "seen")
	a := open(t, external.Config{Command: script(t, `{ echo "args: $*"; cat; env; } >"$1"`), Args: []string{out, "b c"}})
	c := alice
	c.OTP = "123456"

	_, err := a.Authenticate(t.Context(), c)

	require.NoError(t, err)
	seen, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(seen), "args: "+out+" b c\nalice\nwonder\n123456\n"), "%s", seen)
	assert.NotContains(t, string(seen), "HOME=", "the environment is minimal")
}

func TestExitCodes(t *testing.T) {
	tests := map[string]struct {
		body string
		want error
	}{
		"0 is good":                   {body: "exit 0"},
		"1 is refused":                {body: "exit 1", want: auth.ErrInvalidCredentials},
		"2 could not tell":            {body: "exit 2", want: auth.ErrUnavailable},
		"a signal could not tell":     {body: "kill -9 $$", want: auth.ErrUnavailable},
		"too long could not tell":     {body: "sleep 60", want: auth.ErrUnavailable},
		"it need not read its input":  {body: "exec <&-; exit 0"},
		"a child may outlive its yes": {body: "sleep 2 & exit 0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := open(t, external.Config{Command: script(t, tt.body), Timeout: 500 * time.Millisecond})
			_, err := a.Authenticate(t.Context(), alice)
			assert.ErrorIs(t, err, tt.want)
		})
	}
}

func TestATimeOutKillsTheChildrenToo(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	a := open(t, external.Config{Command: script(t, `sleep 600 & echo $! >"$1"; wait`), Args: []string{pidFile}, Timeout: 300 * time.Millisecond})

	_, err := a.Authenticate(t.Context(), alice)

	require.ErrorIs(t, err, auth.ErrUnavailable)
	pid, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	assert.Eventually(t, func() bool { return gone(strings.TrimSpace(string(pid))) }, 5*time.Second, 10*time.Millisecond, "child %s lives on", pid)
}

// gone says whether no process runs under pid; a zombie does not run.
func gone(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestALineBreakForgesNoField(t *testing.T) {
	a := open(t, external.Config{Command: script(t, "exit 0")})
	for name, c := range map[string]auth.Credentials{
		"in the user":     {User: "mallory\nalice", Password: "x"},
		"in the password": {User: "mallory", Password: "x\n123456"},
		"in the code":     {User: "mallory", Password: "x", OTP: "1\n2"},
		"a NUL":           {User: "mallory", Password: "x\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.Authenticate(t.Context(), c)
			assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
		})
	}
}

func TestSecretsAreNotLogged(t *testing.T) {
	var log bytes.Buffer
	a := open(t, external.Config{
		Command: script(t, `cat >&2; head -c 100000 /dev/zero | tr '\0' x >&2; exit 1`),
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
	})
	c := alice
	c.OTP = "987654"

	_, err := a.Authenticate(t.Context(), c)

	require.ErrorIs(t, err, auth.ErrInvalidCredentials)
	assert.Contains(t, log.String(), "login command says")
	assert.NotContains(t, log.String(), "wonder")
	assert.NotContains(t, log.String(), "987654")
	assert.Less(t, log.Len(), 4<<10)
	assert.NotContains(t, log.String(), "xxx", "a cut line may hold half a secret")
}

func TestTheCallersLeavingEndsIt(t *testing.T) {
	a := open(t, external.Config{Command: script(t, "sleep 600"), MaxConcurrent: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	errs := make(chan error)
	for range 2 { // the second waits for its turn
		go func() {
			_, err := a.Authenticate(ctx, alice)
			errs <- err
		}()
	}
	for range 2 {
		assert.ErrorIs(t, <-errs, auth.ErrUnavailable)
	}
}

func TestAMissingCommandIsToldAtOnce(t *testing.T) {
	_, err := external.New(external.Config{Command: filepath.Join(t.TempDir(), "nowhere")})
	assert.ErrorContains(t, err, "cannot be run: install it and make it executable")
}
