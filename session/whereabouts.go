package session

import (
	"slices"

	"github.com/dcvix/dcvix"
)

// whereabouts are the hosts that have a session of an id, so that a gateway's
// question costs the same in a large fleet: strangers can make it ask.
type whereabouts map[dcvix.SessionID][]dcvix.AgentID

// move takes in that a host has these sessions instead of those before.
func (w whereabouts) move(host dcvix.AgentID, before, after []dcvix.Session) {
	if slices.EqualFunc(before, after, func(a, b dcvix.Session) bool { return a.ID == b.ID }) {
		return
	}
	for _, s := range before {
		w[s.ID] = slices.DeleteFunc(w[s.ID], func(a dcvix.AgentID) bool { return a == host })
		if len(w[s.ID]) == 0 {
			delete(w, s.ID)
		}
	}
	for _, s := range after {
		w[s.ID] = append(w[s.ID], host)
	}
}
