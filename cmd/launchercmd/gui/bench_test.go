package gui

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/agentclient/agentclienttest"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

// TestMain makes this binary the DCV viewer, for the tests that open a desktop.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && strings.HasSuffix(os.Args[1], ".dcv") {
		os.Exit(viewer(os.Args[1], os.Getenv("VIEWER_RECORD")))
	}
	os.Exit(m.Run())
}

// viewer copies the connection file to a record, and ends when that is gone.
func viewer(file, record string) int {
	content, err := os.ReadFile(file)
	if err != nil || os.WriteFile(record+".new", content, 0o600) != nil || os.Rename(record+".new", record) != nil {
		return 9
	}
	for range 6000 { // a minute and more
		if _, err := os.Stat(record); err != nil {
			return 0
		}
		time.Sleep(10 * time.Millisecond)
	}
	return 8
}

// A bench is a person before the window of a launcher, with a real director behind
// it. The test's goroutine is the window's: what the window is told to show waits
// until the test looks.
type bench struct {
	*testing.T

	director *directorapitest.Server
	home     string
	record   string // of the viewer
	setup    launchercmd.EngineConfig
	start    launchercmd.WindowStart
	late     atomic.Int64 // hours by which the director's clock for logins is ahead

	w     *Window
	queue chan func()
}

// newBench starts a director. Nothing is shown before enter.
func newBench(t *testing.T, change ...func(*directorapi.Config)) *bench {
	t.Helper()
	b := &bench{T: t, home: t.TempDir(), queue: make(chan func(), 10000)}
	b.record = filepath.Join(b.home, "record")
	t.Setenv("VIEWER_RECORD", b.record)
	b.director = directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) {
		var err error
		c.Tokens, err = token.New(token.Config{Keys: []token.Key{token.NewKey()}, Now: func() time.Time {
			return time.Now().Add(time.Duration(b.late.Load()) * time.Hour)
		}})
		require.NoError(t, err)
		for _, f := range change {
			f(c)
		}
	}))
	self, err := os.Executable()
	require.NoError(t, err)
	b.setup = launchercmd.EngineConfig{
		Director: client.Config{URL: b.director.URL, TLS: b.director.TLS()}, Trust: launchercmd.TrustFile,
		Home: filepath.Join(b.home, "config"), Folder: filepath.Join(b.home, "folder"), Command: self,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	return b
}

// host starts the agent of a host.
func (b *bench) host(name string) *agentclienttest.Agent {
	return b.director.Agent(agentclienttest.WithHostname(name))
}

// enter starts the launcher.
func (b *bench) enter() {
	b.Helper()
	engine, err := launchercmd.NewEngine(b.setup)
	require.NoError(b, err)
	b.start.Engine, b.start.Logger = engine, b.setup.Logger
	if b.start.Words == nil {
		b.start.Words = words.For("en")
	}
	b.show()
}

// show shows the window.
func (b *bench) show() {
	b.Helper()
	var err error
	b.w, err = New(Config{App: test.NewTempApp(b), Start: b.start, Do: func(f func()) { b.queue <- f }})
	require.NoError(b, err)
	b.w.Show()
	b.Cleanup(func() {
		done := make(chan struct{})
		go func() { b.w.end(); b.w.jobs.Wait(); close(done) }()
		for {
			select {
			case <-b.queue: // nobody looks any more
			case <-done:
				return
			}
		}
	})
}

// until shows what there is to show until something is so.
func (b *bench) until(what string, so func() bool) {
	b.Helper()
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	tick := time.NewTicker(5 * time.Millisecond) // for what becomes so outside the window
	defer tick.Stop()
	for !so() {
		select {
		case f := <-b.queue:
			f()
		case <-tick.C:
		case <-timeout.C:
			b.Fatalf("not within a minute: %s; the status is %q, the list's text %q, the title %q",
				what, b.status(), b.w.list.why.String(), b.w.window.Title())
		}
	}
}

// status is what the person reads at the bottom; empty for nothing.
func (b *bench) status() string {
	if !b.w.status.box.Visible() {
		return ""
	}
	return b.w.status.text.String()
}

// enterText types where the keyboard is.
func (b *bench) enterText(text string) {
	b.Helper()
	focused := b.w.window.Canvas().Focused()
	require.NotNil(b, focused, "nothing has the keyboard to take %q", text)
	for _, r := range text {
		focused.TypedRune(r)
	}
}

// press presses keys, one after the other.
func (b *bench) press(keys ...fyne.KeyName) {
	b.Helper()
	canvas := b.w.window.Canvas()
	for _, key := range keys {
		switch focused := canvas.Focused(); {
		case key == fyne.KeyTab:
			canvas.FocusNext()
		case focused != nil:
			focused.TypedKey(&fyne.KeyEvent{Name: key})
		default:
			canvas.OnTypedKey()(&fyne.KeyEvent{Name: key})
		}
	}
}

// logIn logs alice in and waits for her list.
func (b *bench) logIn() {
	b.Helper()
	b.until("the director is known", func() bool { return strings.Contains(b.w.login.known.how.Text, "trusted") })
	if b.w.login.user.Text == "" {
		b.enterText(directorapitest.Alice)
		b.press(fyne.KeyReturn)
	}
	b.enterText(directorapitest.Password)
	b.press(fyne.KeyReturn)
	b.until("the list is there", func() bool { return b.w.list.known != nil })
}

// rows are the lines of the list as they are drawn, from the top.
func (b *bench) rows() []string {
	var all []string
	for i := range b.w.list.found {
		view := newRowView("", "")
		b.w.list.fill(i, view)
		r := view.shown
		line := fmt.Sprintf("%s: %s [%s]", r.name, r.words, r.act)
		if r.favourite {
			line = "* " + line
		}
		if r.primary {
			line = "> " + line
		}
		all = append(all, line)
	}
	return all
}

// viewed is the connection file that the viewer got; it waits for one.
func (b *bench) viewed() string {
	b.Helper()
	var content []byte
	b.until("the viewer has a connection file", func() bool {
		var err error
		content, err = os.ReadFile(b.record)
		return err == nil
	})
	return string(content)
}

// answer presses the button of a question.
func (b *bench) answer(text string) {
	b.Helper()
	require.NotNil(b, b.w.sheet, "nothing is asked")
	b.tapIn(b.w.sheet.popUp.Content, text)
}

// tapIn clicks the button with a text.
func (b *bench) tapIn(in fyne.CanvasObject, text string) {
	b.Helper()
	var found *button
	walk(in, func(o fyne.CanvasObject) {
		if button, ok := o.(*button); ok && button.Text == text {
			found = button
		}
	})
	require.NotNil(b, found, "there is no button %q", text)
	test.Tap(found)
}

// walk visits what is drawn.
func walk(o fyne.CanvasObject, visit func(fyne.CanvasObject)) {
	visit(o)
	switch o := o.(type) {
	case *fyne.Container:
		for _, c := range o.Objects {
			walk(c, visit)
		}
	case fyne.Widget:
		for _, c := range test.WidgetRenderer(o).Objects() {
			walk(c, visit)
		}
	}
}

// texts are all that stands in something.
func texts(in fyne.CanvasObject) string {
	var all []string
	walk(in, func(o fyne.CanvasObject) {
		switch o := o.(type) {
		case *widget.RichText:
			all = append(all, o.String())
		case *widget.Label:
			all = append(all, o.Text)
		case *button:
			all = append(all, o.Text)
		}
	})
	return strings.Join(all, "\n")
}

// deadAddress is one where nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close() //nolint:errcheck // that is what it is for
	return "https://" + listener.Addr().String()
}
