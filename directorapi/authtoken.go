package directorapi

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/session"
)

// What a DCV server wants to hear ("External authentication" in the Amazon DCV
// administrator guide).
const verdictNo = `<auth result="no"><message>The token is not accepted.</message></auth>`

func verdictYes(user dcvix.Username) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(`<auth result="yes"><username>`)
	if err := xml.EscapeText(&b, []byte(user)); err != nil {
		return nil, err
	}
	b.WriteString(`</username></auth>`)
	return b.Bytes(), nil
}

// verifyToken is DCV's external authenticator: a DCV server was shown a session
// id and a token and asks who that is.
func (s *Server) verifyToken(c echo.Context) error {
	if err := c.Request().ParseForm(); err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			return errTooLarge
		}
		return malformed("The request is not a form.")
	}
	form := c.Request().PostForm
	claims, err := s.cfg.Tokens.Open(form.Get("authenticationToken"), token.Connection)
	if err != nil {
		err = fmt.Errorf("%w: %w", errBadToken, err)
	} else {
		err = s.entitled(c, claims, dcvix.SessionID(form.Get("sessionId")))
	}
	if err != nil {
		s.unverified(c, claims, err)
		s.metrics.verdict("no")
		return c.Blob(http.StatusOK, "text/xml", []byte(verdictNo))
	}
	body, err := verdictYes(claims.User)
	if err != nil {
		return err
	}
	s.metrics.verdict("yes")
	return c.Blob(http.StatusOK, "text/xml", body)
}

// entitled returns nil when the token lets its user into the session, on the host
// that asks as far as that is checked.
func (s *Server) entitled(c echo.Context, claims token.Claims, id dcvix.SessionID) error {
	if claims.Session != id || s.cfg.Broker.TokenRevoked(claims.ID) ||
		!s.cfg.Broker.Verify(c.Request().Context(), claims.User, id, claims.Server) {
		return errBadToken
	}
	return s.checkSource(c, claims)
}

// unverified puts a refusal on record, once a minute with their number. Who it was
// is known when the token was one of ours; strangers, who have none, are told apart
// by their address alone.
func (s *Server) unverified(c echo.Context, claims token.Claims, err error) {
	record := session.AuditRecord{Action: session.AuditSessionVerify, Actor: string(claims.User), Target: string(claims.Session)}
	if record.Actor != "" {
		record.Role = session.AuditUser
	}
	_ = s.noted(c, record, err) // returns err
	id, _ := c.Get(keyRequestID).(string)
	s.cfg.Logger.LogAttrs(c.Request().Context(), levelOf(c, slog.LevelInfo), "connection token refused", slog.String("request_id", id),
		slog.String("user", record.Actor), slog.String("session", record.Target), slog.String("address", c.RealIP()), slog.Any("err", err))
}
