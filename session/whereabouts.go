package session

import (
	"slices"

	"github.com/dcvix/dcvix"
)

// whereabouts are the hosts that have sessions of one kind or another, such as those
// of an id, so that a question costs the same in a large fleet: strangers can make a
// gateway ask. A host that has several sessions of a kind is there as often.
type whereabouts[K comparable] map[K][]dcvix.AgentID

func (w whereabouts[K]) add(kind K, host dcvix.AgentID) { w[kind] = append(w[kind], host) }

// remove takes a host away as often as it is there.
func (w whereabouts[K]) remove(kind K, host dcvix.AgentID) {
	w[kind] = slices.DeleteFunc(w[kind], func(a dcvix.AgentID) bool { return a == host })
	if len(w[kind]) == 0 {
		delete(w, kind)
	}
}

// moved takes in that a host has these sessions instead of those before; mu is held.
func (f *Fleet) moved(host dcvix.AgentID, before, after []dcvix.Session) {
	if slices.EqualFunc(before, after, func(a, b dcvix.Session) bool { return a.ID == b.ID && a.Owner == b.Owner }) {
		return
	}
	for i := range before {
		f.where.remove(before[i].ID, host)
		f.owners.remove(folded(string(before[i].Owner)), host)
	}
	for i := range after {
		f.where.add(after[i].ID, host)
		f.owners.add(folded(string(after[i].Owner)), host)
	}
}

// hostsOf returns the hosts that have a session of an owner, by the rule of same,
// ordered by name.
func (f *Fleet) hostsOf(owner dcvix.Username, same func(a, b dcvix.Username) bool) []Host {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var found []Host
	seen := make(map[dcvix.AgentID]bool)
	for _, id := range f.owners[folded(string(owner))] {
		l := f.hosts[id]
		if seen[id] || !slices.ContainsFunc(l.host.Sessions, func(s dcvix.Session) bool { return same(s.Owner, owner) }) {
			continue
		}
		seen[id] = true
		found = append(found, l.host)
	}
	slices.SortFunc(found, compareNames)
	return found
}
