package directorapi

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// localAddress is what the audit and the log say of a request to the control
// half instead of an address.
const localAddress = "local"

// Control returns what admins use who are on the director's machine and have the
// operating system for a login: the admins' routes on agents and denials, the CA's
// certificate and the health. It takes no cookie and no token. It lets in a request
// alone whose context carries an operator (see [ControlServer] and [WithOperator]),
// so that mounted on a network by mistake it refuses everybody.
func (s *Server) Control() http.Handler { return s.control }

type operatorKey struct{}

// WithOperator returns a context in which a request may use [Server.Control]. The
// name of who acts goes on record; it must be known, not claimed: from a
// connection's credentials or of this process. "" is put on record as operator.
func WithOperator(ctx context.Context, name string) context.Context {
	if name == "" {
		name = "operator"
	}
	return context.WithValue(ctx, operatorKey{}, name)
}

// ControlServer returns an http.Server for [Server.Control] on a Unix socket,
// without TLS. The permissions of the socket are the login: who can connect is the
// operator, by the name that the system gives the peer (on Linux its user; "" on
// systems that do not tell). Connections of any other kind are nobody's, and all
// their requests are refused. The caller serves and closes it.
func ControlServer(control http.Handler, logger *slog.Logger) *http.Server {
	s := HTTPServer(control, nil, logger)
	s.WriteTimeout = 10 * time.Minute // thousands of approvals on a slow disk
	s.ConnState = nil
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		conn, ok := c.(*net.UnixConn)
		if !ok {
			return ctx
		}
		name, err := peerName(conn)
		if err != nil { // it has left already
			logger.DebugContext(ctx, "peer of a control connection unknown", slog.Any("err", err))
			return ctx
		}
		return WithOperator(ctx, name)
	}
	return s
}

// admitOperator is admit for the control half.
func (s *Server) admitOperator(c echo.Context, _ access) error {
	name, ok := c.Request().Context().Value(operatorKey{}).(string)
	if !ok {
		return errNoLogin
	}
	c.Set(keyOperator, name)
	return nil
}
