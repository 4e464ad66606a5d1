package directorapi

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/dcvix/dcvix"
)

// An inbound is a connection that an [HTTPServer] accepted.
type inbound struct {
	conn net.Conn

	mu    sync.Mutex
	ended bool
	onEnd []func()
}

// atEnd has f called when the connection is closed, or now when it is.
func (p *inbound) atEnd(f func()) {
	p.mu.Lock()
	ended := p.ended
	if !ended {
		p.onEnd = append(p.onEnd, f)
	}
	p.mu.Unlock()
	if ended {
		f()
	}
}

func (p *inbound) end() {
	p.mu.Lock()
	onEnd := p.onEnd
	p.ended, p.onEnd = true, nil
	p.mu.Unlock()
	for _, f := range onEnd {
		f()
	}
}

type inboundKey struct{}

type stoppingKey struct{}

// stopping returns a channel that is closed when the server of a request is shut
// down; nil when that is not known. Answers that go on have to end then.
func stopping(ctx context.Context) <-chan struct{} {
	stopping, _ := ctx.Value(stoppingKey{}).(<-chan struct{})
	return stopping
}

// trackInbound lets handlers find the connection of a request.
func trackInbound(s *http.Server) {
	var open sync.Map // of net.Conn to *inbound
	var once sync.Once
	stops := make(chan struct{})
	s.RegisterOnShutdown(func() { once.Do(func() { close(stops) }) })
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		p := &inbound{conn: c}
		open.Store(c, p)
		ctx = context.WithValue(ctx, stoppingKey{}, (<-chan struct{})(stops))
		return context.WithValue(ctx, inboundKey{}, p)
	}
	s.ConnState = func(c net.Conn, state http.ConnState) {
		if state != http.StateClosed && state != http.StateHijacked {
			return
		}
		if p, ok := open.LoadAndDelete(c); ok {
			p.(*inbound).end() //nolint:forcetypeassert // nothing else is stored
		}
	}
}

// agentConns knows the open connections over which an agent showed its
// certificate. The zero value is empty and ready to use.
type agentConns struct {
	mu   sync.Mutex
	open map[dcvix.AgentID]map[*inbound]struct{}
}

// note remembers the connection of a request, if it is one of an [HTTPServer].
func (c *agentConns) note(r *http.Request, id dcvix.AgentID) {
	p, ok := r.Context().Value(inboundKey{}).(*inbound)
	if !ok || !c.add(id, p) {
		return
	}
	p.atEnd(func() { c.forget(id, p) })
}

func (c *agentConns) add(id dcvix.AgentID, p *inbound) (added bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.open[id][p]; known {
		return false
	}
	if c.open == nil {
		c.open = make(map[dcvix.AgentID]map[*inbound]struct{})
	}
	if c.open[id] == nil {
		c.open[id] = make(map[*inbound]struct{})
	}
	c.open[id][p] = struct{}{}
	return true
}

func (c *agentConns) forget(id dcvix.AgentID, p *inbound) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open[id], p)
	if len(c.open[id]) == 0 {
		delete(c.open, id)
	}
}

// cut closes the connections of an agent at once, without the farewell of TLS,
// for which a peer that does not read would make us wait.
func (c *agentConns) cut(id dcvix.AgentID) {
	c.mu.Lock()
	peers := make([]*inbound, 0, len(c.open[id]))
	for p := range c.open[id] {
		peers = append(peers, p)
	}
	c.mu.Unlock()
	for _, p := range peers {
		_ = UnderTLS(p.conn).Close() // it may be closed already
	}
}
