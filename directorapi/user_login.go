package directorapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/session"
)

func (s *Server) loginOptions(c echo.Context) error {
	return ok(c, dcvix.LoginOptions{OTP: s.cfg.OTP})
}

func (s *Server) userLogin(c echo.Context) error { return s.login(c, token.User) }

func (s *Server) adminLogin(c echo.Context) error { return s.login(c, token.Admin) }

func (s *Server) login(c echo.Context, category token.Category) error {
	req, err := readJSON[dcvix.LoginRequest](c)
	if err != nil {
		return err
	}
	who, err := s.authenticate(c, req, category)
	record := session.AuditRecord{Action: session.AuditLogin, Role: session.AuditRole(category), Actor: req.UserID}
	if err == nil {
		record.Actor = string(who.User) // as the backend writes it
	}
	err = s.onRecord(c, record, err)
	s.logLogin(c, req.UserID, category, err)
	if err != nil {
		return err
	}
	sealed, expires, err := s.cfg.Tokens.Seal(token.Claims{User: who.User, Category: category, Groups: who.Groups}, s.cfg.LoginTTL)
	if err != nil {
		return err
	}
	setCookie(c, sealed, expires)
	return ok(c, struct{}{})
}

func (s *Server) authenticate(c echo.Context, req dcvix.LoginRequest, category token.Category) (auth.Identity, error) {
	credentials := auth.Credentials{User: req.UserID, Password: auth.Secret(req.Password), OTP: auth.Secret(req.OTP)}
	credentials.Address = c.RealIP()
	if err := credentials.Check(); err != nil {
		return auth.Identity{}, err
	}
	if req.Challenge != "" {
		var err error
		if credentials.Challenge, err = s.challenges.open(req.Challenge, req.UserID, c.RealIP()); err != nil {
			return auth.Identity{}, err
		}
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.cfg.LoginTimeout)
	defer cancel()
	who, err := s.throttled(category).Authenticate(ctx, credentials)
	switch challenge := (*auth.Challenge)(nil); {
	case errors.As(err, &challenge):
		return auth.Identity{}, s.secondStep(c, challenge, req.UserID)
	case err != nil:
		return auth.Identity{}, err
	}
	if err := who.User.Validate(); err != nil {
		return auth.Identity{}, fmt.Errorf("the login backend returned: %w", err)
	}
	return who, nil
}

// secondStep returns the error that asks for a second step. A client that does
// not say that it reads problems, as all of the 0.1 generation, hears what
// everybody hears whose login is refused.
func (s *Server) secondStep(c echo.Context, challenge *auth.Challenge, user string) error {
	if !strings.Contains(c.Request().Header.Get("Accept"), "application/problem+json") {
		return fmt.Errorf("%w: the login backend asks for a second step, which the client does not know", errBadLogin)
	}
	step, err := s.challenges.seal(challenge, user, c.RealIP())
	if err != nil {
		return err
	}
	return step
}

// logLogin puts each login in the log, refusals that repeat one another for those
// who look closer. A user name is up to 256 bytes here: what is longer was refused
// and is cut.
func (s *Server) logLogin(c echo.Context, user string, category token.Category, err error) {
	id, _ := c.Get(keyRequestID).(string)
	s.cfg.Logger.LogAttrs(c.Request().Context(), levelOf(c, slog.LevelInfo), "login", slog.String("user", fmt.Sprintf("%.256s", user)),
		slog.String("category", string(category)), slog.Bool("accepted", err == nil),
		slog.String("address", c.RealIP()), slog.String("request_id", id))
}

// logout ends the login in the request, if there is one, and always succeeds.
func (s *Server) logout(c echo.Context) error {
	if claims, err := s.claims(c.Request()); err == nil {
		ctx, cancel := detached(c, 10*time.Second)
		defer cancel()
		err := s.cfg.Broker.RevokeToken(ctx, claims.ID, claims.ExpiresAt)
		if err := s.noted(c, session.AuditRecord{
			Action: session.AuditLogout, Role: session.AuditRole(claims.Category), Actor: string(claims.User),
		}, err); err != nil {
			return err
		}
	}
	setCookie(c, "", time.Unix(0, 0))
	return c.NoContent(http.StatusOK)
}

func setCookie(c echo.Context, value string, expires time.Time) {
	c.SetCookie(&http.Cookie{
		Name: dcvix.CookieName, Value: value, Path: "/", Expires: expires,
		HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode,
	})
}
