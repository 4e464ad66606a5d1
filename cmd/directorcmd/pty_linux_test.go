package directorcmd_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/dcvix/dcvix/cmd/directorcmd"
)

// A screen is what a terminal shows.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// terminal returns the two ends of a terminal.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = master.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = slave.Close() })
	return master, slave
}

func echoes(t *testing.T, master *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(master.Fd()), unix.TCGETS)
	require.NoError(t, err)
	return state.Lflag&unix.ECHO != 0
}

func TestATriedLoginAsksWithoutEcho(t *testing.T) {
	tests := map[string]struct {
		enter string
		code  int
		says  string
	}{
		"a password":  {password + "\n", directorcmd.ExitOK, "accepted as alice"},
		"another one": {"hunter2\n", directorcmd.ExitRefused, "refused after"},
		"Ctrl-C":      {"\x03", directorcmd.ExitFailure, "interrupted: nothing was tried"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			master, slave := terminal(t)
			cmd := process(t, "--conf", conf(t, "", ""), "auth", "test", "--user", "alice")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			require.NoError(t, cmd.Start())
			shown := new(screen)
			go func() {
				buf := make([]byte, 1024)
				for {
					n, err := master.Read(buf)
					if err != nil {
						return
					}
					_, _ = shown.Write(buf[:n]) // never fails
				}
			}()
			require.Eventually(t, func() bool { return strings.HasSuffix(shown.String(), "Password of alice: ") && !echoes(t, master) },
				20*time.Second, 10*time.Millisecond, "the password is asked for without echo")
			_, err := master.WriteString(tt.enter)
			require.NoError(t, err)

			_ = cmd.Wait() // the code says it

			assert.Equal(t, tt.code, cmd.ProcessState.ExitCode(), shown.String())
			require.Eventually(t, func() bool { return strings.Contains(shown.String(), tt.says) }, 20*time.Second, 10*time.Millisecond, tt.says)
			assert.NotContains(t, shown.String(), strings.TrimSpace(tt.enter)+"\r")
			assert.NotContains(t, shown.String(), "hunter2")
			assert.True(t, echoes(t, master), "the terminal is as it was")
		})
	}
}
