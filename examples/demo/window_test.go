//go:build unix

package main_test

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is looked for on the screen: the buttons of the one act and of an end, and the dots
// of what is well and of an error, light and dark.
var (
	accent = color.RGBA{0x19, 0x71, 0xc2, 0xff}
	danger = map[string]color.RGBA{"light": {0xc9, 0x2a, 0x2a, 0xff}, "dark": {0xff, 0x87, 0x87, 0xff}}
	ready  = map[string]color.RGBA{"light": {0x2f, 0x9e, 0x44, 0xff}, "dark": {0x51, 0xcf, 0x66, 0xff}}
	broken = map[string]color.RGBA{"light": {0xe0, 0x31, 0x31, 0xff}, "dark": {0xff, 0x6b, 0x6b, 0xff}}
)

// A launcherWindow is the launcher on a screen.
type launcherWindow struct {
	*screen
	d     *demo
	theme string
	home  string
	said  *lockedBuffer
	ended chan struct{}
	cmd   *exec.Cmd
}

// walkWindow lets a person at a screen go the same way through the launcher's window.
func walkWindow(t *testing.T, d *demo) {
	bin := buildWindow(t)
	for _, theme := range []string{"light", "dark"} {
		t.Run(theme, func(t *testing.T) {
			s := newScreen(t)
			home := t.TempDir()
			l := d.openWindow(s, bin, theme, home, "")
			l.trust()
			l.logIn()
			l.openAndClose()
			l.chooseOptions()
			l.logInWrongly()
			l.quit()

			l = d.openWindow(s, bin, theme, home, "dcvix://connect/ws1") // it trusts and remembers
			l.logIn()
			l.followLink()
			l.quit()
			l.leavesNothing()
		})
	}
}

// buildWindow builds the launcher as "make build" does, where this machine can.
func buildWindow(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	script, err := filepath.Abs("../../scripts/launcher")
	require.NoError(t, err)
	_, err = os.ReadFile(script) // so that the cache of test results notices a change
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), script, "-window", bin).CombinedOutput()
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("%s", out)
	}
	require.NoError(t, err, "%s", out)
	return filepath.Join(bin, "dcvix-launcher")
}

// openWindow starts the launcher of somebody who has no file of the director's CA.
func (d *demo) openWindow(s *screen, program, theme, home, link string) *launcherWindow {
	t := s.t
	t.Helper()
	conf := filepath.Join(home, "launcher.conf")
	text := fmt.Sprintf("[dcvix-launcher]\nbroker = %s\nuser_id = alice\ncommand = %s\n",
		strings.TrimSuffix(d.portal(), "/"), filepath.Join(d.dir, "ws1", "dcvviewer"))
	require.NoError(t, os.WriteFile(conf, []byte(text), 0o600))
	args := []string{"--conf", conf}
	if link != "" {
		args = append(args, link)
	}
	l := &launcherWindow{screen: s, d: d, theme: theme, home: home, said: new(lockedBuffer), ended: make(chan struct{})}
	l.cmd = exec.CommandContext(t.Context(), program, args...)
	l.cmd.Stdout, l.cmd.Stderr = l.said, l.said
	runtime := filepath.Join(home, "run")
	require.NoError(t, os.MkdirAll(runtime, 0o700))
	l.cmd.Env = []string{
		"DISPLAY=" + s.display, "HOME=" + home, "XDG_RUNTIME_DIR=" + runtime, "XDG_CONFIG_HOME=" + filepath.Join(home, "config"),
		"XDG_CACHE_HOME=" + filepath.Join(home, "cache"), "PATH=" + os.Getenv("PATH"), "LANG=en_US.UTF-8",
		"FYNE_THEME=" + theme, "FYNE_SCALE=1", "LIBGL_ALWAYS_SOFTWARE=1",
	}
	_, err := s.do("mousemove", "799", "799") // nothing is to look as if it were pointed at
	require.NoError(t, err)
	begin := time.Now()
	require.NoError(t, l.cmd.Start())
	go func() { _ = l.cmd.Wait(); close(l.ended) }()
	t.Cleanup(func() {
		_ = l.cmd.Process.Kill()
		<-l.ended
		if t.Failed() {
			t.Logf("the launcher said:\n%s", l.said.String())
		}
	})
	s.focus("dcvix", l.alive)
	t.Logf("the window was there after %d ms", time.Since(begin).Milliseconds())
	return l
}

// alive reports that the launcher has ended before its time.
func (l *launcherWindow) alive() error {
	select {
	case <-l.ended:
		return errors.New("the launcher has ended")
	default:
		return nil
	}
}

// part is a part of the window, in its own coordinates.
func (l *launcherWindow) part(r image.Rectangle) image.Rectangle { return r.Add(l.place().Min) }

// bottom is the part where the status is.
func (l *launcherWindow) bottom() image.Rectangle { return l.part(image.Rect(0, 400, 420, 640)) }

// firstButton waits for the button of the first desktop.
func (l *launcherWindow) firstButton() image.Point {
	l.t.Helper()
	return l.shows("the button of the first desktop", accent, l.part(image.Rect(280, 96, 400, 150)), l.alive)
}

// trust compares nothing, which is its only difference to what a person does.
func (l *launcherWindow) trust() {
	l.t.Helper()
	l.titled("Is this localhost? – dcvix", l.alive)
	l.keep("launcher-trust-" + l.theme)
	l.press("Return")
}

func (l *launcherWindow) logIn() {
	l.t.Helper()
	l.titled("Log in – dcvix", l.alive)
	l.shows("that the director is trusted", ready[l.theme], l.bottom(), l.alive)
	l.keep("launcher-login-" + l.theme)
	l.enter(password(l.t, l.d.dir, "alice"))
	l.press("Return")
}

// openAndClose opens the desktop with the mouse and closes it with keys.
func (l *launcherWindow) openAndClose() {
	l.t.Helper()
	l.titled("alice – dcvix", l.alive)
	button := l.firstButton()
	l.keep("launcher-list-" + l.theme)
	l.click("the button", button.Add(image.Pt(12, 6)), l.alive)
	l.connected()
	assert.Equal(l.t, "alice", l.d.sessions()[0].Owner)
	l.keep("launcher-open-" + l.theme)

	l.until("the person is asked whether to close it", l.alive, func() bool {
		l.press("Delete") // until the list knows of the session
		title, err := l.do("getwindowname", l.window)
		return err == nil && title == "Close your session? – dcvix"
	})
	l.shows("the button that ends it", danger[l.theme], l.part(image.Rect(40, 200, 380, 440)), l.alive)
	l.keep("launcher-close-" + l.theme)
	l.press("Tab", "Return") // the answer that ends nothing has the keyboard
	l.until("the session is closed", l.alive, func() bool { return len(l.d.sessions()) == 0 })
}

// connected waits until the host says that the viewer came in, which had to show it
// the token of its connection file.
func (l *launcherWindow) connected() {
	l.t.Helper()
	l.until("the viewer is connected", l.alive, func() bool {
		sessions := l.d.sessions()
		return len(sessions) == 1 && sessions[0].NumOfConnections == 1
	})
}

func (l *launcherWindow) chooseOptions() {
	l.t.Helper()
	l.press("ctrl+comma")
	l.titled("Options – dcvix", l.alive)
	l.keep("launcher-options-" + l.theme)
	l.press("Escape")
	l.titled("alice – dcvix", l.alive)
}

func (l *launcherWindow) logInWrongly() {
	l.t.Helper()
	l.press("ctrl+l")
	l.titled("Log in – dcvix", l.alive)
	l.until("the login is refused", l.alive, func() bool {
		l.enter("guess")
		l.press("Return")
		_, refused := sees(l.picture(), broken[l.theme], l.bottom())
		return refused
	})
	l.keep("launcher-refused-" + l.theme)
}

// followLink says yes to the question that a link leads to.
func (l *launcherWindow) followLink() {
	l.t.Helper()
	l.titled("Open a desktop? – dcvix", l.alive)
	assert.Empty(l.t, l.d.sessions(), "a link opens nothing by itself")
	l.keep("launcher-link-" + l.theme)
	l.press("Return")
	l.connected()
	require.NoError(l.t, l.d.launcher("--close", "ws1").Run())
}

func (l *launcherWindow) quit() {
	l.t.Helper()
	l.press("ctrl+q")
	select {
	case <-l.ended:
	case <-time.After(patience):
		l.t.Fatal("the launcher does not end")
	}
	assert.Equal(l.t, 0, l.cmd.ProcessState.ExitCode(), "%s", l.said.String())
}

// leavesNothing looks for secrets in all that the launcher has written.
func (l *launcherWindow) leavesNothing() {
	l.t.Helper()
	secrets := []string{"v4.local.", password(l.t, l.d.dir, "alice")}
	require.NoError(l.t, filepath.WalkDir(l.home, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, secret := range secrets {
			assert.NotContains(l.t, string(text), secret, path)
		}
		assert.NotEqual(l.t, ".dcv", filepath.Ext(path))
		return err
	}))
	for _, secret := range secrets {
		assert.NotContains(l.t, l.said.String(), secret)
	}
}
