package gui

import (
	"context"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// A listView shows what the person may open. The search keeps the keyboard: letters
// search, arrows choose, Enter opens.
type listView struct {
	w    *Window
	page fyne.CanvasObject

	search *field
	who    *canvas.Text
	more   *glyph
	top    *fyne.Container // search, or the password again
	again  *againView
	list   *widget.List
	none   *fyne.Container // instead of the list
	why    *widget.RichText
	other  *button

	known   *launchercmd.List // nil until the director has said it
	found   []launchercmd.Desktop
	chosen  string // key of the desktop that Enter opens
	busy    map[string]context.CancelFunc
	viewers int    // that run
	away    bool   // the director has not answered for a while
	pending func() // what the person wanted when the login had run out

	stop context.CancelFunc // ends what belongs to this login; nil when there is none
	ctx  context.Context    //nolint:containedctx // the life of the login, which begins and ends by clicks
}

func newListView(w *Window) *listView {
	v := &listView{w: w, busy: make(map[string]context.CancelFunc)}
	v.search = newField()
	v.search.SetPlaceHolder(w.say(words.Search))
	v.search.Icon = theme.SearchIcon()
	v.search.OnChanged = func(string) { w.status.pass(); v.filter() }
	v.search.OnSubmitted = func(string) { v.enterKey() }
	v.search.onKey, v.search.onCombo = v.key, w.combo
	v.again = newAgainView(w)
	v.list = widget.NewList(
		func() int { return len(v.found) },
		func() fyne.CanvasObject { return newRowView(w.say(words.Favourite), w.say(words.More)) },
		v.fill)
	v.list.OnSelected = func(id widget.ListItemID) { v.choose(id); v.keepKeys() }
	v.why = styled("", colorQuiet, theme.SizeNameText, fyne.TextStyle{})
	v.other = newButton("", func() { v.open(v.typed(), "") })
	v.none = container.NewVBox(gap(48), column(v.why, v.other))
	v.page = container.NewBorder(v.head(), nil, nil, nil, container.NewStack(v.list, v.none))
	return v
}

func (v *listView) head() fyne.CanvasObject {
	logo := canvas.NewImageFromResource(Logo)
	logo.FillMode = canvas.ImageFillContain
	logo.SetMinSize(fyne.NewSquareSize(24))
	name := canvas.NewText(v.w.say(words.MyDesktops), nil)
	name.TextSize, name.TextStyle.Bold = theme.Size(theme.SizeNameSubHeadingText), true
	v.who = canvas.NewText("", nil)
	v.who.TextSize = theme.Size(theme.SizeNameCaptionText)
	v.more = newGlyph(v.w.say(words.Menu), theme.MenuIcon(), v.menu)
	v.w.onTheme(func() {
		name.Color, v.who.Color = theme.Color(theme.ColorNameForeground), theme.Color(colorQuiet)
		name.Refresh()
		v.who.Refresh()
	})
	v.top = container.NewStack(v.search)
	return container.NewVBox(
		container.New(layout.NewCustomPaddedLayout(6, 2, 12, 6), container.NewHBox(logo, name, layout.NewSpacer(), v.who, v.more)),
		container.New(layout.NewCustomPaddedLayout(0, 8, 12, 12), v.top),
		widget.NewSeparator())
}

// enter shows the view after a login and follows the list from then on.
func (v *listView) enter() {
	w := v.w
	if v.stop != nil {
		v.stop()
	}
	v.ctx, v.stop = context.WithCancel(w.ctx)
	v.who.Text = w.engine.User()
	v.who.Refresh()
	w.title(w.engine.User())
	v.top.Objects = []fyne.CanvasObject{v.search}
	v.top.Refresh()
	w.view(v.page, v.escape, v.search)
	v.draw()
	w.jobUnder(v.ctx, func(ctx context.Context) func() {
		err := w.engine.Follow(ctx, func(u launchercmd.Update) {
			w.do(func() {
				if ctx.Err() == nil {
					v.update(u) //nolint:contextcheck // what is clicked later has a context of its own
				}
			})
		})
		return func() {
			if ctx.Err() == nil {
				v.expired(err)
			}
		}
	})
	w.invited()
}

// leave forgets the login's list.
func (v *listView) leave() {
	if v.stop != nil {
		v.stop()
		v.stop = nil
	}
	for _, stop := range v.busy {
		stop()
	}
	v.known, v.found, v.chosen = nil, nil, ""
	v.search.SetText("")
}

// update shows what the director says now.
func (v *listView) update(u launchercmd.Update) {
	if u.Err != nil {
		x := v.w.engine.Explain(u.Err)
		v.w.status.fail(x.Sentence, x.Detail, colorAttention)
		v.away = true
		return
	}
	if v.away {
		v.away = false
		v.w.status.clear()
	}
	v.known = u.List
	v.filter()
	v.w.tray.show(u.List.Desktops)
}

// expired asks for the password alone and keeps the list on the screen.
func (v *listView) expired(err error) {
	if err == nil || v.w.closing {
		return
	}
	v.stop()
	v.w.status.clear()
	v.again.ask(v.w.engine.Explain(err).Sentence)
	v.top.Objects = []fyne.CanvasObject{v.again.box}
	v.top.Refresh()
	v.draw()
	v.w.window.Canvas().Focus(v.again.password)
}

// filter keeps what the search asks for, and the choice if it is still there.
func (v *listView) filter() {
	if v.known == nil {
		v.draw()
		return
	}
	v.found = launchercmd.Search(v.known.Desktops, v.search.Text, v.w.words)
	if v.at() < 0 {
		v.chosen = ""
		if len(v.found) > 0 {
			v.chosen = keyOf(v.found[0])
		}
	}
	v.draw()
	if i := v.at(); i >= 0 && v.w.window.Canvas() != nil {
		v.list.ScrollTo(i)
	}
}

// at is where the chosen desktop stands, -1 for nowhere.
func (v *listView) at() int {
	for i, d := range v.found {
		if keyOf(d) == v.chosen {
			return i
		}
	}
	return -1
}

// draw shows the list, or why there is none.
func (v *listView) draw() {
	text, host := "", ""
	switch {
	case v.known == nil:
		text = v.w.say(words.AskingList) + " …"
	case len(v.found) > 0:
	case v.search.Text != "" && v.known.AnyHost:
		text, host = v.w.say(words.NoMatch, v.search.Text), v.typed().Label()
	case v.search.Text != "":
		text = v.w.say(words.NoMatch, v.search.Text)
	case v.known.AnyHost:
		text = v.w.say(words.NoneButAny)
	case v.known.Reason != "":
		text = v.known.Reason
	default:
		text = v.w.say(words.None)
	}
	setText(v.why, text, colorQuiet)
	v.other.Hidden = host == ""
	v.other.SetText(v.w.say(words.OpenHost, host))
	v.none.Hidden = text == ""
	v.list.Hidden = text != ""
	v.list.Refresh()
	if i := v.at(); i >= 0 {
		v.list.Select(i)
	} else {
		v.list.UnselectAll()
	}
	v.none.Refresh()
}

// typed is the name of a host that stands in the search.
func (v *listView) typed() launchercmd.Desktop {
	return launchercmd.Desktop{Kind: dcvix.DesktopHost, Name: strings.TrimSpace(v.search.Text)}
}

// fill shows a desktop in a line of the list.
func (v *listView) fill(id widget.ListItemID, o fyne.CanvasObject) {
	view, ok := o.(*rowView)
	if !ok || id >= len(v.found) {
		return
	}
	d := v.found[id]
	r := rowOf(d, v.w.words)
	_, r.busy = v.busy[r.key]
	r.busy = r.busy || v.stop == nil || v.ctx.Err() != nil
	r.primary = r.key == v.chosen
	view.show(r,
		func() { v.choose(id); v.keepKeys(); v.open(d, "") },
		func() { v.favour(d); v.keepKeys() },
		func() { v.choose(id); v.keepKeys(); v.rowMenu(d, view.more) })
}

// keepKeys gives the keyboard back to the search after a click took it.
func (v *listView) keepKeys() {
	canvas := v.w.window.Canvas()
	if !v.w.showsList() || !v.loggedIn() {
		return
	}
	switch canvas.Focused().(type) {
	case nil, *widget.List, *widget.Button:
		canvas.Focus(v.search)
	}
}

func (v *listView) choose(id int) {
	if id >= len(v.found) || keyOf(v.found[id]) == v.chosen {
		return
	}
	v.chosen = keyOf(v.found[id])
	v.w.status.pass()
	v.list.Select(id)
	v.list.Refresh()
	v.list.ScrollTo(id)
}

// key is what the search does with a key before it is a letter.
func (v *listView) key(name fyne.KeyName) bool {
	var step int
	switch name {
	case fyne.KeyDown:
		step = 1
	case fyne.KeyUp:
		step = -1
	case fyne.KeyPageDown:
		step = 8
	case fyne.KeyPageUp:
		step = -8
	case fyne.KeyDelete:
		if d, ok := v.choice(); ok && v.search.Text == "" {
			v.closeSession(d)
			return true
		}
		return false
	case keyMenu:
		if d, ok := v.choice(); ok {
			v.rowMenu(d, nil)
		}
		return true
	default:
		return v.w.fieldKey(name)
	}
	if len(v.found) > 0 {
		v.choose(min(max(v.at()+step, 0), len(v.found)-1))
	}
	return true
}

// choice is the desktop that the keys act on.
func (v *listView) choice() (launchercmd.Desktop, bool) {
	i := v.at()
	if i < 0 {
		return launchercmd.Desktop{}, false
	}
	return v.found[i], true
}

// enterKey opens the choice, or the host that is typed where any may be named.
func (v *listView) enterKey() {
	if d, ok := v.choice(); ok {
		v.open(d, "")
	} else if v.known != nil && v.known.AnyHost && v.search.Text != "" {
		v.open(v.typed(), "")
	}
}

// escape clears the search, then stops what is on the way.
func (v *listView) escape() {
	if v.search.Text != "" {
		v.search.SetText("")
		return
	}
	for _, stop := range v.busy {
		stop()
	}
}

// favour puts a desktop among the favourites or takes it from them. The order
// follows with the next list: nothing jumps under the person's hand.
func (v *listView) favour(d launchercmd.Desktop) {
	if err := v.w.engine.SetFavourite(d, !d.Favourite); err != nil {
		v.w.trouble(err)
	}
	for _, in := range [][]launchercmd.Desktop{v.known.Desktops, v.found} {
		for i := range in {
			if keyOf(in[i]) == keyOf(d) {
				in[i].Favourite = !d.Favourite
			}
		}
	}
	v.list.Refresh()
}
