package client

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Fingerprint returns the SHA-256 of a certificate as upper-case hexadecimal
// pairs with colons between them, the form that director and agent print and
// that "openssl x509 -fingerprint -sha256" does.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}

// CheckFingerprint returns an error with the remedy unless the text is the
// SHA-256 of a certificate in hexadecimal, in any case, with or without colons.
func CheckFingerprint(text string) error {
	_, err := parseFingerprint(text)
	return err
}

func parseFingerprint(text string) (sum [sha256.Size]byte, err error) {
	raw, err := hex.DecodeString(strings.NewReplacer(":", "", " ", "").Replace(text))
	if err != nil || len(raw) != len(sum) {
		return sum, fmt.Errorf("%.100q is no SHA-256 fingerprint: write its 32 pairs of hexadecimal digits as the director shows them", text)
	}
	return [sha256.Size]byte(raw), nil
}

func tlsConfig(cfg Config, host string) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.TLS != nil {
		conf = cfg.TLS.Clone()
	}
	if cfg.CAFingerprint == "" {
		return conf, nil
	}
	sum, err := parseFingerprint(cfg.CAFingerprint)
	if err != nil {
		return nil, err
	}
	// The roots are not known before the handshake, so its own check is replaced
	// by one that is as strict, below.
	conf.InsecureSkipVerify = true
	conf.VerifyConnection = func(state tls.ConnectionState) error {
		return verifyPinned(conf, state.PeerCertificates, sum, host)
	}
	return conf, nil
}

// errNotPinned says that another CA answers than the one that was pinned.
var errNotPinned = errors.New("the director presents no CA with the fingerprint that is set")

// verifyPinned checks that the presented chain holds a CA with the given sum,
// that the leaf chains to it, and that the leaf is for host. The host is not
// taken from the connection, which does not know it when it is an address.
func verifyPinned(conf *tls.Config, chain []*x509.Certificate, sum [sha256.Size]byte, host string) error {
	opts := x509.VerifyOptions{DNSName: host, Intermediates: x509.NewCertPool()}
	if conf.Time != nil {
		opts.CurrentTime = conf.Time()
	}
	for _, cert := range chain {
		opts.Intermediates.AddCert(cert)
		if cert.IsCA && sha256.Sum256(cert.Raw) == sum {
			opts.Roots = x509.NewCertPool()
			opts.Roots.AddCert(cert)
		}
	}
	err := errNotPinned
	if opts.Roots != nil { // without roots Verify would take the system's
		_, err = chain[0].Verify(opts)
	}
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}
