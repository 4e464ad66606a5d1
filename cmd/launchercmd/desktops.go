package launchercmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
	"github.com/dcvix/dcvix/directorapi/client"
)

// A List is what a person may open.
type List struct {
	Desktops []Desktop `json:"desktops"`         // favourites, then those used last, then as the policy has them; never nil
	AnyHost  bool      `json:"anyHost"`          // other hosts may be named too
	Plain    bool      `json:"plain,omitempty"`  // the director is too old to say more than names
	Reason   string    `json:"reason,omitempty"` // why the list is empty, if the director says so
}

// A Desktop is a host, or a pool of hosts, that the person may use.
type Desktop struct {
	Kind     dcvix.DesktopKind   `json:"kind"`
	Name     string              `json:"name"`             // as the policy writes it
	State    string              `json:"state,omitempty"`  // of package dcvix; empty when the director is too old to say
	Detail   string              `json:"detail,omitempty"` // a sentence of the director about it
	Types    []dcvix.SessionType `json:"types,omitempty"`  // that can be had now; empty when none, or when the director is too old to say
	Sessions []DesktopSession    `json:"sessions"`         // the person's own that run there; empty when the director is too old to say
	Hosts    int                 `json:"hosts,omitempty"`  // of a pool; 1 for a host
	Free     int                 `json:"free,omitempty"`   // of the Hosts: those that can take a new session

	Favourite bool      `json:"favourite,omitempty"`
	Used      time.Time `json:"lastUsed,omitzero"` // when it was opened from here; zero for never
}

// A DesktopSession is a session of the person.
type DesktopSession struct {
	ID          dcvix.SessionID   `json:"id"`
	Type        dcvix.SessionType `json:"type"`
	Connections int               `json:"connections"`
	Status      string            `json:"status"`
	Server      dcvix.Hostname    `json:"server,omitempty"`
	Created     dcvix.Time        `json:"created,omitzero"`
}

// Label returns the name in a form that can be shown: names come from outside.
func (d Desktop) Label() string { return show(d.Name) }

// Running reports whether the person has a session there.
func (d Desktop) Running() bool { return len(d.Sessions) > 0 }

// Openable reports whether opening it may lead to a desktop, as far as the director
// has said.
func (d Desktop) Openable() bool { return d.State == "" || len(d.Types) > 0 || d.Running() }

// StateText says in a few words what the desktop is now, such as "running" or "5 of
// 8 free", in the language of w; empty when nothing is known.
func (d Desktop) StateText(w *words.Words) string {
	switch d.State {
	case "own":
		return w.Say(words.StateOwn)
	case "in-use":
		return w.Say(words.StateInUse)
	case "passing":
		return w.Say(words.StatePassing)
	case "busy":
		return w.Say(words.StateBusy)
	case "maintenance":
		return w.Say(words.StateMaintenance)
	case "offline":
		return w.Say(words.StateOffline)
	case "starting":
		return w.Say(words.StateStarting)
	case "unusable":
		return w.Say(words.StateUnusable)
	case "ready":
		if d.Kind == dcvix.DesktopPool {
			return w.Say(words.StateFree, d.Free, d.Hosts)
		}
		return w.Say(words.StateReady)
	}
	if d.Running() {
		return w.Say(words.StateOwn)
	}
	return show(d.State)
}

// key names a desktop in what is remembered.
func key(kind dcvix.DesktopKind, name string) string {
	return string(kind) + " " + strings.ToLower(name)
}

func (d Desktop) key() string { return key(d.Kind, d.Name) }

// Search returns the desktops with all words of the text in their names or, in the
// language of w, in their states, without regard to case. An empty text finds all.
func Search(desktops []Desktop, text string, w *words.Words) []Desktop {
	wanted := strings.Fields(strings.ToLower(text))
	if len(wanted) == 0 {
		return desktops
	}
	found := make([]Desktop, 0, len(desktops))
	for _, d := range desktops {
		in := strings.ToLower(d.Name + " " + d.StateText(w))
		if !slices.ContainsFunc(wanted, func(word string) bool { return !strings.Contains(in, word) }) {
			found = append(found, d)
		}
	}
	return found
}

// Desktops asks what the person may use. The error wraps [ErrLoggedOut] when there
// is no login any more.
func (e *Engine) Desktops(ctx context.Context) (List, error) {
	director, err := e.current()
	if err != nil {
		return List{}, err
	}
	res, err := director.Desktops(ctx)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return e.plain(ctx, director)
	case err != nil:
		return List{}, ended(err)
	}
	list := e.list(res)
	if len(list.Desktops) == 0 && !list.AnyHost {
		if why, err := director.ServerList(ctx); err == nil {
			list.Reason = why.Reason
		}
	}
	return list, nil
}

// plain is for a director of the 0.1 generation.
func (e *Engine) plain(ctx context.Context, director *client.Client) (List, error) {
	res, err := director.ServerList(ctx)
	if err != nil {
		return List{}, ended(err)
	}
	list := List{Desktops: make([]Desktop, 0, len(res.Servers)), Plain: true, AnyHost: e.cfg.AnyHost, Reason: res.Reason}
	for _, name := range res.Servers {
		if name == dcvix.AllowCustom {
			list.AnyHost = true
			continue
		}
		list.Desktops = append(list.Desktops, Desktop{Kind: dcvix.DesktopHost, Name: name, Sessions: []DesktopSession{}, Hosts: 1})
	}
	e.order(list.Desktops)
	return list, nil
}

// list makes of an answer what the person is shown.
func (e *Engine) list(res dcvix.DesktopsResponse) List {
	list := List{Desktops: make([]Desktop, len(res.Desktops)), AnyHost: res.Custom}
	for i, d := range res.Desktops {
		list.Desktops[i] = Desktop{
			Kind: d.Kind, Name: d.Name, State: d.State, Detail: dcvix.OneLine(d.Detail, 300),
			Types: d.Types, Sessions: sessionsOf(d.Sessions), Hosts: d.Hosts, Free: d.Free,
		}
	}
	e.order(list.Desktops)
	return list
}

// order adds what is remembered and puts favourites first, then what was used last.
func (e *Engine) order(desktops []Desktop) {
	known := e.memory.known(e.URL())
	favourite := make(map[string]bool, len(known.Favourites))
	for _, k := range known.Favourites {
		favourite[k] = true
	}
	for i := range desktops {
		d := &desktops[i]
		d.Favourite, d.Used = favourite[d.key()], known.Used[d.key()]
	}
	slices.SortStableFunc(desktops, func(a, b Desktop) int {
		if a.Favourite != b.Favourite {
			if a.Favourite {
				return -1
			}
			return 1
		}
		return b.Used.Compare(a.Used)
	})
}

// SetFavourite remembers whether a desktop is a favourite. The order of lists that
// come later follows it.
func (e *Engine) SetFavourite(d Desktop, yes bool) error {
	return e.memory.change(func(r *remembered) { r.of(e.URL()).favour(d.key(), yes) })
}

func sessionsOf(sessions []dcvix.Session) []DesktopSession {
	all := make([]DesktopSession, 0, len(sessions))
	for _, s := range sessions {
		all = append(all, DesktopSession{
			ID: s.ID, Type: s.Type, Connections: s.NumOfConnections, Status: s.Status, Server: s.ServerID, Created: s.CreationTime,
		})
	}
	slices.SortStableFunc(all, func(a, b DesktopSession) int {
		return cmp.Or(cmp.Compare(a.Server, b.Server), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// find returns the desktop that a name means: the one that is written so, else the
// only one that is written so but for case, else the only host of that first label.
func (l List) find(kind dcvix.DesktopKind, name string) (Desktop, bool) {
	for _, same := range []func(d Desktop) bool{
		func(d Desktop) bool { return d.Name == name },
		func(d Desktop) bool { return strings.EqualFold(d.Name, name) },
		func(d Desktop) bool { return d.Kind != dcvix.DesktopPool && sameHost(d.Name, name) },
	} {
		var found []Desktop
		for _, d := range l.Desktops {
			if (kind == "" || d.Kind == kind) && same(d) {
				found = append(found, d)
			}
		}
		if len(found) > 0 {
			return found[0], len(found) == 1 || found[0].Name == name
		}
	}
	return Desktop{}, false
}

// sameHost compares names as policies do: without case, and a bare first label
// means the host that it is the first label of.
func sameHost(a, b string) bool {
	a, b = strings.ToLower(strings.TrimSuffix(a, ".")), strings.ToLower(strings.TrimSuffix(b, "."))
	if a == b {
		return true
	}
	labelA, restA, _ := strings.Cut(a, ".")
	labelB, restB, _ := strings.Cut(b, ".")
	return labelA == labelB && (restA == "" || restB == "")
}

// checkName refuses what cannot be the name of a desktop in any policy. A pool's
// may have spaces.
func checkName(kind dcvix.DesktopKind, name string, w *words.Words) error {
	if name == "" || len(name) > 253 || strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsGraphic(r) || r == unicode.ReplacementChar || kind == dcvix.DesktopHost && unicode.IsSpace(r)
	}) {
		return &saidError{text: w.Say(words.BadName, fmt.Sprintf("%.300q", name))}
	}
	return nil
}

// show returns text that a director sent in a form that cannot write over a
// terminal.
func show(s string) string {
	if len(s) > 300 || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return fmt.Sprintf("%.300q", s)
	}
	return s
}
