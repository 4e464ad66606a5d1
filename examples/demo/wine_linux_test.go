package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

// TestTheWindowOfWindows lets a person at a screen log in through the launcher's window
// for Windows, under Wine, and quit it. "make test-windows" runs it.
func TestTheWindowOfWindows(t *testing.T) {
	bin := os.Getenv("DCVIX_WINDOWS")
	if bin == "" || os.Getenv("WINEPREFIX") == "" {
		t.Skip("\"make test-windows\" runs this one")
	}
	director := directorapitest.NewServer(t)
	s := newScreen(t)
	home := t.TempDir()
	conf := filepath.Join(home, "launcher.conf")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, "[dcvix-launcher]\nbroker = %s\nuser_id = alice\n", director.URL), 0o600))

	ended := make(chan struct{})
	l := &launcherWindow{screen: s, ended: ended}
	l.cmd = exec.CommandContext(t.Context(), "wine", filepath.Join(bin, "dcvix-launcher.exe"), "--conf", "Z:"+conf)
	l.cmd.Stdout, l.cmd.Stderr = t.Output(), t.Output()
	l.cmd.Env = append(os.Environ(), "DISPLAY="+s.display, "LIBGL_ALWAYS_SOFTWARE=1", "FYNE_SCALE=1")
	begin := time.Now()
	require.NoError(t, l.cmd.Start())
	go func() { _ = l.cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = l.cmd.Process.Kill()
		<-ended
	})

	s.focus("dcvix", l.alive)
	t.Logf("the window was there after %d ms", time.Since(begin).Milliseconds())
	l.headed("Is this ")
	s.press("Return")
	l.headed("Log in – ")
	s.enter(directorapitest.Password)
	s.press("Return")
	l.headed("alice – ")
	s.press("ctrl+q")
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the launcher does not end")
	}
	assert.Equal(t, 0, l.cmd.ProcessState.ExitCode())
}

// headed waits until the title of the window begins so.
func (l *launcherWindow) headed(begin string) {
	l.t.Helper()
	l.until("the title begins with "+begin, l.alive, func() bool {
		now, err := l.do("getwindowname", l.window)
		return err == nil && strings.HasPrefix(now, begin)
	})
}
