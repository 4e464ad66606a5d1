package gui

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// keyOf names a desktop as long as the list lives.
func keyOf(d launchercmd.Desktop) string { return string(d.Kind) + " " + d.Name }

// rowOf is how a desktop is shown.
func rowOf(d launchercmd.Desktop, w *words.Words) row {
	r := row{key: keyOf(d), name: d.Label(), favourite: d.Favourite, color: colorOf(d)}
	parts := []string{d.StateText(w)}
	if d.Running() {
		s := d.Sessions[0]
		if began := s.Created.Time; !began.IsZero() {
			parts[0] = w.Say(words.RunningSince, since(began, time.Now()))
		}
		parts = append(parts, typeName(w, s.Type))
		r.act = w.Say(words.Resume)
	} else if d.Openable() {
		r.act = w.Say(words.Open)
	}
	if d.Detail != "" && d.State == "maintenance" && !d.Running() {
		parts[0] = strings.TrimSuffix(d.Detail, ".") // it has the admin's reason
	}
	if d.Kind == dcvix.DesktopPool {
		parts = append(parts, w.Say(words.PoolWord))
	}
	r.words = strings.Trim(strings.Join(parts, " · "), " ·")
	return r
}

// colorOf is the colour of a desktop's state, the same as in the web pages.
func colorOf(d launchercmd.Desktop) fyne.ThemeColorName {
	if d.Running() {
		for _, s := range d.Sessions {
			if s.Connections > 0 {
				return colorInUse
			}
		}
		return colorReady
	}
	switch d.State {
	case "ready", "own":
		return colorReady
	case "in-use", "busy":
		return colorInUse
	case "maintenance":
		return colorAttention
	case "offline", "unusable":
		return colorBroken
	default:
		return colorWorking
	}
}
