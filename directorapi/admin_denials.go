package directorapi

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/session"
)

func (s *Server) listDenials(c echo.Context) error {
	denials := make([]dcvix.Denial, 0)
	for _, d := range s.cfg.Broker.Denials() {
		denials = append(denials, dcvix.Denial{
			GUID: d.ID, Fingerprint: ca.Fingerprint(d.KeyHash).String(), DeniedAt: dcvix.Time{Time: d.At},
		})
	}
	return ok(c, denials)
}

func (s *Server) forgetDenial(c echo.Context) error {
	id := dcvix.AgentID(c.Param("guid"))
	if id.Validate() != nil {
		return session.ErrNotFound
	}
	ctx, cancel := detached(c, 30*time.Second)
	defer cancel()
	record := s.act(c, session.AuditForgetDenial)
	record.Target = string(id)
	all := s.cfg.Broker.Denials()
	if i := slices.IndexFunc(all, func(d session.Denial) bool { return d.ID == id }); i >= 0 {
		record.Old = fmt.Sprintf("denied with key %s", ca.Fingerprint(all[i].KeyHash))
	}
	if err := s.onRecord(c, record, s.cfg.Broker.ForgetDenial(ctx, id)); err != nil {
		return err
	}
	return c.NoContent(http.StatusOK)
}
