package pam_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/pam"
	"github.com/dcvix/dcvix/auth/pam/conversation"
)

func TestAModuleThatCrashesCostsOneLogin(t *testing.T) {
	tests := map[string]string{ // what its service has for authentication
		"a bad address":              module(t) + " crash",
		"an abort":                   module(t) + " abort",
		"an exit":                    module(t) + " print exit",
		"a conversation without end": matrix(t) + " verbose passdb=/dev/null", // it passes no place for the answer
	}
	for name, line := range tests {
		t.Run(name, func(t *testing.T) {
			b := open(t, pam.Config{ServiceDir: service(t, "auth required "+line, "account required pam_permit.so")})
			_, err := b.Authenticate(t.Context(), alice)
			require.ErrorIs(t, err, auth.ErrUnavailable)
			assert.ErrorContains(t, err, "a module of the service dcvix may have crashed")
			assert.Empty(t, children())
		})
	}
}

func TestATimeOutEndsModulesAndWhatTheyStarted(t *testing.T) {
	for name, acts := range map[string]string{
		"a child":                        "child=%s hang",
		"a child of its own session":     "daemon=%s hang",
		"several":                        "child=%[1]s daemon=%[1]s daemon=%[1]s hang",
		"a module that answers too late": "child=%s ms=2000",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pids")
			acts = strings.ReplaceAll(strings.ReplaceAll(acts, "%s", file), "%[1]s", file)
			b := open(t, pam.Config{ServiceDir: acting(t, acts), Timeout: time.Second})
			start := time.Now()

			_, err := b.Authenticate(t.Context(), alice)

			require.ErrorIs(t, err, auth.ErrUnavailable)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.ErrorContains(t, err, "within 1s")
			assert.Less(t, time.Since(start), 10*time.Second)
			gone(t, file, strings.Count(acts, file))
			assert.Empty(t, children())
		})
	}
}

func TestATimeOutEndsTheScriptOfPAMExec(t *testing.T) {
	dir := t.TempDir()
	script, file := filepath.Join(dir, "script"), filepath.Join(dir, "pids")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\nn=${1:-0}\n[ $n = 20 ] || \"$0\" $((n+1)) &\necho $$ >>"+file+"\nsleep 600\n"), 0o700))
	b := open(t, pam.Config{ServiceDir: service(t, "auth required pam_exec.so quiet "+script, "account required pam_permit.so"), Timeout: time.Second})
	_, err := b.Authenticate(t.Context(), alice)
	require.ErrorIs(t, err, auth.ErrUnavailable)
	gone(t, file, 21)
}

func TestTheCallersLeavingEndsIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	b := open(t, pam.Config{ServiceDir: acting(t, "child="+file+" hang"), MaxConcurrent: 1})
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error)
	for range 2 { // the second waits for its turn
		go func() {
			_, err := b.Authenticate(ctx, alice)
			errs <- err
		}()
	}
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(file)
		return err == nil && len(strings.Fields(string(text))) == 1
	}, 20*time.Second, time.Millisecond)
	cancel()
	for range 2 {
		assert.ErrorIs(t, <-errs, auth.ErrUnavailable)
	}
	gone(t, file, 1)
	assert.Empty(t, children())
}

// TestTheEndOfTheDirectorEndsItsHelpers stands in for a director that is killed:
// the pipe to its helper closes.
func TestTheEndOfTheDirectorEndsItsHelpers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	cmd := exec.CommandContext(t.Context(), helper(t))
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := conversation.Line(conversation.Request{
		Version: conversation.Version, Service: "dcvix", ServiceDir: acting(t, "daemon="+file+" hang"), User: "alice", Password: []byte("wonder"),
	}, conversation.MaxRequest)
	require.NoError(t, err)
	_, err = stdin.Write(line)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(file)
		return err == nil && len(strings.Fields(string(text))) == 1
	}, 20*time.Second, time.Millisecond)

	require.NoError(t, stdin.Close())

	assert.Error(t, cmd.Wait())
	gone(t, file, 1)
}

func TestFiftyLoginsAreFourAtATime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trace")
	b := open(t, pam.Config{ServiceDir: acting(t, "begin="+file+" ms=20 end="+file), MaxConcurrent: 4})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			_, err := b.Authenticate(t.Context(), alice)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	trace, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Len(t, trace, 100)
	running, most := 0, 0
	for _, c := range trace {
		if c == '+' {
			running++
		} else {
			running--
		}
		most = max(most, running)
	}
	assert.LessOrEqual(t, most, 4)
	assert.Greater(t, most, 1, "they do run beside each other")
}

func TestWhoWaitsTooLongForATurnIsToldSo(t *testing.T) {
	b := open(t, pam.Config{ServiceDir: acting(t, "ms=1500"), MaxConcurrent: 1, Timeout: time.Second})
	go func() { _, _ = b.Authenticate(t.Context(), alice) }()
	require.Eventually(t, func() bool { return len(children()) > 0 }, 20*time.Second, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := b.Authenticate(ctx, alice)
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.ErrorContains(t, err, "all 1 PAM helpers are busy")
	require.Eventually(t, func() bool { return len(children()) == 0 }, 20*time.Second, time.Millisecond)
}

// foreign returns a program that stands in for the helper.
func foreign(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), pam.HelperName)
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	return path
}

func TestAHelperThatMisbehavesLetsNobodyIn(t *testing.T) {
	const good = `{"version":1,"result":"success","phase":"account","user":"alice"}`
	dir := service(t, "auth required pam_permit.so", "account required pam_permit.so")
	pids := filepath.Join(t.TempDir(), "pids")
	tests := map[string]struct {
		script, want string // the want is of the error; "" is a good login
	}{
		"a good answer":               {script: "cat >/dev/null & echo '" + good + "'"},
		"nothing":                     {script: "exit 0", want: "it ended without an answer (exit status 0)"},
		"a signal":                    {script: "kill -SEGV $$", want: "it ended without an answer (signal: segmentation fault)"},
		"a flood":                     {script: "exec yes '" + good + "'", want: "it did not answer in one line"},
		"a flood without a line":      {script: "exec cat /dev/zero", want: "it did not answer in one line"},
		"half an answer":              {script: "printf '%s' '" + good + "'", want: "it did not answer in one line"},
		"two answers":                 {script: "echo '" + good + "'; echo '" + good + "'", want: "it did not answer in one line"},
		"two values on one line":      {script: "echo '" + good + good + "'", want: "it did not answer in one line"},
		"an unknown field":            {script: `echo '{"version":1,"result":"success","phase":"account","user":"alice","admin":true}'`, want: "it did not answer in one line"},
		"another version":             {script: `echo '{"version":2,"result":"success","phase":"account","user":"alice"}'`, want: "install director and helper of one release"},
		"a failure after the answer":  {script: "echo '" + good + "'; exit 3", want: "answered and then failed: exit status 3"},
		"a crash after the answer":    {script: "echo '" + good + "'; kill -ABRT $$", want: "answered and then failed: signal: aborted"},
		"success before the account":  {script: `echo '{"version":1,"result":"success","phase":"authenticate","user":"alice"}'`, want: `PAM says "success"`},
		"no user":                     {script: `echo '{"version":1,"result":"success","phase":"account"}'`, want: "PAM_USER"},
		"no result":                   {script: `echo '{"version":1}'`, want: "no result"},
		"an unknown result":           {script: `echo '{"version":1,"result":"code_99"}'`, want: `PAM says "code_99"`},
		"not built in":                {script: `echo '{"version":1,"result":"not_built_in","detail":"built without PAM"}'`, want: "built without PAM"},
		"silence":                     {script: "exec sleep 600", want: "within 2s"},
		"an answer and no end":        {script: "echo '" + good + "'; exec sleep 600", want: "within 2s"},
		"an end of output and no end": {script: "echo '" + good + "'; exec >/dev/null; sleep 600", want: "answered and then failed: signal: killed"},
		"a child that keeps the pipe": {script: "sleep 600 & echo $! >" + pids + "; exit 0", want: "within 2s"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := open(t, pam.Config{ServiceDir: dir, Helper: foreign(t, tt.script), Timeout: 2 * time.Second})
			t.Parallel() // all programs are written by then: none is busy
			_, err := b.Authenticate(t.Context(), alice)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, auth.ErrUnavailable)
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "alice")
		})
	}
	t.Cleanup(func() { gone(t, pids, 1) })
}

func TestAHelperThatDoesNotStopIsKilled(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	b := open(t, pam.Config{
		ServiceDir: service(t, "auth required pam_permit.so", "account required pam_permit.so"), Timeout: time.Minute,
		Helper: foreign(t, "trap '' TERM; sleep 600 & echo $$ $! >"+pids+"; wait"),
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	_, err := b.Authenticate(ctx, alice)
	require.ErrorIs(t, err, auth.ErrUnavailable)
	assert.Less(t, time.Since(start), 20*time.Second)
	gone(t, pids, 2)
}

func TestAHelperOutOfReachOfItsGroupIsNotWaitedFor(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	b := open(t, pam.Config{
		ServiceDir: service(t, "auth required pam_permit.so", "account required pam_permit.so"), Timeout: time.Second,
		Helper: foreign(t, "setsid sh -c 'echo $$ >"+pids+"; exec sleep 600'"),
	})
	start := time.Now()
	_, err := b.Authenticate(t.Context(), alice)
	require.ErrorIs(t, err, auth.ErrUnavailable)
	assert.Less(t, time.Since(start), 10*time.Second)
	text, err := os.ReadFile(pids)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	process, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.NoError(t, process.Kill()) // a foreign program's own affair
}

func TestSecretsAreNowhereToBeSeen(t *testing.T) {
	var log bytes.Buffer
	file := filepath.Join(t.TempDir(), "here")
	b := open(t, pam.Config{ServiceDir: acting(t, "off=Password on=Code begin="+file+" hang"), Timeout: 3 * time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	c := alice
	c.OTP = "987654"
	failed := make(chan error)
	go func() {
		_, err := b.Authenticate(t.Context(), c)
		failed <- err
	}()
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(file)
		return err == nil && len(strings.Fields(string(text))) == 1
	}, 20*time.Second, time.Millisecond)
	pids := children()
	require.Len(t, pids, 1)
	proc := "/proc/" + pids[0] + "/"

	cmdline, err := os.ReadFile(proc + "cmdline")
	require.NoError(t, err)
	assert.Equal(t, helper(t)+"\x00", string(cmdline))
	limits, err := os.ReadFile(proc + "limits")
	require.NoError(t, err)
	assert.Regexp(t, `Max core file size +0 +0 +bytes`, string(limits))
	environ, err := os.ReadFile(proc + "environ")
	if os.Geteuid() == 0 {
		require.NoError(t, err)
		assert.Equal(t, "PATH=/usr/sbin:/usr/bin:/sbin:/bin\x00LANG=C.UTF-8\x00GOTRACEBACK=none\x00GOMAXPROCS=2\x00", string(environ))
	} else {
		require.ErrorIs(t, err, os.ErrPermission)
	}

	err = <-failed
	require.ErrorIs(t, err, auth.ErrUnavailable)
	for _, secret := range []string{"wonder", "987654", "d29uZGVy", "OTg3NjU0"} {
		assert.NotContains(t, err.Error(), secret)
		assert.NotContains(t, log.String(), secret)
	}
}

// TestNobodyLooksIntoAHelper has one run as another user than root, whose
// processes that can be looked into have their files in /proc.
func TestNobodyLooksIntoAHelper(t *testing.T) {
	here := filepath.Join(openFolder(t), "here")
	dir := openFolder(t)
	write(t, filepath.Join(dir, "dcvix"), "auth required "+module(t)+" begin="+here+" hang\naccount required pam_permit.so\n")
	cmd := exec.CommandContext(t.Context(), helper(t))
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chmod(filepath.Dir(here), 0o777))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := conversation.Line(conversation.Request{Version: conversation.Version, Service: "dcvix", ServiceDir: dir, User: "alice", Password: []byte("wonder")}, conversation.MaxRequest)
	require.NoError(t, err)
	_, err = stdin.Write(line)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := os.Stat(here)
		return err == nil
	}, 20*time.Second, time.Millisecond)

	info, err := os.Stat("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/mem")
	require.NoError(t, err)
	assert.Zero(t, statOf(t, info).Uid, "it is root's")

	require.NoError(t, stdin.Close())
	assert.Error(t, cmd.Wait())
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

// TestModulesGetNeitherTheRequestNorTheAnswer has a module write a forged answer
// to its standard output.
func TestModulesGetNeitherTheRequestNorTheAnswer(t *testing.T) {
	b := open(t, pam.Config{ServiceDir: acting(t, "print refuse")})
	_, err := b.Authenticate(t.Context(), alice)
	require.ErrorIs(t, err, auth.ErrInvalidCredentials)

	own := pipes(t) // which the tests may have been started with
	seen := filepath.Join(t.TempDir(), "seen")
	script := foreign(t, "ls -l /proc/$$/fd >"+seen+"; cat >>"+seen)
	b = open(t, pam.Config{ServiceDir: acting(t, "run="+script)})
	_, err = b.Authenticate(t.Context(), alice)
	require.NoError(t, err)
	text, err := os.ReadFile(seen)
	require.NoError(t, err)
	assert.Contains(t, string(text), "0 -> /dev/null")
	for _, pipe := range regexp.MustCompile(`pipe:.*`).FindAllString(string(text), -1) {
		assert.Contains(t, own, pipe)
	}
}

// pipes returns those that this process has open.
func pipes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	var found []string
	for _, file := range files {
		if to, err := os.Readlink(file); err == nil && strings.HasPrefix(to, "pipe:") {
			found = append(found, to)
		}
	}
	return found
}

func TestTheHelperByHand(t *testing.T) {
	run := func(stdin io.Reader, args ...string) (string, int) {
		cmd := exec.CommandContext(t.Context(), helper(t), args...)
		cmd.Stdin = stdin
		out, _ := cmd.CombinedOutput() // the code says it
		return string(out), cmd.ProcessState.ExitCode()
	}
	out, code := run(nil, "--version")
	assert.Zero(t, code)
	assert.Regexp(t, `^dcvix-pam-helper \S+\n$`, out)
	out, code = run(nil, "alice", "wonder")
	assert.Equal(t, 2, code)
	assert.Contains(t, out, "The director starts it")
	out, code = run(strings.NewReader("hello\n"))
	assert.Zero(t, code)
	assert.Contains(t, out, `"result":"bad_request"`)
	out, code = run(nil)
	assert.Zero(t, code)
	assert.Contains(t, out, `"detail":"the request has no end"`)
}
