package directorapi

import (
	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

func (s *Server) listSessions(c echo.Context) error { return s.listHosts(c, s.sessionTexts) }

func (s *Server) listServers(c echo.Context) error { return s.listHosts(c, s.serverTexts) }

// openSession is for admins: for any user, on any host or in a pool.
func (s *Server) openSession(c echo.Context) error {
	req, err := readJSON[dcvix.CreateSessionRequest](c)
	if err != nil {
		return err
	}
	kind, err := dcvix.ParseSessionType(req.SessionType)
	if err != nil {
		return malformed("The session type is \"console\" or \"virtual\".")
	}
	owner := dcvix.Username(req.UserID)
	if owner.Validate() != nil {
		return malformed("The user name has 1 to 256 bytes, no control characters and does not start with \"-\".")
	}
	return s.open(c, s.actor(c), session.OpenRequest{
		Owner: owner, Server: req.ServerID, Pool: req.PoolID, Type: kind, ID: dcvix.SessionID(req.SessionID),
	})
}
