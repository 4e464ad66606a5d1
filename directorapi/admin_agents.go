package directorapi

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/session"
)

func (s *Server) listAgents(c echo.Context) error {
	state := dcvix.AgentState(c.QueryParam("state"))
	switch state {
	case "", dcvix.AgentPending, dcvix.AgentRegistered, dcvix.AgentRevoked:
	default:
		return malformed("The state is \"pending\", \"registered\" or \"revoked\".")
	}
	found := s.cfg.Broker.Agents(state)
	agents := make([]dcvix.Agent, len(found))
	for i, a := range found {
		agents[i] = agentForAdmin(a)
	}
	return s.list(c, agents)
}

func agentForAdmin(a session.AgentStatus) dcvix.Agent {
	return dcvix.Agent{
		GUID: a.ID, Hostname: a.Hostname, State: a.State, CreatedAt: dcvix.Time{Time: a.CreatedAt},
		RegisteredAt: dcvix.Time{Time: a.RegisteredAt}, LastSeenAt: dcvix.Time{Time: a.LastSeenAt},
		CertSerial: a.Serial, Tags: a.Tags, Fingerprint: ca.Fingerprint(a.KeyHash).String(),
		RequestedHostname: a.Requested, Aliases: a.Aliases, Conflict: a.Conflict, Version: a.Version, OrphanedBy: a.OrphanedBy,
	}
}

func (s *Server) approveAgent(c echo.Context) error {
	req, err := readOptionalJSON[dcvix.ApproveRequest](c)
	if err != nil {
		return err
	}
	for i, name := range req.Aliases {
		if req.Aliases[i], err = dcvix.ParseHostname(string(name)); err != nil {
			return malformed("An alias is not a host name: use letters, digits, \"-\" and dots.")
		}
	}
	return s.onAgent(c, session.AuditAgentApprove, func(ctx context.Context, id dcvix.AgentID) error {
		return s.cfg.Broker.Approve(ctx, id, session.Approval{Replace: req.Replace, Aliases: req.Aliases})
	})
}

func (s *Server) denyAgent(c echo.Context) error {
	return s.onAgent(c, session.AuditAgentDeny, s.cfg.Broker.Deny)
}

func (s *Server) revokeAgent(c echo.Context) error {
	return s.onAgent(c, session.AuditAgentRevoke, s.cfg.Broker.Revoke)
}

func (s *Server) reactivateAgent(c echo.Context) error {
	return s.onAgent(c, session.AuditAgentReactivate, s.cfg.Broker.Reactivate)
}

// onAgent does one act on the agent in the path.
func (s *Server) onAgent(c echo.Context, action session.AuditAction, act func(context.Context, dcvix.AgentID) error) error {
	if err := s.actOn(c, dcvix.AgentID(c.Param("guid")), action, act); err != nil {
		return err
	}
	return c.NoContent(http.StatusOK)
}

// actOn does one act on an agent, to its end even if the admin's browser leaves,
// and puts on record what it changed. Many may run at once for one request.
func (s *Server) actOn(c echo.Context, id dcvix.AgentID, action session.AuditAction, act func(context.Context, dcvix.AgentID) error) error {
	if id.Validate() != nil {
		return session.ErrNotFound
	}
	ctx, cancel := detached(c, 30*time.Second)
	defer cancel()
	before, _ := s.cfg.Broker.Agent(id)
	err := act(ctx, id)
	after, _ := s.cfg.Broker.Agent(id)
	record := s.act(c, action)
	record.Target, record.Old, record.New = string(id), summary(before), summary(after)
	if action == session.AuditAgentApprove || action == session.AuditAgentReactivate {
		return s.onRecord(c, record, err)
	}
	return s.noted(c, record, err)
}
