package ca_test

import (
	"crypto/elliptic"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
)

func director(names ...string) ca.Identity {
	return ca.Identity{CommonName: "dcvix-director", DNSNames: append([]string{"localhost"}, names...), IPs: []net.IP{net.IPv4(127, 0, 0, 1)}}
}

func ensure(t *testing.T, a *ca.Authority, dir string, id ca.Identity) bool {
	t.Helper()
	wrote, err := a.EnsureServer(dir, id)
	require.NoError(t, err)
	_, err = tls.LoadX509KeyPair(filepath.Join(dir, ca.ServerCertFile), filepath.Join(dir, ca.ServerKeyFile))
	require.NoError(t, err, "the pair is whole")
	return wrote
}

func TestTheServersCertificateIsRenewedWhenItHasTo(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	caDir, dir := t.TempDir(), t.TempDir()
	a, err := ca.Open(caDir, ca.Config{Now: clock})
	require.NoError(t, err)

	require.True(t, ensure(t, a, dir, director()), "there is none")
	mode(t, filepath.Join(dir, ca.ServerKeyFile), 0o600)
	chain, err := ca.ReadCertFile(filepath.Join(dir, ca.ServerCertFile))
	require.NoError(t, err)
	require.Len(t, chain, 2, "leaf and CA, for clients that pin a fingerprint")
	assert.Equal(t, a.Certificate().Raw, chain[1].Raw)
	verify(t, a, chain, "localhost")
	key := snapshot(t, dir)[ca.ServerKeyFile]

	assert.False(t, ensure(t, a, dir, director()), "nothing changed")
	assert.True(t, ensure(t, a, dir, director("director.lab")), "a name more")
	assert.True(t, ensure(t, a, dir, director()), "a name less")
	moved := director()
	moved.IPs = []net.IP{net.IPv4(10, 0, 0, 1)}
	assert.True(t, ensure(t, a, dir, moved), "another address")
	assert.False(t, ensure(t, a, dir, moved))

	now = now.Add(59 * 24 * time.Hour)
	assert.False(t, ensure(t, a, dir, moved))
	now = now.Add(2 * 24 * time.Hour)
	assert.True(t, ensure(t, a, dir, moved), "a third of its life is left")
	assert.False(t, ensure(t, a, dir, moved))
	assert.Equal(t, key, snapshot(t, dir)[ca.ServerKeyFile], "the key stays")

	other, err := ca.Open(t.TempDir(), ca.Config{Now: clock})
	require.NoError(t, err)
	assert.True(t, ensure(t, other, dir, moved), "the CA was replaced by a new one of ours")

	require.NoError(t, os.Remove(filepath.Join(dir, ca.ServerKeyFile)))
	assert.True(t, ensure(t, other, dir, moved), "the key was lost")
}

func TestACertificateThatAnAdminPlacedIsLeftAlone(t *testing.T) {
	a := catest.New(t)
	placed := func(t *testing.T) string {
		dir := t.TempDir()
		key := newEC(t, elliptic.P256())
		place(t, dir, key, template(time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour), named("portal.corp"))) // even one that expired
		require.NoError(t, os.Rename(filepath.Join(dir, ca.KeyFile), filepath.Join(dir, ca.ServerKeyFile)))
		require.NoError(t, os.Rename(filepath.Join(dir, ca.CertFile), filepath.Join(dir, ca.ServerCertFile)))
		return dir
	}
	tests := map[string]struct {
		spoil func(t *testing.T, dir string)
		says  string // "" means that it is taken
	}{
		"a good pair":           {func(*testing.T, string) {}, ""},
		"the key is not there":  {func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, ca.ServerKeyFile))) }, "needs its own key"},
		"another key":           {func(t *testing.T, dir string) { copyFile(t, placed(t), dir, ca.ServerKeyFile) }, "place the key of that certificate"},
		"a key others can read": {func(t *testing.T, dir string) { chmod(t, dir, ca.ServerKeyFile, 0o644) }, remedy},
		"a damaged certificate": {func(t *testing.T, dir string) { write(t, dir, ca.ServerCertFile, "hello", 0o644) }, "no certificate in PEM"},
		"a damaged key":         {func(t *testing.T, dir string) { write(t, dir, ca.ServerKeyFile, "hello", 0o600) }, "no private key in PEM"},
		"an empty certificate":  {func(t *testing.T, dir string) { write(t, dir, ca.ServerCertFile, "", 0o644) }, "no certificate in PEM"},
		"the key of another kind": {func(t *testing.T, dir string) {
			writeKey(t, dir, newRSA(t, 2048))
			rename(t, dir, ca.KeyFile, ca.ServerKeyFile)
		}, "do not belong together"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := placed(t)
			tt.spoil(t, dir)
			before := snapshot(t, dir)
			wrote, err := a.EnsureServer(dir, director())
			assert.False(t, wrote)
			assert.Equal(t, before, snapshot(t, dir), "nothing is written over, and no key is made beside it")
			if tt.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.says)
			assert.ErrorContains(t, err, dir)
		})
	}
}

func TestAnIntermediatesServerCertificateCarriesTheIssuerOnce(t *testing.T) {
	now := time.Now()
	rootKey, issuerKey := newEC(t, elliptic.P256()), newEC(t, elliptic.P256())
	root := issue(t, template(now, now.Add(5*time.Hour), named("root")), nil, rootKey, rootKey)
	caDir, dir := t.TempDir(), t.TempDir()
	writeKey(t, caDir, issuerKey)
	write(t, caDir, ca.CertFile, string(ca.EncodePEM(issue(t, template(now, now.Add(3*time.Hour), named("issuer")), root, issuerKey, rootKey), root)), 0o644)
	a := open(t, caDir)
	require.True(t, ensure(t, a, dir, director()))
	chain, err := ca.ReadCertFile(filepath.Join(dir, ca.ServerCertFile))
	require.NoError(t, err)
	require.Len(t, chain, 2)
	assert.Equal(t, a.Certificate().Raw, chain[1].Raw)
	assert.False(t, ensure(t, a, dir, director()))
}

func rename(t *testing.T, dir, from, to string) {
	t.Helper()
	require.NoError(t, os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)))
}
