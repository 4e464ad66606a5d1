package ca

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// OpenKey reads the private key in the file at path, or makes an Ed25519 key and
// writes it there, readable by its owner alone.
func OpenKey(path string) (crypto.Signer, error) {
	key, err := ReadKeyFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	_, made, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for %s: %w", path, err)
	}
	if err := writeKey(path, made); err != nil {
		return nil, err
	}
	return made, nil
}

// NewCSR returns a certificate request in DER (PKCS #10) for key.
func NewCSR(key crypto.Signer, id Identity) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:     pkix.Name{CommonName: id.CommonName},
		DNSNames:    id.DNSNames,
		IPAddresses: id.IPs,
	}, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate request: %w", err)
	}
	return der, nil
}

// ShouldRenew says whether a certificate is due for renewal: it is older than 24
// hours, or past half its life if that is shorter. So a holder that looks twice
// a day outlives 12 days without its CA.
func ShouldRenew(now time.Time, cert *x509.Certificate) bool {
	due := min(24*time.Hour, cert.NotAfter.Sub(cert.NotBefore)/2)
	return !now.Before(cert.NotBefore.Add(due))
}
