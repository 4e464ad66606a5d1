// Package gui is the window of the launcher: one column in which a person logs in,
// picks a desktop and sees what is happening.
//
// A [Window] shows what a [launchercmd.Engine] knows and asks it to act; it decides
// nothing about desktops itself. What the Engine does runs beside the window, and
// what comes of it is shown on the window's own goroutine, by [Config.Do].
//
// The package draws with Fyne's widgets and knows no screen: who makes the
// application brings that, the program with Fyne's drivers, a test without any.
package gui

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"

	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// Config says what a Window is made of. App and Start are required.
type Config struct {
	App   fyne.App
	Start launchercmd.WindowStart // with an Engine, or with why there is none

	Do func(func()) // runs something on the goroutine of the window; nil means fyne.Do
}

// The size of the window when nobody has changed it.
const (
	firstWidth  = 420
	firstHeight = 640
)

// farewell bounds what a window that closes waits for, to end its login.
const farewell = 5 * time.Second

// A Window is what the person sees. All of it belongs to the window's goroutine.
type Window struct {
	cfg    Config
	engine *launchercmd.Engine
	words  *words.Words
	window fyne.Window

	ctx  context.Context //nolint:containedctx // ends with the window: Fyne calls without one
	end  context.CancelFunc
	jobs sync.WaitGroup // what runs beside
	over atomic.Bool    // nothing may be shown any more

	invite string // a desktop that a link asks for; the person is asked after the login

	body   *fyne.Container // the view
	status *status
	login  *loginView
	list   *listView
	keys   *keyTable
	tray   *tray
	back   func() // what Esc does in the view; nil means nothing
	sheet  *sheet // a question that is over it; nil when there is none

	closing bool
	chosen  *optionsView // is shown; nil when it is not
}

// New returns a Window. It shows nothing: call [Window.Run].
func New(cfg Config) (*Window, error) {
	if cfg.App == nil || cfg.Start.Engine == nil && cfg.Start.Err == nil {
		return nil, errors.New("gui: Config needs App and Start")
	}
	if cfg.Do == nil {
		cfg.Do = fyne.Do
	}
	w := &Window{cfg: cfg, engine: cfg.Start.Engine, words: cfg.Start.Words, invite: cfg.Start.Invite}
	w.ctx, w.end = context.WithCancel(context.Background())
	w.dress(nil)
	w.window = cfg.App.NewWindow("dcvix")
	w.window.SetIcon(Logo)
	w.status = newStatus(w.words, cfg.App.Clipboard().SetContent, w.fieldKey)
	w.body = container.NewStack()
	w.window.SetContent(container.NewBorder(nil, w.status.box, nil, nil, w.body))
	w.window.SetPadded(false)
	if w.engine == nil {
		w.broken(cfg.Start.Err)
		return w, nil
	}
	w.dress(w.engine.Place().Dark)
	w.login, w.list = newLoginView(w), newListView(w)
	w.keys = newKeyTable(w)
	w.tray = newTray(w)
	w.window.SetCloseIntercept(w.Close)
	place := w.engine.Place()
	w.window.Resize(fyne.NewSize(orElse(place.Width, firstWidth), orElse(place.Height, firstHeight)))
	if place.Width == 0 {
		w.window.CenterOnScreen()
	}
	return w, nil
}

// broken is the window of a launcher whose configuration is wrong.
func (w *Window) broken(err error) {
	leave := newPrimary(w.say(words.Quit), w.cfg.App.Quit)
	w.body.Add(container.NewCenter(container.New(narrow{360}, container.NewVBox(
		styled(w.say(words.ConfWrong), theme.ColorNameForeground, theme.SizeNameSubHeadingText, fyne.TextStyle{Bold: true}),
		styled(capital(err.Error()), theme.ColorNameForeground, theme.SizeNameText, fyne.TextStyle{}),
		container.NewHBox(layout.NewSpacer(), leave)))))
	w.window.Resize(fyne.NewSize(firstWidth, firstHeight))
	w.window.CenterOnScreen()
	w.window.Canvas().Focus(leave)
}

func orElse(chosen, first int) float32 {
	if chosen < 200 || chosen > 10000 {
		return float32(first)
	}
	return float32(chosen)
}

// Run shows the window and returns when it has been closed or ctx is done, after
// whatever the window had begun is over. It belongs on the goroutine that started the
// process. A login that has not ended is the caller's to end.
func (w *Window) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		w.over.Store(true)
		w.cfg.Do(w.endLoop)
	})
	defer stop()
	w.Show()
	w.cfg.App.Run()
	w.over.Store(true)
	w.end()
	w.jobs.Wait()
}

// endLoop ends Fyne's loop. Fyne ends it by itself after SIGINT and SIGTERM, which
// are also what ends the context of Run; a loop that is gone panics.
func (w *Window) endLoop() {
	defer func() { _ = recover() }()
	w.cfg.App.Quit()
}

// Show shows the window with the login, and asks the director what that needs.
func (w *Window) Show() {
	if w.engine != nil {
		w.login.enter()
	}
	w.window.Show()
}

// Close is what closing the window does: it ends the login and the program. While a
// viewer runs that was started from here, it hides the window until the viewer has
// ended.
func (w *Window) Close() {
	if w.list.viewers > 0 && !w.closing {
		w.closing = true
		w.keepPlace()
		w.window.Hide()
		return
	}
	w.quit()
}

// quit ends the login, what is being started, and the program.
func (w *Window) quit() {
	if w.engine == nil {
		w.cfg.App.Quit()
		return
	}
	w.closing = true
	w.keepPlace()
	w.window.Hide()
	w.list.leave()
	w.job(func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer cancel()
		_ = w.engine.Logout(ctx) // it ends by itself, too
		return w.cfg.App.Quit
	})
}

// keepPlace remembers the size of the window. That this fails stops nobody.
func (w *Window) keepPlace() {
	place, size := w.engine.Place(), w.window.Canvas().Size()
	width, height := int(size.Width), int(size.Height)
	if width == place.Width && height == place.Height || width == 0 {
		return
	}
	place.Width, place.Height = width, height
	if err := w.engine.SetPlace(place); err != nil {
		w.cfg.Start.Logger.Warn("the size of the window is not remembered", slog.Any("err", err))
	}
}

// dress makes the window dark or light; nil means as the system is.
func (w *Window) dress(dark *bool) {
	w.cfg.App.Settings().SetTheme(themeFor(dark))
}

// onTheme calls f now and whenever the window becomes dark or light: for what has
// colours of its own.
func (w *Window) onTheme(f func()) {
	f()
	w.cfg.App.Settings().AddListener(func(fyne.Settings) { f() })
}

// open opens a web page in the person's browser.
func (w *Window) open(page string) {
	u, err := url.Parse(page)
	if err == nil {
		err = w.cfg.App.OpenURL(u)
	}
	if err != nil {
		w.status.tell(w.say(words.NoBrowser, page), colorAttention)
	}
}

// do runs f on the window's goroutine, unless that has ended.
func (w *Window) do(f func()) {
	w.cfg.Do(func() {
		if !w.over.Load() {
			f()
		}
	})
}

// job runs f beside the window and then, on the window's goroutine, what it returns.
func (w *Window) job(f func(context.Context) func()) { w.jobUnder(w.ctx, f) }

// jobUnder is job for as long as ctx lasts; what f returns is run in any case.
func (w *Window) jobUnder(ctx context.Context, f func(context.Context) func()) {
	w.jobs.Go(func() {
		if then := f(ctx); then != nil {
			w.do(then)
		}
	})
}

// view shows a view; back is what Esc does there, first what gets the keyboard.
func (w *Window) view(content fyne.CanvasObject, back func(), first fyne.Focusable) {
	w.status.pass()
	w.body.Objects = []fyne.CanvasObject{content}
	w.body.Refresh()
	w.back = back
	if first != nil {
		w.window.Canvas().Focus(first)
	} else {
		w.window.Canvas().Unfocus()
	}
}

// title shows what the window is about in its title too, for switchers of windows.
func (w *Window) title(of string) {
	if of == "" {
		w.window.SetTitle("dcvix")
		return
	}
	w.window.SetTitle(of + " – dcvix")
}

// say is the text of a key.
func (w *Window) say(key words.Key, values ...any) string { return w.words.Say(key, values...) } // any: as fmt

// trouble shows an error with what helps; it is quiet about what the person stopped.
func (w *Window) trouble(err error, helps ...help) {
	x := w.engine.Explain(err)
	switch x.Trouble {
	case launchercmd.TroubleCancelled:
		w.status.clear()
		return
	case launchercmd.TroubleNoViewer:
		helps = append(helps,
			help{text: w.say(words.GetViewer), do: func() { w.open(launchercmd.ViewerHome) }},
			help{text: w.say(words.Options), do: func() { w.options() }})
	default:
	}
	w.status.fail(capital(x.Sentence), x.Detail, colorBroken, helps...)
}

// capital begins a sentence with a capital letter: errors of Go do not.
func capital(sentence string) string {
	r, n := utf8.DecodeRuneInString(sentence)
	return string(unicode.ToUpper(r)) + sentence[n:]
}

// column is content in the middle of the window, no wider than is easy to read.
func column(objects ...fyne.CanvasObject) fyne.CanvasObject {
	return container.New(layout.NewCustomPaddedLayout(8, 16, 28, 28), container.New(narrow{360}, container.NewVBox(objects...)))
}

// narrow centres what it holds and makes it no wider than its width.
type narrow struct{ width float32 }

// Layout implements [fyne.Layout].
func (n narrow) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	width := min(size.Width, n.width)
	for _, o := range objects {
		o.Resize(fyne.NewSize(width, size.Height))
		o.Move(fyne.NewPos((size.Width-width)/2, 0))
	}
}

// MinSize implements [fyne.Layout].
func (n narrow) MinSize(objects []fyne.CanvasObject) (size fyne.Size) {
	for _, o := range objects {
		size = size.Max(o.MinSize())
	}
	return size
}
