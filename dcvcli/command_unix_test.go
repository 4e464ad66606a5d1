//go:build unix

package dcvcli_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
)

func shell(ctx context.Context, script string) ([]byte, error) {
	return (&dcvcli.Command{Path: "/bin/sh"}).Run(ctx, "-c", script)
}

func TestCommandKeepsOutputAndWarningsApart(t *testing.T) {
	out, err := shell(t.Context(), "echo warning >&2; echo '[]'")
	require.NoError(t, err)
	assert.Equal(t, "[]\n", string(out))
}

func TestCommandReportsTheFirstLineOfAFailureEscaped(t *testing.T) {
	_, err := shell(t.Context(), `printf '\n  no \033[31mdaemon\nsecond line' >&2; exit 3`)
	var failure *dcvcli.CommandError
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, 3, failure.ExitCode)
	assert.Equal(t, `no \x1b[31mdaemon`, failure.Stderr)
	assert.Equal(t, `exit status 3: no \x1b[31mdaemon`, err.Error())

	_, err = shell(t.Context(), `head -c 100000 /dev/zero | tr '\0' x >&2; exit 1`)
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, strings.Repeat("x", 200), failure.Stderr)
}

func TestCommandSaysWhenItIsMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dcv")
	_, err := (&dcvcli.Command{Path: path}).Run(t.Context(), "version")
	require.ErrorIs(t, err, dcvcli.ErrNotInstalled)
	assert.Contains(t, err.Error(), path)
}

func TestCommandRefusesEndlessOutput(t *testing.T) {
	_, err := shell(t.Context(), "yes")
	require.ErrorIs(t, err, dcvcli.ErrUnknownForm)
}

// script is a dcv that is a shell script.
func script(t *testing.T, text string) *dcvcli.Command {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dcv")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700))
	return &dcvcli.Command{Path: path}
}

func TestAScreenshotMayBeLargerThanAList(t *testing.T) {
	dcv := script(t, `head -c 6000000 /dev/zero`)
	_, err := dcv.Run(t.Context(), "list-sessions")
	require.ErrorIs(t, err, dcvcli.ErrUnknownForm)
	out, err := dcv.Run(t.Context(), "get-screenshot")
	require.NoError(t, err)
	assert.Len(t, out, 6000000)
	_, err = script(t, "yes").Run(t.Context(), "get-screenshot")
	require.ErrorIs(t, err, dcvcli.ErrUnknownForm)
}

func TestCommandSaysWhichSignalEndedIt(t *testing.T) {
	_, err := shell(t.Context(), "echo '[]'; echo no memory >&2; kill -SEGV $$")
	var failure *dcvcli.CommandError
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, -1, failure.ExitCode)
	assert.Contains(t, failure.Signal, "segmentation fault")
	assert.Contains(t, err.Error(), "ended by a signal: segmentation fault")
	assert.Contains(t, err.Error(), "no memory")

	_, err = shell(t.Context(), "kill -KILL $$")
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, "ended by a signal: killed", err.Error())
}

func TestHalfAnAnswerOfACommandThatHangsIsNone(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		assert.Eventually(t, func() bool { _, err := os.Stat(ready); return err == nil }, 10*time.Second, time.Millisecond)
		cancel()
	}()
	out, err := shell(ctx, `printf '[{"id":"a"}'; : > `+ready+`; exec sleep 60`)
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, out)
}

func TestASlowCommandIsCutOffAtTheLimitOfTheCLI(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	dcv := script(t, "echo $$ > "+pidFile+"; echo '['; exec sleep 60")
	cli, err := dcvcli.New(dcvcli.Config{Runner: dcv, Platform: "linux", Timeout: time.Second})
	require.NoError(t, err)
	_, err = cli.List(t.Context())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Contains(t, err.Error(), "no answer within 1s")
	if pid := readPID(pidFile); pid > 0 {
		assert.False(t, alive(pid))
	}
}

func TestACommandThatCrashesLeavesTheListToDecide(t *testing.T) {
	made := filepath.Join(t.TempDir(), "made")
	dcv := script(t, `
case $1 in
list-sessions) if [ -e `+made+` ]; then echo '[{"id":"a"}]'; else echo '[]'; fi ;;
create-session) : > `+made+`; kill -KILL $$ ;;
close-session) kill -SEGV $$ ;;
esac`)
	cli, err := dcvcli.New(dcvcli.Config{Runner: dcv, Platform: "linux"})
	require.NoError(t, err)
	require.NoError(t, cli.Create(t.Context(), dcvcli.CreateOptions{ID: "a"}))
	err = cli.Close(t.Context(), "a")
	var failure *dcvcli.CommandError
	require.ErrorAs(t, err, &failure)
	assert.Contains(t, failure.Signal, "segmentation fault")
}

func TestCommandKillsTheWholeGroupWhenItsTimeIsOver(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		assert.Eventually(t, func() bool { return readPID(pidFile) > 0 }, 10*time.Second, time.Millisecond)
		cancel()
	}()
	start := time.Now()
	_, err := shell(ctx, "sleep 60 & echo $! > "+pidFile+".new; mv "+pidFile+".new "+pidFile+"; wait")
	require.ErrorIs(t, err, context.Canceled)
	assert.Less(t, time.Since(start), 30*time.Second)
	grandchild := readPID(pidFile)
	assert.Eventually(t, func() bool { return !alive(grandchild) }, 10*time.Second, time.Millisecond)
}

// readPID returns the number in a file, 0 when there is none.
func readPID(file string) int {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// alive reports whether a process runs. One that ended but that nobody waited
// for does not.
func alive(pid int) bool {
	if stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil {
		_, state, _ := strings.Cut(string(stat), ") ")
		return !strings.HasPrefix(state, "Z")
	}
	return syscall.Kill(pid, 0) == nil
}

func TestCommandDoesNotWaitForWhatAWrapperLeavesBehind(t *testing.T) {
	start := time.Now()
	out, err := shell(t.Context(), "sleep 20 & echo $!")
	require.NoError(t, err)
	assert.Less(t, time.Since(start), 15*time.Second)
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	require.NoError(t, err)
	assert.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
}
