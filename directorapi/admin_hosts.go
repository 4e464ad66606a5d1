package directorapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

func serverForAdmin(h session.Host) dcvix.Server {
	server := dcvix.Server{
		Stats: h.Stats, AgentIP: h.Address, Tags: h.Tags, LastSeen: dcvix.Time{Time: h.LastSeen},
		Sessions: h.Sessions, Problems: h.Problems, GPUs: h.GPUs, Licence: h.Licence,
		GUID: h.Agent, Version: h.Version, Silent: h.Silent,
	}
	server.Hostname = string(h.Name)
	if h.Flags.Maintenance {
		server.Maintenance = &dcvix.Maintenance{Message: h.Flags.Message, By: h.Flags.By, Since: dcvix.Time{Time: h.Flags.At}}
	}
	return server
}

// showServer answers for every registered agent, also for one whose host does not
// report.
func (s *Server) showServer(c echo.Context) error {
	a, known := s.cfg.Broker.AgentOf(dcvix.Hostname(c.Param("server")))
	if !known {
		return session.ErrNotFound
	}
	host, reports := s.cfg.Broker.Host(a.ID)
	status := session.AgentStatus{Agent: a, Tags: host.Tags, Version: host.Version}
	return ok(c, dcvix.ServerDetail{Server: serverForAdmin(host), Reports: reports, Agent: agentForAdmin(status)})
}

// serverHistory answers for every registered agent.
func (s *Server) serverHistory(c echo.Context) error {
	a, known := s.cfg.Broker.AgentOf(dcvix.Hostname(c.Param("server")))
	if !known {
		return session.ErrNotFound
	}
	begin, samples := s.cfg.Broker.History(a.ID)
	answer := dcvix.HostHistory{
		ServerID: a.Hostname, Begin: dcvix.Time{Time: begin}, StepSeconds: int(session.HistoryStep / time.Second),
		Samples: make([]*dcvix.HostSample, len(samples)),
	}
	for i, h := range samples {
		if h != nil {
			answer.Samples[i] = &dcvix.HostSample{
				CPU: max(h.CPU, 0) * 100, Memory: percent(h.Memory), GPU: percent(h.GPU), GPUMemory: percent(h.GPUMemory),
				Load: h.Load, Sessions: h.Sessions, Connections: h.Connections,
			}
		}
	}
	return s.list(c, answer)
}

// percent returns nil for a share that is not known.
func percent(share float64) *float64 {
	if share < 0 {
		return nil
	}
	p := share * 100
	return &p
}

func (s *Server) drain(c echo.Context) error {
	req, err := readOptionalJSON[dcvix.DrainRequest](c)
	if err != nil {
		return err
	}
	message := strings.TrimSpace(req.Message)
	return s.onHost(c, session.AuditHostDrain, message, func(ctx context.Context, who session.Actor, host string) error {
		err := s.cfg.Broker.Drain(ctx, who, host, message)
		if errors.Is(err, session.ErrInvalid) {
			return malformed("The message is one line of up to 300 characters.")
		}
		return err
	})
}

func (s *Server) undrain(c echo.Context) error {
	return s.onHost(c, session.AuditHostUndrain, "", s.cfg.Broker.Undrain)
}

// onHost does one act on the host in the path, to its end even if the admin's
// browser leaves, and puts it on record.
func (s *Server) onHost(c echo.Context, action session.AuditAction, message string, act func(context.Context, session.Actor, string) error) error {
	ctx, cancel := detached(c, 30*time.Second)
	defer cancel()
	host := c.Param("server")
	err := act(ctx, s.actor(c), host)
	record := s.act(c, action)
	record.Target, record.New = host, message
	if err := s.onRecord(c, record, err); err != nil {
		return err
	}
	return c.NoContent(http.StatusOK)
}

func (s *Server) explain(c echo.Context) error {
	req, err := readJSON[dcvix.ExplainRequest](c)
	if err != nil {
		return err
	}
	want, err := explainRequest(req)
	if err != nil {
		return err
	}
	e, err := s.cfg.Broker.Explain(c.Request().Context(), s.actor(c), want)
	switch {
	case errors.Is(err, session.ErrForbidden):
		return fmt.Errorf("%w: %w", errNotTheirs, err)
	case err != nil:
		return err
	}
	answer := dcvix.Explanation{Strategy: e.Strategy, Chosen: e.Chosen, Hosts: make([]dcvix.HostReason, len(e.Hosts))}
	for i, h := range e.Hosts {
		answer.Hosts[i] = dcvix.HostReason{
			Name: h.Name, ServerID: h.Host, Code: string(h.Code), Reason: h.Reason, Chosen: h.Chosen, Load: h.Load, Sessions: h.Sessions,
		}
	}
	return ok(c, answer)
}

// maxGroups bounds the groups in a request, as in a login.
const maxGroups = 64

func explainRequest(req dcvix.ExplainRequest) (session.OpenRequest, error) {
	kind, err := dcvix.ParseSessionType(req.SessionType)
	owner := dcvix.Username(req.UserID)
	switch {
	case err != nil:
		return session.OpenRequest{}, malformed("The session type is \"console\" or \"virtual\".")
	case owner.Validate() != nil:
		return session.OpenRequest{}, malformed("The user name has 1 to 256 bytes, no control characters and does not start with \"-\".")
	case (req.ServerID == "") == (req.PoolID == ""):
		return session.OpenRequest{}, malformed("The request is about a host or a pool: send serverId or poolId.")
	case len(req.Groups) > maxGroups:
		return session.OpenRequest{}, malformed("The request has %d groups: send up to %d.", len(req.Groups), maxGroups)
	}
	return session.OpenRequest{Owner: owner, OwnerGroups: req.Groups, Server: req.ServerID, Pool: req.PoolID, Type: kind}, nil
}
