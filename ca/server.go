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
// was placed by an admin and is left alone.
func (a *Authority) EnsureServer(dir string, id Identity) (wrote bool, err error) {
	certPath := filepath.Join(dir, ServerCertFile)
	key, err := openServerKey(filepath.Join(dir, ServerKeyFile))
	if err != nil {
		return false, err
	}
	chain, err := ReadCertFile(certPath)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, err
	case !a.owns(chain[0]) || a.serves(chain[0], key, id):
		return false, nil
	}
	chain, err = a.SignServer(key.Public(), id)
	if err != nil {
		return false, err
	}
	// The CA goes along so that a client can show or pin its fingerprint.
	if !slices.Contains(chain, a.cert) {
		chain = append(chain, a.cert)
	}
	return true, WriteFile(certPath, EncodePEM(chain...), 0o644)
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
	return made, writeKey(path, made)
}

// owns says whether we, or an earlier CA of the same name, issued the certificate.
func (a *Authority) owns(cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawIssuer, a.cert.RawSubject)
}

func (a *Authority) serves(cert *x509.Certificate, key crypto.Signer, id Identity) bool {
	third := cert.NotAfter.Sub(cert.NotBefore) / 3
	have, _ := KeyFingerprint(cert.PublicKey)
	want, _ := KeyFingerprint(key.Public())
	return cert.CheckSignatureFrom(a.cert) == nil &&
		have == want &&
		cert.Subject.CommonName == id.CommonName &&
		slices.Equal(cert.DNSNames, id.DNSNames) &&
		slices.EqualFunc(cert.IPAddresses, id.IPs, net.IP.Equal) &&
		a.now().Before(cert.NotAfter.Add(-third))
}
