package agentclient

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
)

// While an admin has not approved, the agent asks every pendingWait less a
// random fifth; at first sooner, since an admin often stands beside a host that
// was just set up.
const (
	firstPendingWait = 2 * time.Second
	pendingWait      = 30 * time.Second
)

// errPending is the answer to an agent that nobody approved yet.
var errPending = errors.New("an admin has to approve this agent")

// enrol asks for a certificate until there is one. It returns an error only when
// ctx ends.
func (a *Agent) enrol(ctx context.Context) error {
	told := false // that we are pending
	wait := firstPendingWait
	defer a.left("register")
	for failures := 0; ; {
		a.heard("register", maxRetry)
		err := a.ask(ctx, a.register)
		switch {
		case err == nil:
			a.trouble(ctx, "register", nil)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errPending):
			failures = 0
			a.trouble(ctx, "register", nil)
			a.move(ctx, Pending)
			if !told {
				told = true
				a.cfg.Logger.InfoContext(ctx, "waiting for an admin to approve this agent: compare the fingerprint",
					slog.String("guid", string(a.identity.guid)),
					slog.String("key_fingerprint", a.identity.fingerprint.String()))
			}
			err = sleep(ctx, spread(wait, wait/5))
			wait = min(2*wait, pendingWait)
		default:
			failures++
			a.trouble(ctx, "register", err)
			err = retryAfter(ctx, failures, maxRetry)
		}
		if err != nil {
			return err
		}
	}
}

// register asks once. It returns errPending when an admin has to decide.
func (a *Agent) register(ctx context.Context, d *director) error {
	if a.pin != nil && a.anchor.Load() == nil {
		if err := a.findPinned(ctx, d); err != nil {
			return err
		}
	}
	body, err := json.Marshal(dcvix.RegisterRequest{
		CSR:               a.identity.csr,
		GUID:              a.identity.guid,
		Hostname:          string(a.hostname),
		RegistrationToken: a.cfg.RegistrationToken,
		AgentPort:         a.cfg.AgentPort,
	})
	if err != nil {
		return fmt.Errorf("write the registration: %w", err)
	}
	answer, err := d.post(ctx, dcvix.PathAgentRegister, body)
	if err != nil {
		return err
	}
	if answer.status != http.StatusOK {
		var pending dcvix.PendingResponse
		if answer.status == http.StatusForbidden && json.Unmarshal(answer.body, &pending) == nil && pending.Error == dcvix.PendingApproval {
			return errPending
		}
		return answer.refusal()
	}
	granted, err := parseGrant(answer.body)
	if err != nil {
		return err
	}
	return a.accept(ctx, d, granted, answer.tls.PeerCertificates)
}

// A grant is a certificate, and with it the CA when it answers a registration.
type grant struct {
	chain []*x509.Certificate // ours first
	ca    *x509.Certificate
	look  int // seconds
}

// parseGrant reads the answer to a registration. It needs both certificates.
func parseGrant(body []byte) (grant, error) {
	var r dcvix.RegisterResponse
	if err := json.Unmarshal(body, &r); err != nil {
		return grant{}, errors.New("the answer to the registration is not the JSON of a director: check director_host and director_port")
	}
	chain, err := ca.ParseCerts([]byte(r.Certificate))
	if err != nil {
		return grant{}, fmt.Errorf("the certificate in the director's answer: %w", err)
	}
	issuers, err := ca.ParseCerts([]byte(r.CA))
	if err != nil {
		return grant{}, fmt.Errorf("the CA in the director's answer: %w", err)
	}
	return grant{chain: chain, ca: issuers[0], look: r.RenewalIntervalSeconds}, nil
}

// accept checks what was granted over a connection on which d showed that chain, and keeps it: the CA first, so that an agent that is killed in
// between trusts no other director when it comes back.
func (a *Agent) accept(ctx context.Context, d *director, g grant, shown []*x509.Certificate) error {
	anchor := a.anchor.Load()
	switch {
	case anchor == nil:
		if shown[0].CheckSignatureFrom(g.ca) != nil {
			return &trustError{sentence: fmt.Sprintf(
				"the director gives the CA %s, which did not issue the certificate it shows: somebody may be in between; nothing was stored", ca.FingerprintOf(g.ca))}
		}
		if err := a.checkDirector(d, shown, g.ca); err != nil {
			return err
		}
	case !anchor.Equal(g.ca):
		return &trustError{sentence: fmt.Sprintf("the director gives the CA %s but %s is trusted: nothing was stored",
			ca.FingerprintOf(g.ca), ca.FingerprintOf(anchor))}
	}
	if err := a.checkOwn(g.chain, g.ca); err != nil {
		return fmt.Errorf("the director's answer cannot be used: %w", err)
	}
	if stored, err := ca.ReadCertFile(a.path(CAFile)); err != nil || !stored[0].Equal(g.ca) {
		if err := ca.WriteFile(a.path(CAFile), ca.EncodePEM(g.ca), 0o644); err != nil {
			return err
		}
	}
	if anchor == nil {
		a.cfg.Logger.WarnContext(ctx, "the director's CA was stored on first contact and is the only one trusted from now on",
			slog.String("ca_fingerprint", ca.FingerprintOf(g.ca).String()), slog.String("file", a.path(CAFile)))
	}
	a.trustCA(g.ca)
	if err := ca.WriteFile(a.path(CertFile), ca.EncodePEM(g.chain...), 0o644); err != nil {
		return err
	}
	a.lookEvery(g.look)
	a.use(g.chain)
	a.cfg.Logger.InfoContext(ctx, "enrolled", slog.Time("not_after", g.chain[0].NotAfter),
		slog.String("serial", g.chain[0].SerialNumber.Text(16)))
	return nil
}
