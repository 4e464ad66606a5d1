package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
)

// The files of the director's own certificate.
const (
	ServerKeyFile  = "server.key"
	ServerCertFile = "server.crt" // leaf first, then what a peer may need up to the CA
)

// EnsureServer makes sure that [ServerKeyFile] and [ServerCertFile] in dir are a
// good certificate for id, and says whether it wrote one. It makes the pair when
// there is none, and signs anew when the names changed, a third of its life is
// left, or the CA that signed it was replaced. A certificate of another issuer
// was placed by an admin and is left alone; when its key is not there or is
// another one, the error says so (the latter wraps [ErrKeyMismatch]).
func (a *Authority) EnsureServer(dir string, id Identity) (wrote bool, err error) {
	certPath, keyPath := filepath.Join(dir, ServerCertFile), filepath.Join(dir, ServerKeyFile)
	have, err := ReadCertFile(certPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if len(have) > 0 && !a.owns(have[0]) {
		return false, checkPlaced(have[0], certPath, keyPath)
	}
	key, err := openServerKey(keyPath)
	if err != nil {
		return false, err
	}
	if len(have) > 0 && a.serves(have[0], key, id) {
		return false, nil
	}
	chain, err := a.SignServer(key.Public(), id)
	if err != nil {
		return false, err
	}
	// The CA goes along so that a client can show or pin its fingerprint.
	if !slices.Contains(chain, a.cert) {
		chain = append(chain, a.cert)
	}
	return true, WriteFile(certPath, EncodePEM(chain...), 0o644)
}

// checkPlaced says whether the key of a certificate that an admin placed is
// there too.
func checkPlaced(cert *x509.Certificate, certPath, keyPath string) error {
	key, err := ReadKeyFile(keyPath)
	if err != nil {
		return fmt.Errorf("%s is of another issuer and needs its own key: %w", certPath, err)
	}
	if !sameKey(cert.PublicKey, key.Public()) {
		return fmt.Errorf("%s and %s: %w: place the key of that certificate, or move both away for new ones", certPath, keyPath, ErrKeyMismatch)
	}
	return nil
}

func openServerKey(path string) (crypto.Signer, error) {
	key, err := ReadKeyFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for %s: %w", path, err)
	}
	if err := writeKey(path, made); err != nil {
		return nil, err
	}
	return made, nil
}

// owns says whether we, or an earlier CA of the same name, issued the certificate.
func (a *Authority) owns(cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawIssuer, a.cert.RawSubject)
}

func (a *Authority) serves(cert *x509.Certificate, key crypto.Signer, id Identity) bool {
	third := cert.NotAfter.Sub(cert.NotBefore) / 3
	return cert.CheckSignatureFrom(a.cert) == nil &&
		sameKey(cert.PublicKey, key.Public()) &&
		cert.Subject.CommonName == id.CommonName &&
		slices.Equal(cert.DNSNames, id.DNSNames) &&
		slices.EqualFunc(cert.IPAddresses, id.IPs, net.IP.Equal) &&
		a.now().Before(cert.NotAfter.Add(-third))
}

// sameKey compares public keys; kinds that crypto does not compare are never the same.
func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}
