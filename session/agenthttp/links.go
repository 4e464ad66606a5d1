package agenthttp

import (
	"net"
	"sync"

	"github.com/dcvix/dcvix"
)

// links knows what is open towards each agent: calls, dials and connections. The
// zero value is empty and ready to use.
type links struct {
	mu   sync.Mutex
	open map[dcvix.AgentID]map[*link]struct{}
}

// A link can be cut, from any goroutine and more than once.
type link struct{ cut func() }

// add notes what cut ends; the caller calls forget, once or more, when it has
// ended by itself.
func (l *links) add(id dcvix.AgentID, cut func()) (forget func()) {
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

// cut ends all that is open towards an agent.
func (l *links) cut(id dcvix.AgentID) {
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

// A linkedConn leaves the links when it is closed.
type linkedConn struct {
	net.Conn
	forget func()
}

// Close closes the connection, which is then nobody's to cut.
func (c *linkedConn) Close() error {
	c.forget()
	return c.Conn.Close()
}
