package radius

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
)

// CheckHealth asks the servers for their state (Status-Server, RFC 5997) and
// returns nil when one of them can be used. The error wraps
// [auth.ErrUnavailable].
//
// Many servers never answer that question, that of Windows among them. Silence
// therefore counts against a server only when it has answered before, or when it
// failed the last login.
func (b *Backend) CheckHealth(ctx context.Context) error {
	var last error
	for _, s := range b.servers {
		err := b.probe(ctx, s)
		if err == nil {
			return nil
		}
		last = fmt.Errorf("radius server %s: %w", s.address, err)
	}
	return unavailable(last)
}

// probe takes an unsigned answer: some servers sign the answers to logins alone,
// and who forges this one gets nobody in.
func (b *Backend) probe(ctx context.Context, s *server) error {
	_, err := b.try(ctx, s.address, enquiry{packet: b.statusServer, tries: 1})
	switch {
	case err == nil:
		return s.alive(time.Now())
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errSilent) && s.mayBeMute(time.Now()):
		return nil
	}
	return err
}

func (b *Backend) statusServer(net.Addr) (*radius.Packet, error) {
	p := radius.New(radius.CodeStatusServer, []byte(b.cfg.Secret))
	return p, rfc2865.NASIdentifier_SetString(p, b.cfg.NASIdentifier)
}

// alive notes that the server answered a Status-Server. It returns why its
// answers to logins are of no use, when that is so.
func (s *server) alive(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saysStatus = true
	if now.Before(s.downUntil) && (errors.Is(s.why, errUnsigned) || errors.Is(s.why, errForged)) {
		return s.why
	}
	return nil
}

// mayBeMute says whether silence towards a Status-Server means nothing.
func (s *server) mayBeMute(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.saysStatus && !now.Before(s.downUntil)
}
