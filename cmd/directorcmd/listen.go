package directorcmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
)

// apiSocket is the name of the socket that people, hosts and DCV servers connect
// to: that of its unit, unless FileDescriptorName= there says otherwise.
const apiSocket = "dcvix-director.socket"

// listen returns the socket that people, hosts and DCV servers connect to: that of
// the service manager when there is one, which listens on while the director
// restarts, else one of its own.
func (c *config) listen(ctx context.Context, logger *slog.Logger) (net.Listener, error) {
	l, err := inherited(apiSocket)
	if err != nil {
		return nil, err
	}
	if l != nil {
		logger.InfoContext(ctx, "the service manager listens for the director: director_host and director_port are not used",
			slog.String("address", l.Addr().String()))
		return l, nil
	}
	l, err = new(net.ListenConfig).Listen(ctx, "tcp", c.address())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use by another program: stop that one, or change the port (%s)", c.address(), c.portKey.Where())
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("cannot listen on %s: ports below 1024 are for root: have systemd listen there, as docs/operations.md says, or change the port (%s)", c.address(), c.portKey.Where())
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s, change director_host or director_port: %w", c.address(), err)
	}
	return l, nil
}

// inherited returns the socket of that name that a service manager listens on for
// this process (sd_listen_fds_with_names(3)), or nil. It finds it once: the
// variables that tell of it are taken out of the environment.
func inherited(name string) (net.Listener, error) {
	sockets, err := activation.ListenersWithNames()
	if err != nil {
		return nil, fmt.Errorf("the sockets of the service manager cannot be used, look at LISTEN_FDS: %w", err)
	}
	for other := range sockets {
		if other != name {
			return nil, fmt.Errorf("the service manager hands over a socket %q, which the director does not know: call its unit %s", other, name)
		}
	}
	switch found := sockets[name]; {
	case len(found) == 0:
		return nil, nil // there is none, and that is no error
	case len(found) > 1 || found[0].Addr().Network() != "tcp":
		return nil, fmt.Errorf("%s has to have one ListenStream= with a port: it has %d, or one of another kind", name, len(found))
	default:
		return found[0], nil
	}
}
