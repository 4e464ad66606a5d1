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
