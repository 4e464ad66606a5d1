package directorapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// updateAgent takes in what an agent reports.
func (s *Server) updateAgent(c echo.Context) error {
	a, _ := c.Get(keyAgent).(session.Agent)
	update, err := readJSON[dcvix.AgentUpdate](c)
	if err != nil {
		return err
	}
	if err := s.cfg.Broker.Report(c.Request().Context(), a, c.RealIP(), update); err != nil {
		record := agentRecord(session.AuditAgentReport, a.ID)
		record.Old, record.New = string(a.Hostname), update.Stats.Hostname
		return s.noted(c, record, err)
	}
	return c.NoContent(http.StatusOK)
}
