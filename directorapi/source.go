package directorapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/session"
)

// A SourceCheck says what follows when a DCV server asks about a token for a
// session whose id repeats across hosts, such as "console", from another address
// than that of the host the token is for.
type SourceCheck string

// The kinds of SourceCheck.
const (
	SourceLog     SourceCheck = "log"     // it is logged; behind address translation it is always so
	SourceEnforce SourceCheck = "enforce" // the token is refused
	SourceOff     SourceCheck = "off"     // nothing
)

// lookupLimit is how long a viewer is kept waiting for a name server.
const lookupLimit = time.Second

// checkSource compares the host that a token is for with the one that asks. Ids
// that the director makes are on one host alone, so there the session says it.
func (s *Server) checkSource(c echo.Context, claims token.Claims) error {
	if s.cfg.VerifierSource == SourceOff || session.Unique(claims.Session) {
		return nil
	}
	agent, known := s.cfg.Broker.AgentOf(claims.Server)
	from, ok := parseAddress(c.RealIP())
	if known && ok && s.lives(c.Request().Context(), agent, from) {
		return nil
	}
	if s.cfg.VerifierSource == SourceEnforce {
		return fmt.Errorf("%w: %s", errElsewhere, claims.Server)
	}
	s.logSource(c, claims)
	return nil
}

// lives says whether an address is the agent's: the one it was last heard from, or
// one that its name means.
func (s *Server) lives(ctx context.Context, a session.Agent, from netip.Addr) bool {
	if heard, ok := parseAddress(a.Address); ok && sameMachine(heard, from) {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	named, err := s.cfg.Lookup(ctx, string(a.Hostname))
	if err != nil {
		s.cfg.Logger.DebugContext(ctx, "host name not looked up", slog.String("hostname", string(a.Hostname)), slog.Any("err", err))
	}
	return slices.ContainsFunc(named, func(n netip.Addr) bool { return sameMachine(n.Unmap().WithZone(""), from) })
}

func sameMachine(a, b netip.Addr) bool { return a == b || a.IsLoopback() && b.IsLoopback() }

// logSource says once a minute of each user, host and address that they do not fit.
func (s *Server) logSource(c echo.Context, claims token.Claims) {
	for _, r := range s.sources.add(session.AuditRecord{
		Time: s.cfg.Now(), Action: session.AuditSessionVerify, Actor: string(claims.User), Target: string(claims.Server), Address: c.RealIP(),
	}) {
		s.cfg.Logger.WarnContext(c.Request().Context(), "a DCV server asks about a token from another address than its host's: "+
			"see verifier_source in the documentation", slog.String("hostname", r.Target), slog.String("user", r.Actor),
			slog.String("address", r.Address), slog.Int("times", max(r.Count, 1)))
	}
}
