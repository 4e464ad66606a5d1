package dcvclitest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// errStopped is the cause of the end of requests when the server stops.
var errStopped = errors.New("the server stops")

// setupTimeout is connection-setup-timeout of dcv.conf.
const setupTimeout = 5 * time.Second

// serve runs a server of HTTP/1.1 over TLS until ctx is done: one client to a TCP
// connection, as with DCV. It ends every request, waits for them and returns nil.
func serve(ctx context.Context, name string, server *http.Server, listener net.Listener) error {
	requests, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	server.IdleTimeout = time.Minute
	server.MaxHeaderBytes = 32 << 10
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.BaseContext = func(net.Listener) context.Context { return requests }
	stopped := make(chan error, 1)
	defer context.AfterFunc(ctx, func() {
		stop(errStopped)
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- errors.Join(server.Shutdown(patience), server.Close())
	})()
	err := server.ServeTLS(listener, "", "")
	stop(errStopped)
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("dcvclitest: serve %s: %w", name, err)
	}
	return <-stopped
}
