package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/dcvix/dcvix/internal/durable"
)

// The files of an [Authority] in its folder.
const (
	KeyFile  = "ca.key" // PEM: PKCS #8, SEC 1 or PKCS #1
	CertFile = "ca.pem" // PEM: the CA's certificate first, then its chain
)

// Errors of [Open]; they come wrapped with the file and the remedy.
var (
	ErrInsecureKey = errors.New("readable by others")
	ErrKeyMismatch = errors.New("key and certificate do not belong together")
	ErrNotCA       = errors.New("no CA certificate")
	ErrExpired     = errors.New("certificate expired")
)

const (
	commonName = "dcvix CA"
	lifetime   = 10 * 365 * 24 * time.Hour
	// Certificates start in the past, for clocks that are behind.
	backdate = time.Hour
)

// Config says how an [Authority] works. The zero value is ready to use.
type Config struct {
	Now func() time.Time // nil means time.Now
}

// An Authority holds the CA's key and signs with it. It never changes after
// [Open] and is safe for concurrent use.
type Authority struct {
	key   crypto.Signer
	cert  *x509.Certificate
	chain []*x509.Certificate // above cert, when cert is an intermediate
	above []*x509.Certificate // of cert and chain, what a peer needs besides the root: none for a CA of our own
	now   func() time.Time
}

// Open loads the CA from [KeyFile] and [CertFile] in dir. When dir has neither,
// it creates a CA: ECDSA P-256, ten years. It refuses a key file that others
// can read, a key that is not the certificate's, a certificate that is no CA and
// one that has expired. Open creates dir, its owner's alone, when it does not exist.
func Open(dir string, cfg Config) (*Authority, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := durable.MakeFolder(dir); err != nil {
		return nil, fmt.Errorf("create %s for the CA: %w", dir, err)
	}
	a := &Authority{now: cfg.Now}
	if err := a.loadKey(dir); err != nil {
		return nil, err
	}
	if err := a.loadCert(dir); err != nil {
		return nil, err
	}
	if err := a.check(filepath.Join(dir, CertFile)); err != nil {
		return nil, err
	}
	for _, c := range append([]*x509.Certificate{a.cert}, a.chain...) {
		if c.CheckSignatureFrom(c) != nil {
			a.above = append(a.above, c)
		}
	}
	return a, nil
}

// loadKey reads the key, or makes one when there is neither key nor certificate.
func (a *Authority) loadKey(dir string) error {
	path := filepath.Join(dir, KeyFile)
	key, err := ReadKeyFile(path)
	if err == nil {
		a.key = key
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, CertFile)); err == nil {
		return fmt.Errorf("%s is there but %s is not: restore the key, or move the certificate away for a new CA", CertFile, path)
	}
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the CA's key: %w", err)
	}
	a.key = made
	return writeKey(path, made)
}

// loadCert reads the certificate, or makes one: then the key is new, or its
// creation was cut off before the certificate was written.
func (a *Authority) loadCert(dir string) error {
	path := filepath.Join(dir, CertFile)
	chain, err := ReadCertFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return a.create(path)
	}
	if err != nil {
		return err
	}
	a.cert, a.chain = chain[0], chain[1:]
	return nil
}

func (a *Authority) create(path string) error {
	now := a.now()
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(lifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		return fmt.Errorf("make the CA's certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("make the CA's certificate: %w", err)
	}
	a.cert = cert
	return WriteFile(path, EncodePEM(cert), 0o644)
}

func (a *Authority) check(path string) error {
	switch {
	case !sameKey(a.cert.PublicKey, a.key.Public()):
		return fmt.Errorf("%s and %s: %w: place the pair that does", path, KeyFile, ErrKeyMismatch)
	case !a.cert.IsCA || a.cert.KeyUsage != 0 && a.cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return fmt.Errorf("%s: %w: it needs CA:TRUE and the key usage to sign certificates", path, ErrNotCA)
	case a.now().After(a.cert.NotAfter):
		return fmt.Errorf("%s: %w on %s: place a renewed one", path, ErrExpired, a.cert.NotAfter.Format(time.DateOnly))
	}
	return nil
}

// Certificate returns the certificate that signs. The caller must not change it.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// PEM returns the certificate that signs, in PEM.
func (a *Authority) PEM() []byte { return EncodePEM(a.cert) }

// Pool returns a new pool that trusts the certificate that signs and no other.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// serial returns a serial number of 128 random bits (RFC 5280, section 4.1.2.2,
// allows 160). In one of 2^128 cases it is 0, which crypto/x509 refuses to sign.
func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return new(big.Int).SetBytes(b)
}
