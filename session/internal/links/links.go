// Package links knows what is open towards each agent, so that it can be cut when
// the agent is trusted no longer.
package links

import (
	"sync"

	"github.com/dcvix/dcvix"
)

// A Set is what is open towards agents: calls, dials, connections. The zero value
// is empty and ready to use. It is safe for concurrent use.
type Set struct {
	mu   sync.Mutex
	open map[dcvix.AgentID]map[*link]struct{}
}

// A link can be cut, from any goroutine and more than once.
type link struct{ cut func() }

// Add notes what cut ends; the caller calls forget, once or more, when it has
// ended by itself.
func (l *Set) Add(id dcvix.AgentID, cut func()) (forget func()) {
	one := &link{cut}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = make(map[dcvix.AgentID]map[*link]struct{})
	}
	if l.open[id] == nil {
		l.open[id] = make(map[*link]struct{})
	}
	l.open[id][one] = struct{}{}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.open[id], one)
		if len(l.open[id]) == 0 {
			delete(l.open, id)
		}
	}
}

// Cut ends all that is open towards an agent.
func (l *Set) Cut(id dcvix.AgentID) {
	l.mu.Lock()
	all := make([]*link, 0, len(l.open[id]))
	for one := range l.open[id] {
		all = append(all, one)
	}
	l.mu.Unlock()
	for _, one := range all { // without the lock, because what is cut may forget itself
		one.cut()
	}
}
