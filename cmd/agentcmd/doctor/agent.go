package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/internal/datadir"
)

const (
	enrolmentCheck = "registration"
	agentCheck     = "agent"
)

// checkAgent says whether the agent runs, may work, and can be called.
func (d *doctor) checkAgent(ctx context.Context) []Finding {
	if !d.id.readable {
		return append(skipped(enrolmentCheck, "The data folder has to be mended first."), skipped(agentCheck, "The data folder has to be mended first.")...)
	}
	running, err := datadir.InUse(d.DataDir)
	if err != nil {
		return []Finding{d.checkEnrolment(true), problem(agentCheck, fmt.Sprintf("Whether it runs cannot be found out: %v.", err), asRoot)}
	}
	return []Finding{d.checkEnrolment(running), d.checkPort(ctx, running)}
}

// overdue is how much later than due a certificate may be renewed without a word:
// an agent looks twice a day.
const overdue = 12 * time.Hour

func (d *doctor) checkEnrolment(running bool) Finding {
	cert, now := d.id.cert, d.Now()
	switch {
	case d.id.key == nil || d.id.guid == "":
		return problem(enrolmentCheck, "This host has no key yet: the agent never ran here.", startIt).By(restartAgent())
	case cert == nil && !running:
		return problem(enrolmentCheck, "This host is not registered.", startIt).By(restartAgent())
	case cert == nil:
		return problem(enrolmentCheck, fmt.Sprintf("An admin has to approve this host. The fingerprint of its key is %s", d.id.key),
			"Approve it on the director's machine, where it has to be the same. If it does not show there, this host does not reach the director.").By("dcvix-director agents approve " + string(d.id.guid))
	case d.ownFault() != "":
		return problem(enrolmentCheck, d.ownFault(), "Restart the agent: it asks for a new one.").By(restartAgent())
	case now.After(cert.NotAfter):
		return problem(enrolmentCheck, fmt.Sprintf("The certificate of the agent ended on %s.", day(cert.NotAfter)), "The agent asks for a new one as soon as it reaches the director. Its log says what it hears.").By(agentLog())
	case now.Before(cert.NotBefore):
		return problem(enrolmentCheck, fmt.Sprintf("The certificate of the agent is not good before %s, and by the clock of this host it is %s.", day(cert.NotBefore), day(now)), "Correct the clock of this host.")
	case now.Sub(dueAt(cert)) > overdue:
		return warning(enrolmentCheck, fmt.Sprintf("The certificate of the agent is good until %s, but should have been renewed since %s.", day(cert.NotAfter), day(dueAt(cert))),
			lookAtLog).By(agentLog())
	}
	return ok(enrolmentCheck, fmt.Sprintf("Registered as %s, certificate good until %s.", d.id.guid, day(cert.NotAfter)))
}

// ownFault says why the agent will not take its own certificate, or "".
func (d *doctor) ownFault() string {
	cert := d.id.cert
	if key, err := ca.KeyFingerprint(cert.PublicKey); err != nil || key != *d.id.key {
		return "The certificate of the agent is for another key than its own."
	}
	if cert.Subject.CommonName != dcvix.AgentCommonName+string(d.id.guid) {
		return "The certificate of the agent is for another GUID than its own."
	}
	if d.id.anchor == nil {
		return "The certificate of the agent cannot be checked: there is no ca.pem beside it."
	}
	if cert.CheckSignatureFrom(d.id.anchor) != nil {
		return "The certificate of the agent was issued by another CA than that in ca.pem."
	}
	return ""
}

// dueAt returns when a certificate should be renewed; see [ca.ShouldRenew].
func dueAt(cert *x509.Certificate) time.Time {
	return cert.NotBefore.Add(min(24*time.Hour, cert.NotAfter.Sub(cert.NotBefore)/2))
}

// checkPort calls the agent as its director does, and shows no certificate.
func (d *doctor) checkPort(ctx context.Context, running bool) Finding {
	ctx, cancel := context.WithTimeout(ctx, d.Limit)
	defer cancel()
	address := net.JoinHostPort(local(d.BindAddress), strconv.Itoa(d.AgentPort))
	asked := false
	dialer := tls.Dialer{Config: &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // its key is compared below
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			return &tls.Certificate{}, nil
		},
	}}
	const otherPort = "Stop the program that has the port, or choose another agent_port."
	conn, err := dialer.DialContext(ctx, "tcp", address)
	var op *net.OpError
	if err != nil && errors.As(err, &op) && op.Op == "dial" {
		switch {
		case !running:
			return problem(agentCheck, "It does not run.", startIt).By(restartAgent())
		case d.id.cert == nil:
			return ok(agentCheck, "It runs, and listens once it is approved.")
		}
		return problem(agentCheck, fmt.Sprintf("It runs, but nothing listens at %s.", address), "Restart the agent if its configuration was changed. If that does not help, its log says why.").By(restartAgent())
	}
	if err != nil {
		return problem(agentCheck, fmt.Sprintf("Another program listens at %s: %v.", address, err), otherPort)
	}
	defer conn.Close() //nolint:errcheck // nothing was said on it
	shown := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	key, err := ca.KeyFingerprint(shown.PublicKey)
	switch {
	case err != nil || d.id.key == nil || key != *d.id.key:
		return problem(agentCheck, fmt.Sprintf("What listens at %s has another key than the agent of %s.", address, d.DataDir), otherPort)
	case !asked:
		return problem(agentCheck, fmt.Sprintf("What listens at %s has the agent's key but asks for no certificate: it is not this agent.", address), otherPort)
	}
	return ok(agentCheck, fmt.Sprintf("It answers at %s, to nobody without a certificate.", address))
}

// local returns where a listener on that address is reached from this host.
func local(bind string) string {
	switch ip := net.ParseIP(bind); {
	case ip == nil, ip.Equal(net.IPv4zero):
		return "127.0.0.1"
	case ip.IsUnspecified():
		return "::1"
	}
	return bind
}
