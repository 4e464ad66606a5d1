package directorapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/session"
)

// Keys of what the middleware leaves in an echo.Context for handlers.
const (
	keyClaims    = "claims"
	keyAgent     = "agent"
	keyOperator  = "operator"
	keyRequestID = "request_id"
	keyOnRecord  = "on_record" // set once something about the request was put on record
	keyRepeated  = "repeated"  // set when a refusal is only counted, because one like it is on record
)

// observe gives each request an id, keeps a panic from ending the connection
// without an answer, and logs what happened.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := newRequestID()
		c.Set(keyRequestID, id)
		header := c.Response().Header()
		header.Set("X-Request-Id", id)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		begin := time.Now()
		err := s.contained(c, next)
		if err != nil {
			s.writeError(err, c)
		}
		took := time.Since(begin)
		s.metrics.answered(c, took)
		if ctx := c.Request().Context(); s.cfg.Logger.Enabled(ctx, slog.LevelDebug) { // else nothing of it is looked up
			s.cfg.Logger.DebugContext(ctx, "request", slog.String("request_id", id),
				slog.String("method", c.Request().Method), slog.String("path", c.Request().URL.Path),
				slog.Int("status", c.Response().Status), slog.Duration("took", took),
				slog.String("address", c.RealIP()))
		}
		return nil
	}
}

func (s *Server) contained(c echo.Context, next echo.HandlerFunc) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler { //nolint:errorlint,err113 // the value itself is the sign
			panic(p)
		}
		err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}()
	return next(c)
}

func newRequestID() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}

// guard bounds the body and lets through whom admit lets use the route.
func (s *Server) guard(r route, admit func(echo.Context, access) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		req := c.Request()
		body := req.Body
		req.Body = http.MaxBytesReader(c.Response(), body, r.limit())
		err := admit(c, r.access)
		switch {
		case err != nil:
		case req.ContentLength > r.limit():
			err = errTooLarge
		default:
			err = r.handler(s, c)
		}
		if errors.Is(err, errTooLarge) {
			// A client that is still writing when its connection closes does not get
			// to read why; so some of what it writes is taken.
			_, _ = io.CopyN(io.Discard, body, limitKnown)
		}
		return s.refused(c, r, err)
	}
}

func (s *Server) admit(c echo.Context, who access) error {
	if len(s.proxies) > 0 {
		if _, err := s.proxies.origin(c.Request()); err != nil {
			return err
		}
	}
	if who != accessAgent && who != accessDCV && who != accessGateway { // those are no browsers
		if err := s.cross.Check(c.Request()); err != nil {
			return fmt.Errorf("%w: %w", errCrossOrigin, err)
		}
	}
	switch who {
	case accessNone, accessDCV:
	case accessGateway:
		return s.admitGateway(c)
	case accessUser, accessAdmin:
		claims, err := s.claims(c.Request())
		if err != nil {
			return err
		}
		c.Set(keyClaims, claims)
		if who == accessAdmin && !s.isAdmin(claims) {
			return errNoAdmin
		}
	case accessAgent:
		a, err := s.agent(c.Request())
		c.Set(keyAgent, a)
		if err != nil {
			c.Response().Header().Set("Connection", "close") // nobody we know keeps one open
			return err
		}
	}
	return nil
}

// claims returns what the login of a request says: from the cookie, or for
// scripts from the Authorization header.
func (s *Server) claims(r *http.Request) (token.Claims, error) {
	sealed := bearer(r)
	if cookie, err := r.Cookie(dcvix.CookieName); err == nil && sealed == "" {
		sealed = cookie.Value
	}
	if sealed == "" {
		return token.Claims{}, errNoLogin
	}
	claims, err := s.cfg.Tokens.Open(sealed, token.User, token.Admin)
	if err != nil {
		return token.Claims{}, fmt.Errorf("%w: %w", errNoLogin, err)
	}
	if s.cfg.Broker.TokenRevoked(claims.ID) {
		return token.Claims{}, fmt.Errorf("%w: it was logged out", errNoLogin)
	}
	return claims, nil
}

func bearer(r *http.Request) string {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(value)
}

// isAdmin asks the token and the policy of this moment.
func (s *Server) isAdmin(c token.Claims) bool {
	return c.Category == token.Admin && s.cfg.Broker.Access(c.User, c.Groups).Admin
}

// actor is who acts: the operator whom the control half let in, or a login.
func (s *Server) actor(c echo.Context) session.Actor {
	if operator, local := c.Get(keyOperator).(string); local {
		return session.Actor{User: dcvix.Username(operator), Admin: true}
	}
	claims, _ := c.Get(keyClaims).(token.Claims)
	return session.Actor{User: claims.User, Groups: claims.Groups, Admin: s.isAdmin(claims)}
}

// agent returns the registered agent whose certificate the peer holds. With an
// error it returns the id in a certificate of ours, for the record, and no more.
func (s *Server) agent(r *http.Request) (session.Agent, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return session.Agent{}, errNoAgent
	}
	in := inboundOf(r)
	who, noted := s.conns.peer(in)
	if now := s.cfg.Now(); !noted || !now.Before(who.expires) {
		var err error
		if who, err = verifyAgent(s.cfg.CA, r.TLS.PeerCertificates, now); err != nil {
			return session.Agent{}, fmt.Errorf("%w: %w", errNoAgent, err)
		}
		// Noted first, because whoever revokes an agent commits and closes then: either
		// its connection is found, or we find it revoked.
		if in != nil {
			s.conns.note(in, who)
		}
	}
	a, err := s.cfg.Broker.Authorize(who.id, who.key)
	if err != nil {
		return session.Agent{ID: who.id}, fmt.Errorf("%w: %w", errNoAgent, err)
	}
	if !noted {
		s.certEnds.note(who)
		if in != nil {
			in.free()
		}
	}
	return a, nil
}

// detached keeps a request's values but not its end, for what must be finished
// once it was begun.
func detached(c echo.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(c.Request().Context()), limit)
}
