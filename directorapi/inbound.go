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

// inboundOf returns the connection of a request, nil unless it is one of an
// [HTTPServer].
func inboundOf(r *http.Request) *inbound {
	p, _ := r.Context().Value(inboundKey{}).(*inbound)
	return p
}

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

// agentConns knows the open connections over which an agent showed its certificate.
// That is the same one for all the life of a connection, so that one that is kept
// costs no signature check a request. The zero value is empty and ready to use.
type agentConns struct {
	mu   sync.RWMutex
	open map[*inbound]peer
}

// peer returns who showed a certificate over the connection, if it was noted.
func (c *agentConns) peer(in *inbound) (peer, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	p, noted := c.open[in]
	return p, noted
}

// note remembers who showed a certificate over the connection, until that has ended.
func (c *agentConns) note(in *inbound, p peer) {
	c.mu.Lock()
	if c.open == nil {
		c.open = make(map[*inbound]peer)
	}
	_, noted := c.open[in]
	c.open[in] = p
	c.mu.Unlock()
	if !noted {
		in.atEnd(func() { c.forget(in) })
	}
}

func (c *agentConns) forget(in *inbound) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, in)
}

// cut closes the connections of an agent at once, without the farewell of TLS,
// for which a peer that does not read would make us wait.
func (c *agentConns) cut(id dcvix.AgentID) {
	c.mu.RLock()
	var theirs []*inbound
	for in, p := range c.open {
		if p.id == id {
			theirs = append(theirs, in)
		}
	}
	c.mu.RUnlock()
	for _, in := range theirs {
		_ = UnderTLS(in.conn).Close() // it may be closed already
	}
}
