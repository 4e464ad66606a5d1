package ca

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
)

// A Fingerprint is the SHA-256 of a certificate (DER) or of a public key (SPKI,
// RFC 5280 section 4.1.2.7).
type Fingerprint [sha256.Size]byte

// FingerprintOf returns the fingerprint of a certificate.
func FingerprintOf(cert *x509.Certificate) Fingerprint { return sha256.Sum256(cert.Raw) }

// KeyFingerprint returns the fingerprint of a public key. The error says that
// the key is of a kind that certificates do not carry.
func KeyFingerprint(pub crypto.PublicKey) (Fingerprint, error) {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return Fingerprint{}, fmt.Errorf("fingerprint of a key: %w", err)
	}
	return sha256.Sum256(spki), nil
}

// String returns upper-case pairs of hex digits with colons, as
// "openssl x509 -fingerprint -sha256" prints them.
func (f Fingerprint) String() string {
	const digits = "0123456789ABCDEF"
	pairs := make([]byte, 0, 3*len(f))
	for i, b := range f {
		if i > 0 {
			pairs = append(pairs, ':')
		}
		pairs = append(pairs, digits[b>>4], digits[b&0xf])
	}
	return string(pairs)
}

// ParseFingerprint reads what [Fingerprint.String] writes, without regard to
// case, colons and surrounding space.
func ParseFingerprint(s string) (Fingerprint, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(s), ":", ""))
	if err != nil || len(b) != sha256.Size {
		return Fingerprint{}, fmt.Errorf("%.120q is no SHA-256 fingerprint: give %d pairs of hex digits", s, sha256.Size)
	}
	return Fingerprint(b), nil
}
