package agentclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
)

// A trustError says to an operator why a peer is not who it should be.
type trustError struct {
	sentence string
	cause    error // may be nil
}

func (e *trustError) Error() string { return e.sentence }
func (e *trustError) Unwrap() error { return e.cause }

// checkIssued returns an error unless anchor itself issued the certificate, with
// nothing in between, for that usage and name, and it is good at that time. An
// empty name is not looked at.
func checkIssued(cert, anchor *x509.Certificate, name string, usage x509.ExtKeyUsage, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(anchor)
	_, err := cert.Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: x509.NewCertPool(),
		DNSName:       name,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{usage},
	})
	return err
}

// checkOwn returns an error unless the chain begins with a good certificate for
// our key and GUID that anchor issued.
func (a *Agent) checkOwn(chain []*x509.Certificate, anchor *x509.Certificate) error {
	cert := chain[0]
	have, err := ca.KeyFingerprint(cert.PublicKey)
	if err != nil {
		return err
	}
	if have != a.identity.fingerprint {
		return errors.New("the certificate is for another key than ours")
	}
	if want := dcvix.AgentCommonName + string(a.identity.guid); cert.Subject.CommonName != want {
		return fmt.Errorf("the certificate is for %.80q, not for %s", cert.Subject.CommonName, want)
	}
	err = checkIssued(cert, anchor, "", x509.ExtKeyUsageAny, a.cfg.Now())
	if invalid, untimely := untimely(err); untimely {
		return &trustError{cause: err, sentence: "the certificate of this agent " + a.byOurClock(invalid)}
	}
	if err != nil {
		return fmt.Errorf("our certificate: %w", err)
	}
	return nil
}

// untimely returns the certificate that is not good at the time it was checked
// for: that of a peer, or of its CA.
func untimely(err error) (*x509.Certificate, bool) {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return invalid.Cert, true
	}
	return nil, false
}

// byOurClock goes on after the subject of a sentence that says why a certificate
// is not good now. It stays the same for most of a day, also when every try brings
// another certificate.
func (a *Agent) byOurClock(cert *x509.Certificate) string {
	now := a.cfg.Now()
	if now.Before(cert.NotBefore) {
		return fmt.Sprintf("is not good before %s, which is %s ahead of the clock of this host: correct that clock if it is behind",
			cert.NotBefore.UTC().Format(time.DateOnly), roundly(cert.NotBefore.Sub(now)))
	}
	return fmt.Sprintf("was good until %s, which is %s ago by the clock of this host: correct that clock if it is ahead",
		cert.NotAfter.UTC().Format(time.DateOnly), roundly(now.Sub(cert.NotAfter)))
}

// roundly says how long a time is in words that do not change with every minute.
func roundly(d time.Duration) string {
	switch {
	case d < 2*time.Hour:
		return "less than two hours"
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d/time.Hour))
	default:
		return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
	}
}

// clientTLS is how we speak to the director. The verification of crypto/tls is
// replaced by a stricter one: it would accept intermediates, and it cannot wait
// for a fingerprint.
func (a *Agent) clientTLS(d *director, verify func(tls.ConnectionState) error) *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS12,
		ServerName:           d.host,
		InsecureSkipVerify:   true, //nolint:gosec // VerifyConnection decides instead
		VerifyConnection:     verify,
		GetClientCertificate: a.clientCertificate,
		Time:                 a.cfg.Now,
	}
}

// clientCertificate presents none once ours has run out, so that the handshake
// of a new registration does not fail for it.
func (a *Agent) clientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if a.certified() {
		return a.pair.Load(), nil
	}
	return &tls.Certificate{}, nil
}

// verifyDirector decides about every connection to d.
func (a *Agent) verifyDirector(d *director) func(tls.ConnectionState) error {
	return func(cs tls.ConnectionState) error {
		anchor := a.anchor.Load()
		switch {
		case anchor != nil:
			return a.checkDirector(d, cs.PeerCertificates, anchor)
		case a.pin != nil: // findPinned comes first and sets the anchor
			return &trustError{sentence: "the CA with the configured fingerprint was not seen yet"}
		default:
			a.noteUnverified(d, cs.PeerCertificates)
			return nil
		}
	}
}

// checkDirector returns an error in words unless the chain begins with a
// certificate that anchor issued for the name under which d is dialled.
func (a *Agent) checkDirector(d *director, chain []*x509.Certificate, anchor *x509.Certificate) error {
	err := checkIssued(chain[0], anchor, d.host, x509.ExtKeyUsageServerAuth, a.cfg.Now())
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
	)
	invalid, untimely := untimely(err)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unknown):
		shown := "it does not show its CA"
		if issuer := issuerIn(chain); issuer != nil {
			shown = "it shows the CA " + ca.FingerprintOf(issuer).String()
		}
		return &trustError{cause: err, sentence: fmt.Sprintf(
			"the certificate of the director at %s was not issued by the trusted CA %s (%s): either somebody is in between, or the director has a new CA; "+
				"if that is intended, set ca_fingerprint to the new one's or remove %s, and restart the agent",
			d.host, ca.FingerprintOf(anchor), shown, a.path(CAFile))}
	case errors.As(err, &name):
		return &trustError{cause: err, sentence: fmt.Sprintf(
			"the certificate of the director does not name %s: dial it by a name in its certificate, or add this one to server_names of the director", d.host)}
	case untimely && invalid.IsCA:
		return &trustError{cause: err, sentence: "the CA of the director " + a.byOurClock(invalid) + ", else replace the CA"}
	case untimely:
		return &trustError{cause: err, sentence: "the certificate of the director " + a.byOurClock(invalid) + ", else look after the clock and the certificate of the director"}
	default:
		return &trustError{cause: err, sentence: "the certificate of the director cannot be verified: " + clean(err.Error())}
	}
}

// issuerIn returns the certificate in a handshake's chain that issued the first
// one, or nil.
func issuerIn(chain []*x509.Certificate) *x509.Certificate {
	for _, c := range chain[1:] {
		if chain[0].CheckSignatureFrom(c) == nil {
			return c
		}
	}
	return nil
}

// trustCA makes the CA the only one from now on.
func (a *Agent) trustCA(anchor *x509.Certificate) {
	a.anchor.Store(anchor)
	a.set(func(s *Status) { s.CAFingerprint = ca.FingerprintOf(anchor).String() })
}

// noteUnverified says loudly whom we are about to trust unseen, once for every
// CA. It has no context: crypto/tls calls it.
func (a *Agent) noteUnverified(d *director, chain []*x509.Certificate) {
	seen, what := ca.FingerprintOf(chain[0]).String(), "certificate_fingerprint" // the director's own
	if issuer := issuerIn(chain); issuer != nil {
		seen, what = ca.FingerprintOf(issuer).String(), "ca_fingerprint"
	}
	a.mu.Lock()
	before := a.seenCA
	a.seenCA = seen
	a.mu.Unlock()
	switch before {
	case seen:
	case "":
		a.cfg.Logger.Warn("first contact: the director is trusted unverified, compare the fingerprint with what it logs, or place its ca.pem",
			slog.String("director", d.host), slog.String(what, seen))
	default:
		a.cfg.Logger.Warn("the director shows another certificate than before, while it is trusted unverified: compare the fingerprint",
			slog.String("director", d.host), slog.String(what, seen), slog.String("before", before))
	}
}

// findPinned looks for the CA with the configured fingerprint: in the handshake,
// else at GET /v1/ca over the same connection, which is used for nothing more.
func (a *Agent) findPinned(ctx context.Context, d *director) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	raw, err := a.cfg.Dial(ctx, "tcp", d.url.Host)
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }() // served its purpose
	conn := tls.Client(raw, a.clientTLS(d, nil))
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	chain := conn.ConnectionState().PeerCertificates
	isPinned := func(c *x509.Certificate) bool { return ca.FingerprintOf(c) == *a.pin }
	at := slices.IndexFunc(chain, isPinned)
	offered := chain
	if at < 0 {
		if offered, err = askCA(ctx, d, conn); err != nil {
			return a.notPinned(d, chain, clean(err.Error()))
		}
		if at = slices.IndexFunc(offered, isPinned); at < 0 {
			return a.notPinned(d, chain, "its /v1/ca gives another")
		}
	}
	if err := a.checkDirector(d, chain, offered[at]); err != nil {
		return err
	}
	a.trustCA(offered[at])
	a.cfg.Logger.InfoContext(ctx, "the director's CA has the configured fingerprint", slog.String("ca_fingerprint", a.pin.String()))
	return nil
}

func (a *Agent) notPinned(d *director, chain []*x509.Certificate, why string) error {
	shown := "sends no CA in the handshake"
	if issuer := issuerIn(chain); issuer != nil {
		shown = "shows the CA " + ca.FingerprintOf(issuer).String()
	}
	return &trustError{sentence: fmt.Sprintf(
		"no CA with the configured ca_fingerprint was found: the director at %s %s, and %s: correct ca_fingerprint, or copy the director's ca.pem to %s if it cannot send it",
		d.host, shown, why, a.path(CAFile))}
}

// askCA gets the certificates at GET /v1/ca over a connection that is open.
func askCA(ctx context.Context, d *director, conn net.Conn) ([]*x509.Certificate, error) {
	once := make(chan net.Conn, 1)
	once <- conn
	transport := &http.Transport{
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxAnswer,
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			select {
			case c := <-once:
				return c, nil
			default:
				return nil, errors.New("the connection to ask for the CA was lost")
			}
		},
	}
	defer transport.CloseIdleConnections()
	got, err := d.get(ctx, &http.Client{Transport: transport, CheckRedirect: noRedirect}, dcvix.PathCA)
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusOK {
		return nil, fmt.Errorf("its /v1/ca answers with status %d", got.status)
	}
	chain, err := ca.ParseCerts(got.body)
	if err != nil {
		return nil, errors.New("its /v1/ca gives no certificate")
	}
	return chain, nil
}
