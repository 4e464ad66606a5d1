package radius

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"layeh.com/radius"
)

// A server is one server and how it did lately.
type server struct {
	address string // host:port

	mu         sync.Mutex
	downUntil  time.Time // zero while it serves
	why        error     // it was down last
	saysStatus bool      // it has answered a Status-Server
}

// rank sorts a server that failed lately behind the others.
func (s *server) rank(now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.downUntil) {
		return 1
	}
	return 0
}

// failed notes that the server does not serve and says whether that is news.
func (s *server) failed(now time.Time, why error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.downUntil.IsZero() || s.why.Error() != why.Error()
	s.downUntil, s.why = now.Add(skipFor), why
	return news
}

// served notes that the server answers and says whether that is news.
func (s *server) served() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := !s.downUntil.IsZero()
	s.downUntil, s.why = time.Time{}, nil
	return news
}

// exchange asks a server and returns the first answer that is right. Why there
// was none goes to the log, once until the server answers again or the reason
// changes.
func (b *Backend) exchange(ctx context.Context, s *server, e enquiry) (*radius.Packet, error) {
	reply, err := b.try(ctx, s.address, e)
	switch {
	case err == nil:
		if s.served() {
			b.cfg.Logger.InfoContext(ctx, "radius server answers again", slog.String("server", s.address))
		}
	case errors.Is(ctx.Err(), context.Canceled): // the caller left, which says nothing about the server
		return nil, ctx.Err()
	case s.failed(time.Now(), err):
		b.cfg.Logger.WarnContext(ctx, "radius server does not serve", slog.String("server", s.address), slog.String("reason", err.Error()))
	}
	return reply, err
}

// An enquiry is what a server is asked, and how.
type enquiry struct {
	packet func(local net.Addr) (*radius.Packet, error)
	tries  int
	strict bool // the answer needs a Message-Authenticator
}

// try sends the same packet from the same port each time, so that the server
// knows a repetition and does not take a one-time password twice (RFC 5080
// section 2.2.2).
func (b *Backend) try(ctx context.Context, address string, e enquiry) (*radius.Packet, error) {
	conn, err := b.dial(ctx, address)
	if err != nil {
		return nil, unreachable(err)
	}
	defer conn.Close() //nolint:errcheck // nothing is lost: what counts was read
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	packet, err := e.packet(conn.LocalAddr())
	if err != nil {
		return nil, fmt.Errorf("radius request: %w", err)
	}
	wire, err := sign(packet)
	if err != nil {
		return nil, err
	}
	req, heard := &request{packet: packet, wire: wire, strict: e.strict}, errSilent
	for range e.tries {
		if _, err := conn.Write(wire); err != nil {
			return nil, unreachable(err)
		}
		reply, wrong, err := req.await(conn, b.patience())
		if err == nil {
			return reply, nil
		}
		heard = weightier(heard, wrong)
		if ctx.Err() == nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, unreachable(err)
		}
		// An answer like these would come again as it is.
		if ctx.Err() != nil || errors.Is(heard, errUnsigned) || errors.Is(heard, errForged) {
			break
		}
	}
	return nil, heard
}

// dial does not wait for the names of hosts longer than for a server.
func (b *Backend) dial(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	return b.cfg.Dial(ctx, "udp", address)
}

// patience is the time of one try, less up to a tenth, so that logins that
// failed together do not come again together (RFC 5080 section 2.2.1). It does
// not double from try to try as there, since a person waits.
func (b *Backend) patience() time.Duration {
	return b.cfg.Timeout - rand.N(b.cfg.Timeout/10+1) //nolint:gosec // spreads load; nobody gains by guessing it
}

// await reads until a right answer comes or the time is over. What is wrong is
// passed over as RFC 2865 section 3 asks, since anybody can send it; the
// weightiest of it is returned too.
func (r *request) await(conn net.Conn, patience time.Duration) (reply *radius.Packet, wrong, err error) {
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, errSilent, err
	}
	wrong = errSilent
	datagram := make([]byte, radius.MaxPacketLength)
	for {
		n, err := conn.Read(datagram)
		if err != nil {
			return nil, wrong, err
		}
		reply, err := r.open(datagram[:n])
		if err == nil {
			return reply, nil, nil
		}
		wrong = weightier(wrong, err)
	}
}

// unreachable says what an operating system's error means here, without the port
// that the request left from. A port where nothing listens is not waited for.
func unreachable(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("%w: %w", errUnreachable, err)
}
