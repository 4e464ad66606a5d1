package directorapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/session"
)

// registerAgent answers an agent that asks for a certificate. It checks that the
// sender holds the key, asks the broker whether the agent may have one, and only
// then signs.
func (s *Server) registerAgent(c echo.Context) error {
	req, err := readJSON[dcvix.RegisterRequest](c)
	if err != nil {
		return err
	}
	if err := req.GUID.Validate(); err != nil {
		return malformed("The GUID is not a UUID of version 4 in lower case.")
	}
	host, err := dcvix.ParseHostname(req.Hostname)
	if err != nil {
		return malformed("The host name is not one: use letters, digits, \"-\" and dots.")
	}
	if req.AgentPort != 0 && (req.AgentPort < 1024 || req.AgentPort > 65535) {
		return malformed("The agent's port is between 1024 and 65535.")
	}
	csr, err := csrOf(req.CSR, req.GUID)
	if err != nil {
		return err
	}
	a, err := s.register(c, session.Registration{
		ID: req.GUID, KeyHash: session.KeyHash(csr.Fingerprint()), Hostname: host,
		Port: req.AgentPort, Address: c.RealIP(), Token: req.RegistrationToken,
	})
	if errors.Is(err, session.ErrPending) {
		return c.JSON(http.StatusForbidden, dcvix.PendingResponse{Error: dcvix.PendingApproval})
	}
	if err != nil {
		return err
	}
	certificate, err := s.certify(c, a, csr)
	if err != nil {
		return err
	}
	return ok(c, dcvix.RegisterResponse{
		Certificate: certificate, CA: string(s.cfg.CA.PEM()), AgentID: a.ID, RenewalIntervalSeconds: s.renewalSeconds(),
	})
}

// renewAgent signs anew for an agent that proved who it is.
func (s *Server) renewAgent(c echo.Context) error {
	a, _ := c.Get(keyAgent).(session.Agent)
	req, err := readJSON[dcvix.RenewRequest](c)
	if err != nil {
		return err
	}
	csr, err := csrOf(req.CSR, a.ID)
	if err != nil {
		return err
	}
	if key := session.KeyHash(csr.Fingerprint()); key != a.KeyHash {
		return s.conflict(c, a, key)
	}
	certificate, err := s.certify(c, a, csr)
	if err != nil {
		return err
	}
	return ok(c, dcvix.RenewResponse{Certificate: certificate, RenewalIntervalSeconds: s.renewalSeconds()})
}

// conflict is for an agent that wants a certificate for another key than its own:
// the admin sees it as if the agent had registered with that key.
func (s *Server) conflict(c echo.Context, a session.Agent, key session.KeyHash) error {
	_, err := s.register(c, session.Registration{ID: a.ID, KeyHash: key, Hostname: a.Hostname, Port: a.Port, Address: c.RealIP()})
	return errors.Join(session.ErrKeyMismatch, err)
}

// csrOf reads a request whose sender holds the key and that names the agent.
func csrOf(der []byte, id dcvix.AgentID) (*ca.CSR, error) {
	csr, err := ca.ParseCSR(der)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(csr.CommonNames(), []string{dcvix.AgentCommonName + string(id)}) {
		return nil, errCSRName
	}
	return csr, nil
}

// register asks the broker and puts on record what that changed: an agent that
// waits and asks again changes nothing.
func (s *Server) register(c echo.Context, r session.Registration) (session.Agent, error) {
	ctx, cancel := detached(c, 30*time.Second)
	defer cancel()
	before, known := s.cfg.Broker.Agent(r.ID)
	a, err := s.cfg.Broker.Register(ctx, r)
	after, noted := s.cfg.Broker.Agent(r.ID)
	record := agentRecord(session.AuditAgentRegister, r.ID)
	record.New = fmt.Sprintf("%s with key %s", r.Hostname, ca.Fingerprint(r.KeyHash))
	switch {
	case errors.Is(err, session.ErrKeyMismatch):
		record.Action, record.Old = session.AuditAgentConflict, summary(before)
		return a, s.onRecord(c, record, err)
	case err != nil && !errors.Is(err, session.ErrPending):
		if !known {
			record.Actor, record.Target, record.New = "", "", "" // whatever it says it is: there is one line a minute
		}
		return a, s.onRecord(c, record, err)
	case !known && noted:
		return a, errors.Join(s.noted(c, record, nil), err)
	case known && after.Requested != before.Requested:
		record.Action, record.Old, record.New = session.AuditAgentRenameWish, string(before.Hostname), string(after.Requested)
		return a, errors.Join(s.noted(c, record, nil), err)
	}
	return a, err
}

// certify signs for the recorded names and puts the certificate on record before
// it is handed out.
func (s *Server) certify(c echo.Context, a session.Agent, csr *ca.CSR) (string, error) {
	ctx, cancel := detached(c, 30*time.Second)
	defer cancel()
	serial, certificate, err := s.sign(ctx, a, csr)
	record := agentRecord(session.AuditAgentCertify, a.ID)
	record.Old = a.Serial
	record.New = serial
	return certificate, s.onRecord(c, record, err)
}

func (s *Server) sign(ctx context.Context, a session.Agent, csr *ca.CSR) (serial, certificate string, err error) {
	if taken := s.cfg.Broker.ReservedNames(a); len(taken) > 0 {
		return "", "", fmt.Errorf("%s: %w", taken[0], session.ErrNameReserved)
	}
	names := []string{string(a.Hostname)}
	for _, alias := range a.Aliases {
		names = append(names, string(alias))
	}
	chain, err := s.cfg.CA.SignAgent(csr, ca.Identity{CommonName: dcvix.AgentCommonName + string(a.ID), DNSNames: names})
	if err != nil {
		return "", "", err
	}
	serial = chain[0].SerialNumber.Text(16)
	if err := s.cfg.Broker.Certified(ctx, a.ID, a.KeyHash, serial); err != nil {
		return "", "", err
	}
	return serial, string(ca.EncodePEM(chain...)), nil
}

func (s *Server) renewalSeconds() int { return int(s.cfg.RenewalInterval / time.Second) }
