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
	if err := checkIssued(cert, anchor, "", x509.ExtKeyUsageAny, a.cfg.Now()); err != nil {
		return fmt.Errorf("our certificate: %w", err)
	}
	return nil
}

// clientTLS is how we speak to the director. The verification of crypto/tls is
// replaced by a stricter one: it would accept intermediates, and it cannot wait
// for a fingerprint.
func (a *Agent) clientTLS(verify func(tls.ConnectionState) error) *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS12,
		ServerName:           a.host,
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

// verifyDirector decides about every connection to the director.
func (a *Agent) verifyDirector(cs tls.ConnectionState) error {
	anchor := a.anchor.Load()
	switch {
	case anchor != nil:
		return a.checkDirector(cs.PeerCertificates, anchor)
	case a.pin != nil: // findPinned comes first and sets the anchor
		return &trustError{sentence: "the CA with the configured fingerprint was not seen yet"}
	default:
		a.noteUnverified(cs.PeerCertificates)
		return nil
	}
}

// checkDirector returns an error in words unless the chain begins with a
// certificate that anchor issued for the name we dial.
func (a *Agent) checkDirector(chain []*x509.Certificate, anchor *x509.Certificate) error {
	err := checkIssued(chain[0], anchor, a.host, x509.ExtKeyUsageServerAuth, a.cfg.Now())
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
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
			a.host, ca.FingerprintOf(anchor), shown, a.path(CAFile))}
	case errors.As(err, &name):
		return &trustError{cause: err, sentence: fmt.Sprintf(
			"the certificate of the director does not name %s: dial it by a name in its certificate, or add this one to server_names of the director", a.host)}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return &trustError{cause: err, sentence: fmt.Sprintf(
			"the certificate of the director is good from %s to %s only: check the clocks of both machines",
			chain[0].NotBefore.UTC().Format(time.RFC3339), chain[0].NotAfter.UTC().Format(time.RFC3339))}
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
func (a *Agent) noteUnverified(chain []*x509.Certificate) {
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
			slog.String("director", a.host), slog.String(what, seen))
	default:
		a.cfg.Logger.Warn("the director shows another certificate than before, while it is trusted unverified: compare the fingerprint",
			slog.String("director", a.host), slog.String(what, seen), slog.String("before", before))
	}
}

// findPinned looks for the CA with the configured fingerprint: in the handshake,
// else at GET /v1/ca over the same connection, which is used for nothing more.
func (a *Agent) findPinned(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	raw, err := a.cfg.Dial(ctx, "tcp", a.director.Host)
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }() // served its purpose
	conn := tls.Client(raw, a.clientTLS(nil))
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	chain := conn.ConnectionState().PeerCertificates
	isPinned := func(c *x509.Certificate) bool { return ca.FingerprintOf(c) == *a.pin }
	at := slices.IndexFunc(chain, isPinned)
	offered := chain
	if at < 0 {
		if offered, err = a.askCA(ctx, conn); err != nil {
			return a.notPinned(chain, clean(err.Error()))
		}
		if at = slices.IndexFunc(offered, isPinned); at < 0 {
			return a.notPinned(chain, "its /v1/ca gives another")
		}
	}
	if err := a.checkDirector(chain, offered[at]); err != nil {
		return err
	}
	a.trustCA(offered[at])
	a.cfg.Logger.InfoContext(ctx, "the director's CA has the configured fingerprint", slog.String("ca_fingerprint", a.pin.String()))
	return nil
}

func (a *Agent) notPinned(chain []*x509.Certificate, why string) error {
	shown := "sends no CA in the handshake"
	if issuer := issuerIn(chain); issuer != nil {
		shown = "shows the CA " + ca.FingerprintOf(issuer).String()
	}
	return &trustError{sentence: fmt.Sprintf(
		"no CA with the configured ca_fingerprint was found: the director at %s %s, and %s: correct ca_fingerprint, or copy the director's ca.pem to %s if it cannot send it",
		a.host, shown, why, a.path(CAFile))}
}

// askCA gets the certificates at GET /v1/ca over a connection that is open.
func (a *Agent) askCA(ctx context.Context, conn net.Conn) ([]*x509.Certificate, error) {
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
	got, err := a.get(ctx, &http.Client{Transport: transport, CheckRedirect: noRedirect}, dcvix.PathCA)
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

// TLSConfig returns what a listener of [Agent.Handler] needs: it shows the
// newest certificate and lets in the director alone. The director is whoever
// shows a certificate that our CA issued for clients, to the common name
// "dcvix-director", with the name among its names under which we dial it.
// Other agents have certificates of the same CA and stay outside.
func (a *Agent) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion:       tls.VersionTLS12,
		ClientAuth:       tls.RequireAnyClientCert,
		VerifyConnection: a.verifyCaller,
		Time:             a.cfg.Now,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if pair := a.pair.Load(); pair != nil {
				return pair, nil
			}
			return nil, errors.New("the agent has no certificate yet")
		},
	}
}

func (a *Agent) verifyCaller(cs tls.ConnectionState) error {
	anchor := a.anchor.Load()
	if anchor == nil || len(cs.PeerCertificates) == 0 {
		return &trustError{sentence: "the caller cannot be verified"}
	}
	caller := cs.PeerCertificates[0]
	if caller.Subject.CommonName != dcvix.DirectorCommonName {
		return &trustError{sentence: fmt.Sprintf("the caller is %.80q and not the director", caller.Subject.CommonName)}
	}
	if err := checkIssued(caller, anchor, a.host, x509.ExtKeyUsageClientAuth, a.cfg.Now()); err != nil {
		return &trustError{sentence: "the caller is not our director: " + clean(err.Error()), cause: err}
	}
	return nil
}
