package agentclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/dcvix/dcvix"
)

// TLSConfig returns what a listener of [Agent.Handler] needs: it shows the
// newest certificate and lets in the director alone. The director is whoever
// shows a certificate that our CA issued for clients, to the common name
// "dcvix-director", with a name among its names under which we dial a director.
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
	err := a.checkCaller(cs.PeerCertificates[0], anchor)
	if err != nil {
		a.noteCaller(cs.PeerCertificates[0], anchor, err)
	}
	return err
}

func (a *Agent) checkCaller(caller, anchor *x509.Certificate) error {
	if caller.Subject.CommonName != dcvix.DirectorCommonName {
		return &trustError{sentence: fmt.Sprintf("the caller is %.80q and not the director", caller.Subject.CommonName)}
	}
	var err error
	hosts := make([]string, 0, len(a.directors))
	for _, d := range a.directors {
		if err = checkIssued(caller, anchor, d.host, x509.ExtKeyUsageClientAuth, a.cfg.Now()); err == nil {
			return nil
		}
		hosts = append(hosts, d.host)
	}
	sentence := "the caller is not our director: " + clean(err.Error())
	if invalid, untimely := untimely(err); untimely {
		sentence = "the certificate of the calling director " + a.byOurClock(invalid)
	} else if name := (x509.HostnameError{}); errors.As(err, &name) {
		sentence = fmt.Sprintf("the certificate of the calling director does not name %s: add that to server_names of the director", strings.Join(hosts, " or "))
	}
	return &trustError{sentence: sentence, cause: err}
}

// noteCaller logs the refusal of a caller that our CA knows, once a minute: it
// means that something is wrong with the director, or with another agent. What
// strangers try is not worth a line each.
func (a *Agent) noteCaller(caller, anchor *x509.Certificate, refusal error) {
	if caller.CheckSignatureFrom(anchor) != nil {
		return
	}
	now := time.Now()
	a.mu.Lock()
	quiet := !a.refusal.IsZero() && now.Sub(a.refusal) < time.Minute
	if !quiet {
		a.refusal = now
	}
	a.mu.Unlock()
	if !quiet {
		a.cfg.Logger.Warn("a caller was refused", slog.String("reason", clean(refusal.Error())))
	}
}
