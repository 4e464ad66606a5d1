package standalone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/dcvix/dcvix/directorapi"
)

const (
	stopGrace  = 20 * time.Second // for requests under way
	firstGrace = 3 * time.Second  // for the first request of a connection that was accepted
)

// serve has a server answer on a listener until ctx is done, and then finishes
// what was accepted.
func serve(ctx context.Context, server *http.Server, l net.Listener, begin func(net.Listener) error) error {
	e := enter(server, l)
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		e.shut(grace)
		stopped <- server.Shutdown(grace)
	})
	err := begin(e)
	if stop() { // it failed by itself
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	}
	if err := <-stopped; err != nil {
		return errors.Join(fmt.Errorf("requests were cut at the stop: %w", err), server.Close())
	}
	return nil
}

// An entrance is a listener that knows the connections which have not brought a
// request yet. [http.Server.Shutdown] closes such a connection without an answer,
// also when its request has just arrived; so they are waited for first.
type entrance struct {
	net.Listener

	server *http.Server
	closed chan struct{} // by the server
	once   sync.Once

	mu    sync.Mutex // guards the rest
	fresh map[net.Conn]struct{}
	shuts bool
	last  bool          // nobody comes in any more
	none  chan struct{} // closed when last and fresh is empty
}

type entranceKey struct{}

// enter puts an entrance before a server that does not run yet.
func enter(server *http.Server, l net.Listener) *entrance {
	e := &entrance{Listener: l, server: server, closed: make(chan struct{}), fresh: make(map[net.Conn]struct{}), none: make(chan struct{})}
	connContext, connState, handler := server.ConnContext, server.ConnState, server.Handler
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if connContext != nil {
			ctx = connContext(ctx, c)
		}
		return context.WithValue(ctx, entranceKey{}, directorapi.UnderTLS(c))
	}
	server.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateClosed || state == http.StateHijacked {
			e.settled(directorapi.UnderTLS(c))
		}
		if connState != nil {
			connState(c, state)
		}
	}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(entranceKey{}).(net.Conn); ok {
			e.settled(c)
		}
		handler.ServeHTTP(w, r)
	})
	return e
}

// Accept implements [net.Listener]. Once the entrance is shut it waits for the
// server, which would take an error before that for a failure.
func (e *entrance) Accept() (net.Conn, error) {
	c, err := e.Listener.Accept()
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err == nil:
		e.fresh[c] = struct{}{}
	case e.shuts:
		e.last = true
		e.tell()
		e.mu.Unlock()
		<-e.closed
		e.mu.Lock()
	}
	return c, err
}

// Close implements [net.Listener].
func (e *entrance) Close() error {
	e.once.Do(func() { close(e.closed) })
	err := e.Listener.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil // by shut
	}
	return err
}

// settled says that a connection has brought a request, or ended.
func (e *entrance) settled(c net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.fresh[c]; !ok {
		return
	}
	delete(e.fresh, c)
	e.tell()
}

// tell wakes shut; the caller holds the lock.
func (e *entrance) tell() {
	if !e.last || len(e.fresh) > 0 {
		return
	}
	select {
	case <-e.none:
	default:
		close(e.none)
	}
}

// shut lets nobody in any more and waits until each connection that came in has
// brought its first request, not longer than firstGrace.
func (e *entrance) shut(ctx context.Context) {
	e.mu.Lock()
	e.shuts = true
	e.mu.Unlock()
	_ = e.Listener.Close() // Close says it
	e.server.SetKeepAlivesEnabled(false)
	patience := time.NewTimer(firstGrace)
	defer patience.Stop()
	select {
	case <-e.none:
	case <-patience.C: // browsers open connections ahead of need
	case <-ctx.Done():
	}
}
