//go:build !windows

package launchercmd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/launchercmd"
)

func TestCtrlCEndsTheViewerAndCleansUp(t *testing.T) {
	d := newDesk(t, "stays")
	t.Setenv("LAUNCHER_PROCESS", "1")
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0], "--conf", d.conf, "--password-stdin", "--connect", "ws1")
	cmd.Stdin, cmd.Stderr = strings.NewReader(goodPassword), &stderr
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()

	require.Eventually(t, func() bool { _, err := os.Stat(d.record); return err == nil }, 20*time.Second, 10*time.Millisecond)
	files := d.files(t)
	require.Len(t, files, 1, "the viewer runs on its file")
	var pid int
	head, _, _ := strings.Cut(d.read(t), "\n")
	_, err := fmt.Sscanf(head[strings.LastIndexByte(head, ' ')+1:], "%d", &pid)
	require.NoError(t, err)
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err == nil { // Linux
		assert.NotContains(t, string(line), goodToken)
	}

	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		require.Fail(t, "the launcher does not end")
	}
	assert.Equal(t, launchercmd.ExitInterrupted, cmd.ProcessState.ExitCode(), stderr.String())
	assert.Empty(t, d.files(t), "the file is gone")
	require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil }, 10*time.Second, 10*time.Millisecond, "the viewer is gone")
	assert.Equal(t, 1, d.stand.seen("POST /v1/logout"))
	assert.NotContains(t, stderr.String(), goodToken)
}
