package gui

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// A tray is the icon in the panel, where the system has such a thing: it brings the
// window back and opens the first desktops of the list.
type tray struct {
	w     *Window
	panel desktop.App // nil where there is none
	shown []string
}

// trayDesktops is how many desktops the menu of the tray has.
const trayDesktops = 5

func newTray(w *Window) *tray {
	t := &tray{w: w}
	panel, ok := w.cfg.App.(desktop.App)
	if !ok || !hasTray() {
		return t
	}
	t.panel = panel
	panel.SetSystemTrayIcon(Logo)
	panel.SetSystemTrayMenu(t.menu(nil))
	panel.SetSystemTrayWindow(w.window)
	return t
}

// show puts the first of the desktops into the menu.
func (t *tray) show(desktops []launchercmd.Desktop) {
	if t.panel == nil {
		return
	}
	desktops = desktops[:min(len(desktops), trayDesktops)]
	shown := make([]string, len(desktops))
	for i, d := range desktops {
		shown[i] = keyOf(d)
	}
	if slices.Equal(shown, t.shown) {
		return
	}
	t.shown = shown
	t.panel.SetSystemTrayMenu(t.menu(desktops))
}

func (t *tray) menu(desktops []launchercmd.Desktop) *fyne.Menu {
	w := t.w
	items := []*fyne.MenuItem{fyne.NewMenuItem(w.say(words.ShowWindow), w.bringBack)}
	if len(desktops) > 0 {
		items = append(items, fyne.NewMenuItemSeparator())
	}
	for _, d := range desktops {
		items = append(items, fyne.NewMenuItem(d.Label(), func() {
			w.bringBack()
			w.list.open(d, "")
		}))
	}
	quit := fyne.NewMenuItem(w.say(words.Quit), w.Close)
	quit.IsQuit = true
	return fyne.NewMenu("dcvix", append(items, fyne.NewMenuItemSeparator(), quit)...)
}

// bringBack shows the window in front of others, and takes back that it was closed.
func (w *Window) bringBack() {
	w.closing = false
	w.window.Show()
	w.window.RequestFocus()
}
