package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"time"
)

// Errors of signing.
var (
	ErrBadCSR       = errors.New("not a certificate request whose signature verifies")
	ErrNameMismatch = errors.New("the common name of the request is not the expected one")
	ErrWeakKey      = errors.New("key not accepted")
)

// AgentLifetime is how long an agent's certificate is good.
const AgentLifetime = 14 * 24 * time.Hour

// serverLifetime is how long the director's own certificate is good.
const serverLifetime = 90 * 24 * time.Hour

// An Identity is what a certificate says about its holder.
type Identity struct {
	CommonName string
	DNSNames   []string
	IPs        []net.IP
}

// ParseCSR reads a PKCS #10 request in DER and checks that its sender holds the
// key. All other content of a request is a wish. The error wraps [ErrBadCSR],
// or [ErrWeakKey] for keys other than Ed25519, ECDSA on P-256 or larger and RSA
// of 2048 bits or more.
func ParseCSR(der []byte) (*x509.CertificateRequest, error) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadCSR, err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadCSR, err)
	}
	return csr, checkKey(csr.PublicKey)
}

func checkKey(pub crypto.PublicKey) error {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return nil
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() || k.Curve == elliptic.P521() {
			return nil
		}
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits >= 2048 && bits <= 8192 {
			return nil
		}
	}
	return fmt.Errorf("%w: use Ed25519, ECDSA P-256 or RSA 2048", ErrWeakKey)
}

// SignAgent returns a certificate of [AgentLifetime] for an agent, its own first
// and then the intermediates up to but not including the root. Of the request
// only the public key is used, after its signature and its common name were
// checked; all names come from id. The life is cut to that of the CA.
func (a *Authority) SignAgent(csr *x509.CertificateRequest, id Identity) ([]*x509.Certificate, error) {
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadCSR, err)
	}
	if err := checkKey(csr.PublicKey); err != nil {
		return nil, err
	}
	if csr.Subject.CommonName != id.CommonName {
		return nil, ErrNameMismatch
	}
	return a.sign(csr.PublicKey, id, AgentLifetime)
}

// SignServer returns a certificate for the director's own key, as SignAgent does.
func (a *Authority) SignServer(pub crypto.PublicKey, id Identity) ([]*x509.Certificate, error) {
	return a.sign(pub, id, serverLifetime)
}

func (a *Authority) sign(pub crypto.PublicKey, id Identity, life time.Duration) ([]*x509.Certificate, error) {
	now := a.now()
	notAfter := now.Add(life)
	if notAfter.After(a.cert.NotAfter) {
		notAfter = a.cert.NotAfter
	}
	if !notAfter.After(now) {
		return nil, fmt.Errorf("the CA's own: %w: place a renewed one", ErrExpired)
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: id.CommonName},
		DNSNames:              id.DNSNames,
		IPAddresses:           id.IPs,
		NotBefore:             now.Add(-backdate),
		NotAfter:              notAfter,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, pub, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign for %s: %w", id.CommonName, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("sign for %s: %w", id.CommonName, err)
	}
	return append([]*x509.Certificate{leaf}, a.above...), nil
}
