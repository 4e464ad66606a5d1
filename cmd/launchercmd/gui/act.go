package gui

import (
	"cmp"
	"context"
	"errors"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// loggedIn reports whether the director knows the person still.
func (v *listView) loggedIn() bool { return v.stop != nil && v.ctx.Err() == nil }

// open opens a desktop in the viewer. An empty kind leaves the type of session to
// what runs there and to the person's preferences.
func (v *listView) open(d launchercmd.Desktop, kind dcvix.SessionType) {
	w, key := v.w, keyOf(d)
	if _, on := v.busy[key]; on || d.Name == "" {
		return
	}
	if !v.loggedIn() {
		v.pending = func() { v.open(d, kind) }
		return
	}
	if !d.Openable() {
		w.status.tell(w.say(words.NotNow, d.Label(), cmp.Or(d.Detail, d.StateText(w.words))), colorAttention)
		return
	}
	ctx, stop := context.WithCancel(w.ctx) // a viewer outlives the login
	v.busy[key] = stop
	v.list.Refresh()
	wish := launchercmd.Wish{Name: d.Name, Kind: d.Kind, Type: kind, Progress: func(s launchercmd.Step) {
		w.do(func() { v.step(key, s, stop) })
	}}
	w.jobUnder(ctx, func(ctx context.Context) func() {
		err := w.engine.Connect(ctx, wish)
		stop()
		return func() { v.opened(key, d, kind, err) } //nolint:contextcheck // what is clicked later has a context of its own
	})
}

// step shows how far a desktop has got.
func (v *listView) step(key string, s launchercmd.Step, stop func()) {
	switch s.Stage {
	case launchercmd.StageRuns:
		delete(v.busy, key)
		v.viewers++
		v.w.status.tell(s.Text, colorInUse)
		v.list.Refresh()
	case launchercmd.StageEnded:
		v.w.status.tell(s.Text, colorReady)
	default:
		v.w.status.working(s.Text, stop)
	}
}

// opened is what follows when the viewer has ended or did not start.
func (v *listView) opened(key string, d launchercmd.Desktop, kind dcvix.SessionType, err error) {
	w := v.w
	if _, began := v.busy[key]; began {
		delete(v.busy, key)
		w.status.clear()
	} else {
		v.viewers--
	}
	v.list.Refresh()
	switch {
	case w.closing:
		if v.viewers == 0 {
			w.quit()
		}
	case errors.Is(err, launchercmd.ErrLoggedOut):
		v.pending = func() { v.open(d, kind) }
		v.expired(err)
	case err != nil:
		w.trouble(err)
		w.window.Show() // it may be behind the viewer
	}
}

// closeSession asks, and then closes the person's session on a desktop: the first,
// where there are several.
func (v *listView) closeSession(d launchercmd.Desktop) {
	if !d.Running() {
		v.w.status.tell(capital(v.w.say(words.NothingToClose, d.Label())), colorAttention)
		return
	}
	v.closeThis(d, d.Sessions[0])
}

func (v *listView) closeThis(d launchercmd.Desktop, s launchercmd.DesktopSession) {
	w := v.w
	text := w.say(words.CloseText, typeName(w.words, s.Type), d.Label())
	switch {
	case s.Connections == 1:
		text += " " + w.say(words.CloseClient)
	case s.Connections > 1:
		text += " " + w.say(words.CloseClients, s.Connections)
	}
	w.ask(question{head: w.say(words.CloseHead), text: text, yes: w.say(words.CloseIt), no: w.say(words.Keep), ends: true, do: func() {
		w.status.working(w.say(words.Closing, string(s.ID), d.Label()), nil)
		w.jobUnder(v.ctx, func(ctx context.Context) func() {
			err := w.engine.CloseSession(ctx, s)
			return func() { v.closed(err, func() { v.closeThis(d, s) }) }
		})
	}})
}

// closed shows what came of it; the list follows by itself.
func (v *listView) closed(err error, again func()) {
	v.w.status.clear()
	switch {
	case errors.Is(err, launchercmd.ErrLoggedOut):
		v.pending = again
		v.expired(err)
	case err != nil:
		v.w.trouble(err)
	default:
		v.ask()
	}
}

// ask asks for the list now, for directors that do not say when it has changed.
func (v *listView) ask() {
	w := v.w
	w.jobUnder(v.ctx, func(ctx context.Context) func() {
		list, err := w.engine.Desktops(ctx)
		return func() {
			if err == nil && ctx.Err() == nil {
				v.update(launchercmd.Update{List: &list}) //nolint:contextcheck // what is clicked later has a context of its own
			}
		}
	})
}

// logout ends the login and goes back to the first view.
func (v *listView) logout() {
	w := v.w
	v.leave()
	w.login.enter()
	w.login.enable(false)
	w.job(func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer cancel()
		err := w.engine.Logout(ctx)
		return func() {
			w.login.enable(true)
			w.window.Canvas().Focus(w.login.empty())
			if err != nil {
				w.trouble(err)
			}
		}
	})
}

// rowMenu offers what can be done with a desktop.
func (v *listView) rowMenu(d launchercmd.Desktop, at fyne.CanvasObject) {
	w, r := v.w, rowOf(d, v.w.words)
	var items []*fyne.MenuItem
	add := func(text string, do func()) { items = append(items, fyne.NewMenuItem(text, do)) }
	if r.act != "" {
		add(r.act, func() { v.open(d, "") })
	}
	if d.Openable() {
		types := d.Types
		if d.State == "" {
			types = []dcvix.SessionType{dcvix.SessionConsole, dcvix.SessionVirtual}
		}
		if len(types) > 1 {
			for _, t := range types {
				add(w.say(words.OpenAs, typeName(w.words, t)), func() { v.open(d, t) })
			}
		}
	}
	favour := words.Favour
	if d.Favourite {
		favour = words.Unfavour
	}
	add(w.say(favour), func() { v.favour(d) })
	if d.Running() {
		items = append(items, fyne.NewMenuItemSeparator())
	}
	for _, s := range d.Sessions {
		add(w.say(words.CloseThis, typeName(w.words, s.Type)), func() { v.closeThis(d, s) })
	}
	if at == nil {
		w.popUpAt(fyne.NewMenu("", items...), v.besideChoice(), glyphSize)
		return
	}
	w.popUp(fyne.NewMenu("", items...), at)
}

// besideChoice is where the menu of the chosen row opens when a key asked for it.
func (v *listView) besideChoice() fyne.Position {
	top := fyne.CurrentApp().Driver().AbsolutePositionForObject(v.list)
	row := rowHeight + theme.Padding() // as widget.List spaces them
	y := top.Y + float32(v.at())*row - v.list.GetScrollOffset() + (rowHeight-glyphSize)/2
	return fyne.NewPos(v.list.Size().Width, y)
}

// menu offers what is not about one desktop.
func (v *listView) menu() {
	w := v.w
	var items []*fyne.MenuItem
	add := func(text string, do func()) { items = append(items, fyne.NewMenuItem(text, do)) }
	if v.known != nil && v.known.AnyHost {
		add(w.say(words.OtherHost), v.otherHost)
	}
	add(w.say(words.Options), w.options)
	add(w.say(words.Keys), w.keys.show)
	items = append(items, fyne.NewMenuItemSeparator())
	add(w.say(words.LogOut), v.logout)
	add(w.say(words.Quit), w.Close)
	w.popUp(fyne.NewMenu("", items...), v.more)
}

// otherHost asks for the name of a host that is not on the list.
func (v *listView) otherHost() {
	w := v.w
	if v.known == nil || !v.known.AnyHost {
		return
	}
	name := newField()
	name.SetText(v.search.Text)
	kind := newChoice([]string{
		w.say(words.AsPreferred), typeName(w.words, dcvix.SessionConsole), typeName(w.words, dcvix.SessionVirtual),
	}, w.fieldKey)
	kind.SetSelectedIndex(0)
	w.ask(question{
		head: w.say(words.OtherHostHead), body: []fyne.CanvasObject{labelled(w.say(words.FieldHost), name), labelled(w.say(words.FieldType), kind)},
		first: name, yes: w.say(words.Open), no: w.say(words.Cancel), do: func() {
			types := []dcvix.SessionType{"", dcvix.SessionConsole, dcvix.SessionVirtual}
			v.open(launchercmd.Desktop{Kind: dcvix.DesktopHost, Name: name.Text}, types[max(kind.SelectedIndex(), 0)])
		},
	})
}

// invited asks about the desktop that a link names: links open nothing by themselves.
func (w *Window) invited() {
	name := w.invite
	if name == "" {
		return
	}
	w.invite = ""
	w.jobUnder(w.list.ctx, func(ctx context.Context) func() {
		d, err := w.engine.Invited(ctx, name)
		return func() { //nolint:contextcheck // what is clicked later has a context of its own
			if err != nil {
				w.trouble(err)
				return
			}
			w.ask(question{
				head: w.say(words.LinkHead), text: w.say(words.LinkText, d.Label()),
				yes: w.say(words.Open), no: w.say(words.Cancel), do: func() { w.list.open(d, "") },
			})
		}
	})
}

func typeName(w *words.Words, kind dcvix.SessionType) string {
	if kind == dcvix.SessionVirtual {
		return w.Say(words.KindVirtual)
	}
	return w.Say(words.KindConsole)
}

// since says when a session began, in few letters.
func since(began, now time.Time) string {
	began = began.Local()
	if y, m, d := began.Date(); y == now.Year() && m == now.Month() && d == now.Day() {
		return began.Format("15:04")
	}
	return began.Format("2 Jan 15:04")
}
