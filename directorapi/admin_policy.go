package directorapi

import (
	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
)

// policyAccess says what the policy gives a user with groups, and why.
func (s *Server) policyAccess(c echo.Context) error {
	user := dcvix.Username(c.QueryParam("user"))
	if user.Validate() != nil {
		return malformed("Name a user: ?user=NAME, and their groups: &group=NAME.")
	}
	return ok(c, s.cfg.Broker.TraceAccess(user, c.QueryParams()["group"]))
}
