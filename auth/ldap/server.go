package ldap

import (
	"crypto/tls"
	"slices"
	"sync"
	"time"
)

const (
	// restTime is how long a server is left alone that did not answer.
	restTime = 5 * time.Second
	// maxIdle connections of the service account are kept for each server, none of
	// them idle for longer than idleTime (firewalls forget those without a word)
	// nor older than maxAge (a service account that was disabled is noticed then).
	maxIdle  = 4
	idleTime = 30 * time.Second
	maxAge   = 10 * time.Minute
)

// A mode is how a connection is encrypted.
type mode int

const (
	plain mode = iota
	startTLS
	overTLS
)

// A server is one of the directory's addresses, with the idle connections on
// which the service account is bound.
type server struct {
	url, host, port string
	mode            mode
	tls             *tls.Config

	mu     sync.Mutex
	idle   []*conn
	rests  time.Time // until then it is not asked
	closed bool
}

// take returns an idle connection, or nil.
func (s *server) take() *conn {
	for {
		c, fresh := s.pop()
		switch {
		case c == nil:
			return nil
		case !fresh: // its timer is just closing it
		case c.ldap.IsClosing() || time.Since(c.opened) >= maxAge:
			c.close()
		default:
			return c
		}
	}
}

func (s *server) pop() (c *conn, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) == 0 {
		return nil, false
	}
	c = s.idle[len(s.idle)-1]
	s.idle = s.idle[:len(s.idle)-1]
	return c, c.expiry.Stop()
}

// put keeps a connection for the next search, or closes it.
func (s *server) put(c *conn) {
	if !s.keep(c) {
		c.close()
	}
}

func (s *server) keep(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.idle) == maxIdle {
		return false
	}
	c.expiry = time.AfterFunc(idleTime, func() { s.drop(c) })
	s.idle = append(s.idle, c)
	return true
}

func (s *server) drop(c *conn) {
	s.mu.Lock()
	s.idle = slices.DeleteFunc(s.idle, func(other *conn) bool { return other == c })
	s.mu.Unlock()
	c.close()
}

func (s *server) rest(until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rests = until
}

func (s *server) isResting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.rests)
}

func (s *server) close() {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.closed = nil, true
	s.mu.Unlock()
	for _, c := range idle {
		if c.expiry.Stop() {
			c.close()
		}
	}
}

// order returns the servers to ask: the one that answered last, then the others
// in the order of the configuration, without those that rest. When all of them
// rest there is nobody better to ask, and all are asked.
func (b *Backend) order() []*server {
	best := b.servers[b.best.Load()]
	all := []*server{best}
	for _, s := range b.servers {
		if s != best {
			all = append(all, s)
		}
	}
	awake := slices.DeleteFunc(slices.Clone(all), (*server).isResting)
	if len(awake) == 0 {
		return all
	}
	return awake
}

// answered notes that a server is well.
func (b *Backend) answered(s *server) {
	s.rest(time.Time{})
	b.best.Store(int32(slices.Index(b.servers, s))) //nolint:gosec // a list of servers that somebody wrote down
}

// Close closes the connections that are kept for the next search. Logins still
// work afterwards and keep none.
func (b *Backend) Close() error {
	for _, s := range b.servers {
		s.close()
	}
	return nil
}
