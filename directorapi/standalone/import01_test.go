package standalone_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/standalone"
	"github.com/dcvix/dcvix/session"
)

// An agent01 is one of the 0.1 generation, with the key in its folder.
type agent01 struct {
	id  dcvix.AgentID
	csr []byte
}

func newAgent01(t *testing.T) agent01 {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	id := dcvix.AgentID(uuid.NewString())
	csr, err := ca.NewCSR(key, ca.Identity{CommonName: dcvix.AgentCommonName + string(id), DNSNames: []string{"ws1"}})
	require.NoError(t, err)
	return agent01{id, csr}
}

// registers does what such an agent does at every start.
func (a agent01) registers(t *testing.T, s *standalone.Server, host string) (int, string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"csr": a.csr, "guid": a.id, "hostname": host})
	require.NoError(t, err)
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, dcvix.PathAgentRegister, bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Agents().ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

// folder01 is what a director of the 0.1 generation leaves: its CA and a database
// that the statements fill.
func folder01(t *testing.T, statements ...string) string {
	t.Helper()
	dir := t.TempDir()
	_, err := ca.Open(dir, ca.Config{})
	require.NoError(t, err)
	db, err := sql.Open("sqlite", filepath.Join(dir, standalone.DatabaseFile))
	require.NoError(t, err)
	for _, statement := range statements {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	require.NoError(t, db.Close())
	return dir
}

func TestADirectorTakesOverFromThe01Generation(t *testing.T) {
	known, keyless, revoked, local := newAgent01(t), newAgent01(t), newAgent01(t), newAgent01(t)
	asPEM := func(a agent01) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: a.csr}))
	}
	dir := folder01(t, `CREATE TABLE agents (guid TEXT PRIMARY KEY, hostname TEXT, state TEXT, csr TEXT, registered_at DATETIME)`,
		`INSERT INTO agents VALUES ('`+string(known.id)+`', 'ws1', 'registered', '`+asPEM(known)+`', '2024-01-01 00:00:00+00:00')`,
		`INSERT INTO agents VALUES ('`+string(keyless.id)+`', 'ws2', 'registered', NULL, NULL)`,
		`INSERT INTO agents VALUES ('`+string(revoked.id)+`', 'ws3', 'revoked', NULL, NULL)`,
		`INSERT INTO agents VALUES ('`+string(local.id)+`', 'localhost', 'registered', '`+asPEM(local)+`', NULL)`)
	authority, err := os.ReadFile(filepath.Join(dir, ca.CertFile))
	require.NoError(t, err)
	var log bytes.Buffer
	opts := options(t)
	opts.Logger = slog.New(slog.NewTextHandler(io.MultiWriter(&log, t.Output()), nil))

	s := open(t, dir, opts)

	status, body := known.registers(t, s, "ws1")
	require.Equal(t, http.StatusOK, status, body)
	var answer dcvix.RegisterResponse
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	block, _ := pem.Decode([]byte(answer.Certificate))
	require.NotNil(t, block)
	leaf, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(authority), "the CA that its agents know")
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "ws1"})
	require.NoError(t, err)
	for _, waits := range []agent01{keyless, local} {
		status, body = waits.registers(t, s, "ws2")
		assert.Equal(t, http.StatusForbidden, status, body)
		assert.JSONEq(t, `{"error":"pending approval"}`, body)
	}
	status, body = revoked.registers(t, s, "ws3")
	assert.Equal(t, http.StatusUnauthorized, status, body)
	require.ErrorIs(t, s.Broker().Reactivate(t.Context(), revoked.id), session.ErrNoKey)
	require.ErrorIs(t, s.Broker().Approve(t.Context(), local.id, session.Approval{}), session.ErrNameReserved)

	assert.Contains(t, log.String(), "registered=1 pending=1 revoked=1 not_imported=1")
	assert.Contains(t, log.String(), `guid=`+string(keyless.id)+` hostname=ws2 was=registered now="not imported" reason="its key is not known"`)
	assert.Contains(t, log.String(), "they ask again by themselves and wait for one approval each")
	assert.NotContains(t, log.String(), "guid="+string(known.id)+" hostname=ws1 was=")
	records, err := s.Audit().Read(t.Context(), session.AuditQuery{Action: session.AuditStoreImport})
	require.NoError(t, err)
	require.Len(t, records, 1)
	assert.Equal(t, session.AuditOK, records[0].Outcome)
	assert.Equal(t, session.AuditDirector, records[0].Role)
	assert.Equal(t, "1 registered, 1 pending, 1 revoked, 1 not imported", records[0].New)
	assert.Equal(t, filepath.Join(dir, "agents.db.0.1"), records[0].Old)

	require.NoError(t, s.Close())
	s = open(t, dir, opts)
	records, err = s.Audit().Read(t.Context(), session.AuditQuery{Action: session.AuditStoreImport})
	require.NoError(t, err)
	assert.Len(t, records, 1, "the second start imports nothing")
	status, body = known.registers(t, s, "ws1")
	assert.Equal(t, http.StatusOK, status, body)
}

func TestARegisterThatCannotBeReadIsLostWithAWord(t *testing.T) {
	dir := folder01(t, `CREATE TABLE things (id INTEGER PRIMARY KEY, what TEXT)`)
	var log bytes.Buffer
	opts := options(t)
	opts.Logger = slog.New(slog.NewTextHandler(io.MultiWriter(&log, t.Output()), nil))

	s := open(t, dir, opts)

	assert.Empty(t, s.Broker().Agents(""))
	assert.Contains(t, log.String(), "counts as lost")
	assert.Contains(t, log.String(), "kept_as="+filepath.Join(dir, "agents.db.0.1"))
	records, err := s.Audit().Read(t.Context(), session.AuditQuery{Action: session.AuditStoreImport})
	require.NoError(t, err)
	require.Len(t, records, 1)
	assert.Equal(t, session.AuditFailed, records[0].Outcome)
	assert.Contains(t, records[0].Reason, "no table of it has agents")
}

func TestAnImportThatFailsStopsTheStart(t *testing.T) {
	dir := folder01(t, `CREATE TABLE agents (guid TEXT, hostname TEXT, state TEXT)`)
	path := filepath.Join(dir, standalone.DatabaseFile)
	require.NoError(t, os.Mkdir(path+".importing", 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(path+".importing", "report.json"), []byte("{"), 0o600))
	_, err := standalone.Open(t.Context(), dir, options(t))
	require.ErrorContains(t, err, "report.json is damaged, remove the folder "+path+".importing")
}
