package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net"
	"slices"
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

// A CSR is a PKCS #10 request (RFC 2986) whose sender holds the key, which is of an
// accepted kind: [ParseCSR] makes no other. All else in it is a wish. It does not
// change.
type CSR struct{ csr *x509.CertificateRequest }

// ParseCSR reads a request in DER and checks that its sender holds the key. The
// error wraps [ErrBadCSR], or [ErrWeakKey] for keys other than Ed25519, ECDSA on
// P-256 or larger and RSA of 2048 to 8192 bits.
func ParseCSR(der []byte) (*CSR, error) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadCSR, err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadCSR, err)
	}
	if err := checkKey(csr.PublicKey); err != nil {
		return nil, err
	}
	return &CSR{csr}, nil
}

// PublicKey returns the key that the sender holds.
func (c *CSR) PublicKey() crypto.PublicKey { return c.csr.PublicKey }

// Fingerprint returns the fingerprint of the key, as [KeyFingerprint] does.
func (c *CSR) Fingerprint() Fingerprint { return sha256.Sum256(c.csr.RawSubjectPublicKeyInfo) }

// CommonNames returns the common names in the subject.
func (c *CSR) CommonNames() []string {
	commonName := asn1.ObjectIdentifier{2, 5, 4, 3} // id-at-commonName, RFC 5280 appendix A.1
	var names []string
	for _, attribute := range c.csr.Subject.Names {
		if attribute.Type.Equal(commonName) {
			name, _ := attribute.Value.(string) // what is no text is no name, and counts
			names = append(names, name)
		}
	}
	return names
}

// DNSNames returns the host names that the sender wishes for.
func (c *CSR) DNSNames() []string { return slices.Clone(c.csr.DNSNames) }

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
// only the public key is used, and its one common name must be that of id; all
// names come from id. The life is cut to that of the CA. The error wraps
// [ErrNameMismatch] or [ErrExpired].
func (a *Authority) SignAgent(csr *CSR, id Identity) ([]*x509.Certificate, error) {
	if !slices.Equal(csr.CommonNames(), []string{id.CommonName}) {
		return nil, ErrNameMismatch
	}
	return a.sign(csr.PublicKey(), id, AgentLifetime)
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
