package directorapi

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net/http"
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
	ctx, cancel := detached(c, 30*time.Second)
	defer cancel()
	a, err := s.cfg.Broker.Register(ctx, session.Registration{
		ID: req.GUID, KeyHash: sha256.Sum256(csr.RawSubjectPublicKeyInfo), Hostname: host,
		Port: req.AgentPort, Address: c.RealIP(), Token: req.RegistrationToken,
	})
	if errors.Is(err, session.ErrPending) {
		return c.JSON(http.StatusForbidden, dcvix.PendingResponse{Error: dcvix.PendingApproval})
	}
	if err != nil {
		return err
	}
	certificate, err := s.certify(ctx, a, csr)
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
	if sha256.Sum256(csr.RawSubjectPublicKeyInfo) != a.KeyHash {
		return session.ErrKeyMismatch
	}
	ctx, cancel := detached(c, 30*time.Second)
	defer cancel()
	certificate, err := s.certify(ctx, a, csr)
	if err != nil {
		return err
	}
	return ok(c, dcvix.RenewResponse{Certificate: certificate, RenewalIntervalSeconds: s.renewalSeconds()})
}

// csrOf reads a request whose sender holds the key and that names the agent.
func csrOf(der []byte, id dcvix.AgentID) (*x509.CertificateRequest, error) {
	csr, err := ca.ParseCSR(der)
	if err != nil {
		return nil, err
	}
	if csr.Subject.CommonName != dcvix.AgentCommonName+string(id) {
		return nil, errCSRName
	}
	return csr, nil
}

// certify signs for the recorded names and puts the certificate on record before
// it is handed out.
func (s *Server) certify(ctx context.Context, a session.Agent, csr *x509.CertificateRequest) (string, error) {
	names := []string{string(a.Hostname)}
	for _, alias := range a.Aliases {
		names = append(names, string(alias))
	}
	chain, err := s.cfg.CA.SignAgent(csr, ca.Identity{CommonName: dcvix.AgentCommonName + string(a.ID), DNSNames: names})
	if err != nil {
		return "", err
	}
	if err := s.cfg.Broker.Certified(ctx, a.ID, a.KeyHash, chain[0].SerialNumber.Text(16)); err != nil {
		return "", err
	}
	return string(ca.EncodePEM(chain...)), nil
}

func (s *Server) renewalSeconds() int { return int(s.cfg.RenewalInterval / time.Second) }
