package standalone_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/standalone"
	"github.com/dcvix/dcvix/session"
)

func TestAPlacedIntermediateSignsForTheWholeFleet(t *testing.T) {
	dir := t.TempDir()
	rootKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	issuerKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	now := time.Now()
	sign := func(name string, parent *x509.Certificate, key *rsa.PrivateKey) *x509.Certificate {
		c := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
		if parent == nil {
			parent = c
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), rootKey)
		require.NoError(t, err)
		cert, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		return cert
	}
	root := sign("Corp Root", nil, rootKey)
	issuer := sign("Corp Issuing CA", root, issuerKey)
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(issuerKey)})
	require.NoError(t, ca.WriteKeyFile(filepath.Join(dir, ca.KeyFile), keyPEM))
	require.NoError(t, ca.WriteFile(filepath.Join(dir, ca.CertFile), ca.EncodePEM(issuer, root), 0o644))

	w := &world{t: t, dir: dir, Server: open(t, dir, options(t))}

	got, err := os.ReadFile(filepath.Join(dir, ca.KeyFile))
	require.NoError(t, err)
	assert.Equal(t, string(keyPEM), string(got), "it is used as it is")
	roots := x509.NewCertPool()
	roots.AddCert(root)
	ln := listener(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- w.Serve(ctx, ln, w.Server) }()
	conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "localhost"}}).DialContext(t.Context(), "tcp", ln.Addr().String())
	require.NoError(t, err, "a browser that knows only the root")
	require.NoError(t, conn.Close())
	stop()
	require.NoError(t, <-served)

	id := dcvix.AgentID(uuid.NewString())
	key, err := ca.OpenKey(filepath.Join(t.TempDir(), "agent.key"))
	require.NoError(t, err)
	csr, err := ca.NewCSR(key, ca.Identity{CommonName: dcvix.AgentCommonName + string(id)})
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, w.askFor(id, csr, "ws1").Code)
	require.NoError(t, w.Broker().Approve(t.Context(), id, session.Approval{}))
	var answer dcvix.RegisterResponse
	require.NoError(t, json.Unmarshal(w.askFor(id, csr, "ws1").Body.Bytes(), &answer))
	chain, err := ca.ParseCerts([]byte(answer.Certificate))
	require.NoError(t, err)
	assert.Equal(t, issuer.NotAfter, chain[0].NotAfter, "no longer than its CA")
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: "ws1"})
	require.NoError(t, err, "a peer that knows only the root")
	given, err := ca.ParseCerts([]byte(answer.CA))
	require.NoError(t, err)
	assert.Equal(t, issuer.Raw, given[0].Raw, "agents know the direct issuer")
}

func TestACAThatCannotBeUsedRefusesToStart(t *testing.T) {
	tests := map[string]struct {
		days int
		then func(t *testing.T, dir string)
		want error
		says []string
	}{
		"one that has expired": {
			days: -1, want: ca.ErrExpired, says: []string{ca.CertFile, "expired on ", "place a renewed one"},
		},
		"the certificate of another key": {
			days: 1, want: ca.ErrKeyMismatch, says: []string{ca.CertFile, ca.KeyFile, "place the pair that does"},
			then: func(t *testing.T, dir string) {
				other := t.TempDir()
				placeCA(t, other, "Corp CA", 1)
				require.NoError(t, os.Rename(filepath.Join(other, ca.KeyFile), filepath.Join(dir, ca.KeyFile)))
			},
		},
		"the certificate of a server": {
			days: 1, want: ca.ErrNotCA, says: []string{ca.CertFile, "CA:TRUE"},
			then: func(t *testing.T, dir string) {
				authority, err := ca.Open(dir, ca.Config{})
				require.NoError(t, err)
				key, err := ca.ReadKeyFile(filepath.Join(dir, ca.KeyFile))
				require.NoError(t, err)
				chain, err := authority.SignServer(key.Public(), ca.Identity{CommonName: "portal"})
				require.NoError(t, err)
				require.NoError(t, ca.WriteFile(filepath.Join(dir, ca.CertFile), ca.EncodePEM(chain...), 0o644))
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			placeCA(t, dir, "Corp CA", tt.days)
			if tt.then != nil {
				tt.then(t, dir)
			}
			_, err := standalone.Open(t.Context(), dir, options(t))
			require.ErrorIs(t, err, tt.want)
			assert.ErrorContains(t, err, dir)
			assert.NotContains(t, err.Error(), "\n", "one sentence")
			for _, want := range tt.says {
				assert.ErrorContains(t, err, want)
			}
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			assert.Len(t, entries, 2, "nothing is made beside it")
		})
	}
}

func TestACertificatePlacedWhileItRunsIsServedWithin30Seconds(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		corp := t.TempDir()
		placeCA(t, corp, "Corp CA", 90)
		authority, err := ca.Open(corp, ca.Config{})
		require.NoError(t, err)
		_, err = authority.EnsureServer(corp, ca.Identity{CommonName: "portal", DNSNames: []string{"portal.corp"}})
		require.NoError(t, err)
		// The certificate first: its key is not there yet, and no other is made for it.
		for _, name := range []string{ca.ServerCertFile, ca.ServerKeyFile} {
			data, err := os.ReadFile(filepath.Join(corp, name))
			require.NoError(t, err)
			require.NoError(t, ca.WriteKeyFile(filepath.Join(w.dir, name), data))
			time.Sleep(30 * time.Second)
			synctest.Wait()
		}
		assert.Equal(t, []string{"portal.corp"}, leaf(t, w.Server).DNSNames)
		time.Sleep(2 * time.Hour)
		assert.Equal(t, []string{"portal.corp"}, leaf(t, w.Server).DNSNames, "and it stays")
	})
}

func TestSecretsThatOthersCanReadRefuseToStart(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("package ca has the test for access lists")
	}
	for _, name := range []string{ca.KeyFile, ca.ServerKeyFile, standalone.TokenKeyFile} {
		for _, perm := range []fs.FileMode{0o640, 0o620, 0o604, 0o602} {
			t.Run(name+" "+perm.String(), func(t *testing.T) {
				dir := t.TempDir()
				s, err := standalone.Open(t.Context(), dir, options(t))
				require.NoError(t, err)
				require.NoError(t, s.Close())
				path := filepath.Join(dir, name)
				require.NoError(t, os.Chmod(path, perm))

				_, err = standalone.Open(t.Context(), dir, options(t))

				require.ErrorIs(t, err, ca.ErrInsecureKey)
				require.EqualError(t, err, path+" is readable by others: chmod 600 "+path)
				require.NoError(t, os.Chmod(path, 0o600)) // what it says
				open(t, dir, options(t))
			})
		}
	}
}

func TestADatabaseThatOthersCanReadIsTightened(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("package session/sqlite does it there too")
	}
	inWorld(t, func(t *testing.T, w *world, _ *standalone.Options) {
		path := filepath.Join(w.dir, standalone.DatabaseFile)
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		require.NoError(t, os.Chmod(path, 0o644))
	}, func(t *testing.T, w *world) {
		path := filepath.Join(w.dir, standalone.DatabaseFile)
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
		assert.Equal(t, 1, strings.Count(w.logged(), "database was open to others, it is its owner's alone now\" file="+path), w.logged())
	})
}
