package sqlite_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sqlite"
)

// An old01 is an agent of the 0.1 generation.
type old01 struct {
	id   dcvix.AgentID
	key  *ecdsa.PrivateKey
	hash session.KeyHash
}

func newOld(t testing.TB) old01 {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	a := old01{id: dcvix.AgentID(uuid.NewString()), key: key}
	a.hash = sha256.Sum256(a.spki(t))
	return a
}

func (a old01) spki(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(a.key.Public())
	require.NoError(t, err)
	return der
}

// csr returns a certificate request in DER; it is what an agent sends.
func (a old01) csr(t testing.TB, commonName string) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: commonName}}, a.key)
	require.NoError(t, err)
	return der
}

func (a old01) name() string { return dcvix.AgentCommonName + string(a.id) }

// cert returns a certificate in DER, signed by another's key.
func (a old01) cert(t testing.TB, commonName string, isCA bool) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: commonName}, IsCA: isCA, BasicConstraintsValid: true,
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}
	var signer crypto.Signer = newOld(t).key
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), signer)
	require.NoError(t, err)
	return der
}

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func inBase64(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

// A write is a statement with its values.
type write struct {
	query  string
	values []any
}

func do(query string, values ...any) write { return write{query, values} }

// made makes a database at path as another program would.
func made(t testing.TB, path string, writes ...write) {
	t.Helper()
	db := dbAt(t, path)
	for _, w := range writes {
		_, err := db.ExecContext(t.Context(), w.query, w.values...)
		require.NoError(t, err, w.query)
	}
	require.NoError(t, db.Close())
}

func dbAt(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	return db
}

// killed makes a database whose program was killed: its last writes stand in a
// log or a journal beside it.
func killed(t testing.TB, path string, writes ...write) {
	t.Helper()
	there := filepath.Join(t.TempDir(), "live.db")
	db := dbAt(t, there)
	for _, w := range writes {
		_, err := db.ExecContext(t.Context(), w.query, w.values...)
		require.NoError(t, err, w.query)
	}
	for _, side := range []string{"", "-wal", "-shm", "-journal"} {
		data, err := os.ReadFile(there + side)
		if err == nil {
			require.NoError(t, os.WriteFile(path+side, data, 0o640))
		}
	}
	require.NoError(t, db.Close())
}

// imported runs the import and returns what was told, which must be one report.
func imported(t testing.TB, path string, reserved ...dcvix.Hostname) sqlite.Report {
	t.Helper()
	all := told(t, path, reserved...)
	require.Len(t, all, 1)
	return all[0]
}

func told(t testing.TB, path string, reserved ...dcvix.Hostname) []sqlite.Report {
	t.Helper()
	var all []sqlite.Report
	require.NoError(t, sqlite.Import01(t.Context(), sqlite.ImportConfig{Path: path, Reserved: reserved, Tell: func(r sqlite.Report) error {
		all = append(all, r)
		return nil
	}}))
	assert.NoDirExists(t, path+".importing")
	return all
}

// agentsIn returns what our database at path has.
func agentsIn(t testing.TB, path string) []session.Agent {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, nil)
	require.NoError(t, err)
	all, err := s.Agents(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close())
	return all
}

// contents returns the files of a folder.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		if !e.IsDir() {
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			require.NoError(t, err)
			all[e.Name()] = string(data)
		}
	}
	return all
}

func dbPath(t testing.TB) string { t.Helper(); return filepath.Join(t.TempDir(), "agents.db") }
