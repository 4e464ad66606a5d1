package launchercmd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/dcvix/dcvix/cmd/launchercmd"
)

// A pty is a terminal with a launcher in it.
type pty struct {
	master *os.File
	cmd    *exec.Cmd
	ended  chan struct{}

	mu     sync.Mutex // guards screen
	screen bytes.Buffer
}

func startInTerminal(t *testing.T, args ...string) *pty {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = master.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Setenv("LAUNCHER_PROCESS", "1")
	p := &pty{master: master, cmd: exec.CommandContext(t.Context(), os.Args[0], args...), ended: make(chan struct{})}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, p.cmd.Start())
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	t.Cleanup(func() { _ = slave.Close() }) // kept open, so that the master reads no error early
	go func() {
		buf := make([]byte, 1024)
		for {
			n, err := master.Read(buf)
			if err != nil {
				return
			}
			p.mu.Lock()
			p.screen.Write(buf[:n])
			p.mu.Unlock()
		}
	}()
	return p
}

func (p *pty) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.String()
}

func (p *pty) echoes(t *testing.T) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(p.master.Fd()), unix.TCGETS)
	require.NoError(t, err)
	return state.Lflag&unix.ECHO != 0
}

func (p *pty) awaitPrompt(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(p.text(), "Password of alice: ") && !p.echoes(t) },
		20*time.Second, 10*time.Millisecond, "the password is asked for without echo")
}

func (p *pty) awaitEnd(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		require.Fail(t, "the launcher does not end", p.text())
	}
	return p.cmd.ProcessState.ExitCode()
}

func TestAPasswordIsNotEchoed(t *testing.T) {
	d := newDesk(t, "")
	p := startInTerminal(t, "--conf", d.conf, "--list")
	p.awaitPrompt(t)
	_, err := p.master.WriteString(goodPassword + "\n")
	require.NoError(t, err)
	assert.Equal(t, 0, p.awaitEnd(t), p.text())
	require.Eventually(t, func() bool { return strings.Contains(p.text(), "ws2.lab.example") }, 10*time.Second, 10*time.Millisecond)
	assert.NotContains(t, p.text(), goodPassword)
	assert.True(t, p.echoes(t), "the terminal is as it was")
}

func TestCtrlCAtThePromptLeavesTheTerminalAsItWas(t *testing.T) {
	d := newDesk(t, "")
	p := startInTerminal(t, "--conf", d.conf, "--list")
	p.awaitPrompt(t)
	_, err := p.master.WriteString("\x03")
	require.NoError(t, err)
	assert.Equal(t, launchercmd.ExitInterrupted, p.awaitEnd(t), p.text())
	assert.True(t, p.echoes(t))
}
