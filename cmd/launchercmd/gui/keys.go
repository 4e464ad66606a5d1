package gui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// keyMenu is the key between Super and Ctrl on the right.
const keyMenu = desktop.KeyMenu

// A keyTable knows what the keys do that are no letters.
type keyTable struct {
	w      *Window
	combos []combo
}

// A combo is a key with Ctrl (Cmd on macOS) that acts on the list.
type combo struct {
	key  fyne.KeyName
	name string // as it stands on the key
	what words.Key
	do   func()
}

func newKeyTable(w *Window) *keyTable {
	v := w.list
	k := &keyTable{w: w}
	k.combos = []combo{
		{fyne.KeyD, "D", words.KeyFavourite, func() {
			if d, ok := v.choice(); ok {
				v.favour(d)
			}
		}},
		{fyne.KeyO, "O", words.KeyOther, v.otherHost},
		{fyne.KeyComma, ",", words.KeyOptions, w.options},
		{fyne.KeyL, "L", words.KeyLogOut, v.logout},
		{fyne.KeyQ, "Q", words.KeyQuit, w.Close},
	}
	canvas := w.window.Canvas()
	canvas.SetOnTypedKey(func(e *fyne.KeyEvent) {
		if w.showsList() && v.loggedIn() {
			v.keepKeys()
			v.search.TypedKey(e)
			return
		}
		w.fieldKey(e.Name)
	})
	canvas.SetOnTypedRune(func(r rune) {
		if !w.showsList() || !v.loggedIn() {
			return
		}
		v.keepKeys() // who types while nothing has the keyboard wants to search
		if r != '/' {
			v.search.TypedRune(r)
		}
	})
	for _, c := range k.combos {
		canvas.AddShortcut(&desktop.CustomShortcut{KeyName: c.key, Modifier: fyne.KeyModifierShortcutDefault}, func(s fyne.Shortcut) { w.combo(s) })
	}
	return k
}

// showsList reports whether the list is what the person sees.
func (w *Window) showsList() bool {
	return w.sheet == nil && len(w.body.Objects) == 1 && w.body.Objects[0] == w.list.page
}

// combo does what a key with Ctrl is for, and reports whether it is for anything.
func (w *Window) combo(s fyne.Shortcut) bool {
	custom, ok := s.(*desktop.CustomShortcut)
	if !ok || custom.Modifier != fyne.KeyModifierShortcutDefault {
		return false
	}
	for _, c := range w.keys.combos {
		if c.key != custom.KeyName {
			continue
		}
		if c.key == fyne.KeyQ || w.sheet == nil && (w.showsList() || c.key == fyne.KeyComma) {
			c.do()
		}
		return true
	}
	return false
}

// fieldKey does what a key is for wherever the keyboard is, and reports whether it
// is for anything.
func (w *Window) fieldKey(name fyne.KeyName) bool {
	switch name {
	case fyne.KeyEscape:
		switch {
		case w.sheet != nil:
			w.closeSheet()
		case w.back != nil:
			w.back()
		}
		return true
	case fyne.KeyF1:
		w.keys.show()
		return true
	default:
		return false
	}
}

// show shows what the keys do.
func (k *keyTable) show() {
	if k.w.sheet != nil {
		return
	}
	say := k.w.say
	rows := container.New(twoColumns{})
	add := func(key, what string) {
		rows.Add(widget.NewLabelWithStyle(key, fyne.TextAlignLeading, fyne.TextStyle{Bold: true}))
		rows.Add(widget.NewLabel(what))
	}
	add("↑, ↓", say(words.KeyArrows))
	add(say(words.KeyNameEnter), say(words.KeyEnter))
	add(say(words.KeyNameEscape), say(words.KeyEscape))
	add(say(words.KeyNameDelete), say(words.KeyDelete))
	add(say(words.KeyNameMenu), say(words.KeyMenu))
	for _, c := range k.combos {
		add(say(words.KeyNameCtrl)+"+"+c.name, say(c.what))
	}
	add("F1", say(words.KeyHelp))
	k.w.ask(question{head: say(words.Keys), body: []fyne.CanvasObject{rows}, no: say(words.Done)})
}

// twoColumns lays pairs out: the first as wide as the widest of them.
type twoColumns struct{}

const keyRow = 28

// Layout implements [fyne.Layout].
func (twoColumns) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	var wide float32
	for i := 0; i < len(objects); i += 2 {
		wide = max(wide, objects[i].MinSize().Width)
	}
	for i, o := range objects {
		y := float32(i/2) * keyRow
		if i%2 == 0 {
			o.Move(fyne.NewPos(-theme.InnerPadding(), y))
			o.Resize(fyne.NewSize(wide, keyRow))
		} else {
			o.Move(fyne.NewPos(wide, y))
			o.Resize(fyne.NewSize(size.Width-wide, keyRow))
		}
	}
}

// MinSize implements [fyne.Layout].
func (twoColumns) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var first, second float32
	for i, o := range objects {
		if i%2 == 0 {
			first = max(first, o.MinSize().Width)
		} else {
			second = max(second, o.MinSize().Width)
		}
	}
	return fyne.NewSize(first+second, float32(len(objects)/2)*keyRow+theme.InnerPadding())
}
