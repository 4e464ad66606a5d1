package ca_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/internal/private"
)

func open(t testing.TB, dir string) *ca.Authority {
	t.Helper()
	a, err := ca.Open(dir, ca.Config{})
	require.NoError(t, err)
	return a
}

func TestOpenMakesACAAndFindsItAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "ca")
	first := open(t, dir)
	cert := first.Certificate()
	assert.True(t, cert.IsCA)
	assert.Equal(t, elliptic.P256(), cert.PublicKey.(*ecdsa.PublicKey).Curve)
	assert.WithinDuration(t, time.Now().Add(10*365*24*time.Hour), cert.NotAfter, time.Minute)
	assert.Positive(t, cert.SerialNumber.Sign())
	assert.WithinDuration(t, time.Now().Add(-time.Hour), cert.NotBefore, time.Minute, "for clocks that are behind")
	mode(t, dir, 0o700)
	mode(t, filepath.Join(dir, ca.KeyFile), 0o600)
	mode(t, filepath.Join(dir, ca.CertFile), 0o644)

	again := open(t, dir)
	assert.Equal(t, cert.Raw, again.Certificate().Raw)
	assert.Equal(t, ca.EncodePEM(cert), again.PEM())
}

func TestAKeyWithoutACertificateIsACreationThatWasCutOff(t *testing.T) {
	dir := t.TempDir()
	before := open(t, dir).Certificate()
	require.NoError(t, os.Remove(filepath.Join(dir, ca.CertFile)))
	after := open(t, dir).Certificate()
	assert.Equal(t, before.PublicKey, after.PublicKey, "the key stays, so what it signed verifies")
	assert.Equal(t, after.Raw, open(t, dir).Certificate().Raw)
}

func TestOpenRefusesAndSaysTheRemedy(t *testing.T) {
	other := t.TempDir()
	open(t, other)
	now := time.Now()
	tests := map[string]struct {
		spoil func(t *testing.T, dir string)
		want  error // nil: any
		says  string
	}{
		"a key that its group can read": {func(t *testing.T, dir string) { chmod(t, dir, ca.KeyFile, 0o640) }, ca.ErrInsecureKey, remedy},
		"a key that the world can read": {func(t *testing.T, dir string) { chmod(t, dir, ca.KeyFile, 0o604) }, ca.ErrInsecureKey, remedy},
		"a key that others can write":   {func(t *testing.T, dir string) { chmod(t, dir, ca.KeyFile, 0o602) }, ca.ErrInsecureKey, remedy},
		"a certificate without its key": {func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, ca.KeyFile)))
		}, nil, "restore the key, or move the certificate away"},
		"the certificate of another key": {func(t *testing.T, dir string) { copyFile(t, other, dir, ca.CertFile) }, ca.ErrKeyMismatch, "place the pair"},
		"a certificate that is no CA": {func(t *testing.T, dir string) {
			place(t, dir, newRSA(t, 2048), template(now, now.Add(time.Hour), func(c *x509.Certificate) { c.IsCA = false }))
		}, ca.ErrNotCA, "CA:TRUE"},
		"a CA that may not sign certificates": {func(t *testing.T, dir string) {
			place(t, dir, newEC(t, elliptic.P256()), template(now, now.Add(time.Hour), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }))
		}, ca.ErrNotCA, "sign certificates"},
		"a CA that has expired": {func(t *testing.T, dir string) {
			place(t, dir, newEC(t, elliptic.P384()), template(now.Add(-48*time.Hour), now.Add(-24*time.Hour), nil))
		}, ca.ErrExpired, "place a renewed one"},
		"a key that is no PEM": {func(t *testing.T, dir string) { write(t, dir, ca.KeyFile, "hello", 0o600) }, nil, "no private key in PEM"},
		"an encrypted key": {func(t *testing.T, dir string) {
			write(t, dir, ca.KeyFile, string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}})), 0o600)
		}, nil, "without a passphrase"},
		"a certificate that is no PEM":   {func(t *testing.T, dir string) { write(t, dir, ca.CertFile, "hello", 0o644) }, nil, "no certificate in PEM"},
		"a certificate that is damaged":  {func(t *testing.T, dir string) { truncateDER(t, dir) }, nil, "not a certificate"},
		"a certificate that is a folder": {func(t *testing.T, dir string) { replaceByFolder(t, filepath.Join(dir, ca.CertFile)) }, nil, ca.CertFile},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			open(t, dir)
			tt.spoil(t, dir)
			before := snapshot(t, dir)

			a, err := ca.Open(dir, ca.Config{})

			require.Error(t, err)
			assert.Nil(t, a, "a refused CA signs nothing")
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			}
			assert.ErrorContains(t, err, tt.says)
			assert.ErrorContains(t, err, dir, "which file")
			assert.Equal(t, before, snapshot(t, dir), "nothing is written over")
		})
	}
}

func TestAnEnterpriseCAIsUsedAsItIs(t *testing.T) {
	pkcs8 := func(k crypto.Signer) *pem.Block {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		require.NoError(t, err)
		return &pem.Block{Type: "PRIVATE KEY", Bytes: der}
	}
	sec1 := func(k crypto.Signer) *pem.Block {
		der, err := x509.MarshalECPrivateKey(k.(*ecdsa.PrivateKey))
		require.NoError(t, err)
		return &pem.Block{Type: "EC PRIVATE KEY", Bytes: der}
	}
	pkcs1 := func(k crypto.Signer) *pem.Block {
		return &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k.(*rsa.PrivateKey))}
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	tests := map[string]struct {
		key  crypto.Signer
		form func(crypto.Signer) *pem.Block
	}{
		"RSA in PKCS #1":   {newRSA(t, 2048), pkcs1},
		"RSA in PKCS #8":   {newRSA(t, 3072), pkcs8},
		"P-256 in SEC 1":   {newEC(t, elliptic.P256()), sec1},
		"P-384 in PKCS #8": {newEC(t, elliptic.P384()), pkcs8},
		"P-521 in SEC 1":   {newEC(t, elliptic.P521()), sec1},
		"Ed25519":          {edKey, pkcs8},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			place(t, dir, tt.key, template(time.Now(), time.Now().Add(time.Hour), nil))
			params := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}}) // as openssl ecparam writes
			write(t, dir, ca.KeyFile, string(params)+string(pem.EncodeToMemory(tt.form(tt.key))), 0o600)
			before := snapshot(t, dir)

			a := open(t, dir)

			assert.Equal(t, before, snapshot(t, dir))
			chain, err := a.SignServer(newEC(t, elliptic.P256()).Public(), ca.Identity{CommonName: "x", DNSNames: []string{"x.lab"}})
			require.NoError(t, err)
			require.Len(t, chain, 1, "the root goes to nobody but through the CA file")
			verify(t, a, chain, "x.lab")
		})
	}
}

func TestAnIntermediateComesWithItsChain(t *testing.T) {
	now := time.Now()
	rootKey, midKey, issuerKey := newRSA(t, 2048), newEC(t, elliptic.P384()), newEC(t, elliptic.P256())
	root := issue(t, template(now, now.Add(5*time.Hour), named("root")), nil, rootKey, rootKey)
	mid := issue(t, template(now, now.Add(4*time.Hour), named("mid")), root, midKey, rootKey)
	issuer := issue(t, template(now, now.Add(3*time.Hour), named("issuer")), mid, issuerKey, midKey)
	dir := t.TempDir()
	writeKey(t, dir, issuerKey)
	write(t, dir, ca.CertFile, string(ca.EncodePEM(issuer, mid, root)), 0o644)

	a := open(t, dir)
	chain, err := a.SignServer(newEC(t, elliptic.P256()).Public(), ca.Identity{CommonName: "x", DNSNames: []string{"x.lab"}})

	require.NoError(t, err)
	require.Len(t, chain, 3, "the leaf and what lies between it and the root")
	assert.Equal(t, issuer.Raw, chain[1].Raw)
	assert.Equal(t, mid.Raw, chain[2].Raw)
	assert.Equal(t, ca.EncodePEM(issuer), a.PEM(), "agents of the 0.1 generation accept only the direct issuer")
	verify(t, a, chain[:1], "x.lab")
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	between.AddCert(issuer)
	between.AddCert(mid)
	_, err = chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: "x.lab"})
	assert.NoError(t, err, "a peer that knows only the root")
}

// Helpers of the tests of this package.

func verify(t testing.TB, a *ca.Authority, chain []*x509.Certificate, name string) {
	t.Helper()
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: a.Pool(), DNSName: name, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	assert.NoError(t, err)
}

func newRSA(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	return key
}

func newEC(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	return key
}

func named(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.Subject.CommonName = name }
}

func template(from, to time.Time, change func(*x509.Certificate)) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Corp CA"}, NotBefore: from.Add(-time.Minute), NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if change != nil {
		change(c)
	}
	return c
}

// issue signs; a nil parent means that the certificate signs itself.
func issue(t testing.TB, c, parent *x509.Certificate, key, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

// place puts a CA of its own making into dir, as an admin does.
func place(t testing.TB, dir string, key crypto.Signer, c *x509.Certificate) {
	t.Helper()
	writeKey(t, dir, key)
	write(t, dir, ca.CertFile, string(ca.EncodePEM(issue(t, c, nil, key, key))), 0o644)
}

func writeKey(t testing.TB, dir string, key crypto.Signer) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write(t, dir, ca.KeyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), 0o600)
}

func write(t testing.TB, dir, name, content string, perm os.FileMode) {
	t.Helper()
	path := filepath.Join(dir, name)
	if perm&0o077 == 0 { // an admin places it in a folder that is private
		f, err := private.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		require.NoError(t, err)
		_, err = f.WriteString(content)
		require.NoError(t, errors.Join(err, f.Close()))
		return
	}
	require.NoError(t, os.WriteFile(path, []byte(content), perm))
}

func copyFile(t testing.TB, from, to, name string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(from, name))
	require.NoError(t, err)
	write(t, to, name, string(data), 0o600)
}

func truncateDER(t testing.TB, dir string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, ca.CertFile))
	require.NoError(t, err)
	block, _ := pem.Decode(data)
	block.Bytes = block.Bytes[:len(block.Bytes)/2]
	write(t, dir, ca.CertFile, string(pem.EncodeToMemory(block)), 0o644)
}

func replaceByFolder(t testing.TB, path string) {
	t.Helper()
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o755))
}

// snapshot is the content of every file in dir.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	files := make(map[string]string)
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		files[e.Name()] = string(data)
	}
	return files
}
