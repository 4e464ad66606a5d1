package directorapi

import (
	"encoding/xml"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/token"
)

// verdict is what a DCV server wants to hear ("External authentication" in the
// Amazon DCV administrator guide).
type verdict struct {
	XMLName  xml.Name `xml:"auth"`
	Result   string   `xml:"result,attr"`
	Username string   `xml:"username,omitempty"`
	Message  string   `xml:"message,omitempty"`
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
	answer := verdict{Result: "no", Message: "The token is not accepted."}
	claims, err := s.cfg.Tokens.Open(form.Get("authenticationToken"), token.Connection)
	if err == nil && s.entitled(c, claims, dcvix.SessionID(form.Get("sessionId"))) {
		answer = verdict{Result: "yes", Username: string(claims.User)}
	}
	body, err := xml.Marshal(answer)
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "text/xml", body)
}

func (s *Server) entitled(c echo.Context, claims token.Claims, id dcvix.SessionID) bool {
	return claims.Session == id && !s.cfg.Broker.TokenRevoked(claims.ID) &&
		s.cfg.Broker.Verify(c.Request().Context(), claims.User, id, claims.Server)
}
