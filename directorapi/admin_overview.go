package directorapi

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
)

// How long before its end a certificate needs attention. Agents of ours renew daily
// what lives for 14 days, those of the 0.1 generation in its last 12 to 24 hours; the
// director renews its own 30 days before, but not one that an admin placed.
const (
	agentCertSoon    = 72 * time.Hour
	oldAgentCertSoon = 12 * time.Hour
	serverCertSoon   = 14 * 24 * time.Hour
	serverCertNow    = 3 * 24 * time.Hour
	caSoon           = 365 * 24 * time.Hour
	caNow            = 30 * 24 * time.Hour
)

func (s *Server) overview(c echo.Context) error {
	now := s.cfg.Now()
	o := s.cfg.Broker.Overview()
	o.Version = dcvix.Version
	authority := s.cfg.CA.Certificate()
	o.CA = dcvix.CertificateEnd{Fingerprint: ca.FingerprintOf(authority).String(), EndsAt: dcvix.Time{Time: authority.NotAfter}}
	o.Certificates = []dcvix.CertificateEnd{}
	if left := authority.NotAfter.Sub(now); left < caSoon {
		o.Attention = append(o.Attention, certificateEnds("ca-ends", "the CA", authority, now, severity(left, caNow),
			"all agents and the director will need another one"))
	}
	s.serverCertEnds(&o, now)
	s.agentCertsEnd(&o, now)
	if since := s.auditFails.Since(); !since.IsZero() {
		o.Attention = append(o.Attention, dcvix.Attention{
			Kind: "audit-trouble", Severity: dcvix.SeverityCritical, Since: dcvix.Time{Time: since}, Acts: []string{},
			Text: "The audit cannot be written, so that logins and approvals fail: the director's log says why.",
		})
	}
	for i := range o.Attention {
		if t := &o.Attention[i]; t.Kind == "agent-pending" || t.Kind == "key-conflict" {
			if a, known := s.cfg.Broker.Agent(t.GUID); known {
				t.Fingerprint = ca.Fingerprint(a.KeyHash).String()
			}
		}
	}
	slices.SortFunc(o.Attention, byUrgency())
	o.AttentionTotal = len(o.Attention)
	o.Attention = first(o.Attention)
	o.Licences = first(o.Licences)
	slices.SortFunc(o.Certificates, func(a, b dcvix.CertificateEnd) int {
		return cmp.Or(a.EndsAt.Compare(b.EndsAt.Time), cmp.Compare(a.ServerID, b.ServerID))
	})
	o.Certificates = first(o.Certificates)
	return s.list(c, o)
}

func first[T any](all []T) []T { return all[:min(len(all), dcvix.MaxOverview)] } // any: the elements are not looked at

func severity(left, now time.Duration) dcvix.Severity {
	if left < now {
		return dcvix.SeverityCritical
	}
	return dcvix.SeverityWarning
}

func certificateEnds(kind, whose string, cert *x509.Certificate, now time.Time, severity dcvix.Severity, then string) dcvix.Attention {
	ends := "ends"
	if !now.Before(cert.NotAfter) {
		ends = "ended"
	}
	return dcvix.Attention{
		Kind: kind, Severity: severity, Acts: []string{},
		Text: fmt.Sprintf("The certificate of %s %s on %s: %s.", whose, ends, cert.NotAfter.UTC().Format(time.DateOnly), then),
	}
}

func (s *Server) serverCertEnds(o *dcvix.Overview, now time.Time) {
	if s.cfg.ServerCertificate == nil {
		return
	}
	cert := s.cfg.ServerCertificate()
	if cert == nil {
		return
	}
	left := cert.NotAfter.Sub(now)
	if left >= serverCertSoon {
		return
	}
	o.Certificates = append(o.Certificates, dcvix.CertificateEnd{
		Fingerprint: ca.FingerprintOf(cert).String(), EndsAt: dcvix.Time{Time: cert.NotAfter},
	})
	o.Attention = append(o.Attention, certificateEnds("certificate-ends", "the director", cert, now, severity(left, serverCertNow), "place another one in its folder"))
}

// agentCertsEnd looks at the certificates that agents showed last.
func (s *Server) agentCertsEnd(o *dcvix.Overview, now time.Time) {
	for id, end := range s.certEnds.before(now.Add(agentCertSoon)) {
		a, known := s.cfg.Broker.Agent(id)
		if !known || a.State != dcvix.AgentRegistered {
			s.certEnds.forget(id)
			continue
		}
		host, reports := s.cfg.Broker.Host(id)
		if !reports || host.Silent || end.Sub(now) >= oldAgentCertSoon && host.Version == "" {
			continue // a host that does not report cannot renew either, and that is said
		}
		ends := "ends"
		if !now.Before(end) {
			ends = "ended"
		}
		o.Certificates = append(o.Certificates, dcvix.CertificateEnd{ServerID: a.Hostname, GUID: id, EndsAt: dcvix.Time{Time: end}})
		o.Attention = append(o.Attention, dcvix.Attention{
			Kind: "certificate-ends", Severity: dcvix.SeverityWarning, ServerID: a.Hostname, GUID: id, Acts: []string{"open"},
			Text: fmt.Sprintf("The certificate of %s %s on %s, and its agent has not renewed it.", a.Hostname, ends, end.UTC().Format("2006-01-02 15:04 MST")),
		})
	}
}

// byUrgency returns the order of what needs a person: by severity, then by kind, then
// what is so for the longest, then by name. What does not say since when comes last.
func byUrgency() func(a, b dcvix.Attention) int {
	severities := ranks(dcvix.SeverityCritical, dcvix.SeverityWarning, dcvix.SeverityNotice)
	kinds := ranks(
		"store-trouble", "audit-trouble", "policy-refused", "key-conflict", "ca-ends", "agent-pending", "certificate-ends", "licence-ends",
		"host-silent", "host-offline", "host-problem", "pool-full", "policy-problems", "name-wish", "licence-demo",
	)
	return func(a, b dcvix.Attention) int {
		return cmp.Or(
			cmp.Compare(severities[a.Severity], severities[b.Severity]), cmp.Compare(kinds[a.Kind], kinds[b.Kind]), compareTimes(a.Since, b.Since),
			cmp.Compare(a.ServerID, b.ServerID), cmp.Compare(a.PoolID, b.PoolID), cmp.Compare(a.GUID, b.GUID), cmp.Compare(a.Text, b.Text),
		)
	}
}

// ranks returns the place of each, the first the least.
func ranks[T comparable](all ...T) map[T]int {
	places := make(map[T]int, len(all))
	for i, one := range all {
		places[one] = i - len(all)
	}
	return places
}

func compareTimes(a, b dcvix.Time) int {
	switch {
	case a.IsZero() == b.IsZero():
		return a.Compare(b.Time)
	case a.IsZero():
		return 1
	}
	return -1
}
