package directorapi

import (
	"fmt"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// setConfig changes settings of a host's DCV server, as launchers do before they
// connect. A user's own rights count, also an admin's.
func (s *Server) setConfig(c echo.Context) error {
	req, err := readJSON[dcvix.ConfigRequest](c)
	if err != nil {
		return err
	}
	if len(req.Config) == 0 || len(req.Config) > session.MaxSettings {
		return malformed("The request has %d settings: send 1 to %d.", len(req.Config), session.MaxSettings)
	}
	who, server := session.Actor{User: s.actor(c).User}, c.Param("server")
	pushed, err := s.cfg.Broker.SetConfig(c.Request().Context(), who, server, req.Config)
	if err == nil && !pushed { // the broker has said why in the log
		return ok(c, struct{}{})
	}
	record := s.act(c, session.AuditSettingsPush)
	record.Target, record.New = server, settingsText(req.Config)
	if err := s.onRecord(c, record, err); err != nil {
		return err
	}
	return ok(c, struct{}{})
}

func settingsText(settings []dcvix.Setting) string {
	texts := make([]string, len(settings))
	for i, s := range settings {
		texts[i] = fmt.Sprintf("%.80s/%.80s = %.80s", s.Section, s.Key, s.Value)
	}
	return strings.Join(texts, "; ")
}
