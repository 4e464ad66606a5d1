package standalone_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/standalone"
	"github.com/dcvix/dcvix/session"
)

// spoil writes over a file, which keeps its length when it is longer.
func spoil(t *testing.T, path string, garbage []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	_, err = f.WriteAt(garbage[:min(int64(len(garbage)), max(info.Size(), 100))], 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// Whatever becomes of the files below a running director, those it knows go on, and
// what it cannot keep it does not promise.
func TestDamagedFilesDoNotTakeARunningDirectorDown(t *testing.T) {
	garbage := bytes.Repeat([]byte("no database, no policy, no key "), 4096)
	dir := t.TempDir()
	s := open(t, dir, options(t))
	overwrite(t, dir, "policydb/users.json", `[{"id":"alice","workstations":["ws1"]}]`)
	require.NoError(t, s.ReloadPolicy(t.Context()))
	id := pending(t, s, "ws1")
	require.NoError(t, s.Broker().Approve(t.Context(), id, session.Approval{}))
	login, served := logIn(t, s), leaf(t, s)

	for _, name := range []string{
		standalone.DatabaseFile, standalone.DatabaseFile + "-wal", standalone.DatabaseFile + "-shm", "ca.pem", "ca.key", "server.crt", "server.key", "policydb/users.json", "policydb/pools.json",
	} {
		spoil(t, filepath.Join(dir, name), garbage)
	}
	require.Error(t, s.ReloadPolicy(t.Context()))
	kept := 0
	for i := range 200 { // more than the database has in memory
		if _, err := s.Broker().Register(t.Context(), session.Registration{
			ID: dcvix.AgentID(fmt.Sprintf("%08x-0000-4000-8000-000000000000", i)), KeyHash: session.KeyHash{1}, Hostname: "ws2", Address: fmt.Sprintf("10.0.0.%d", i),
		}); assert.Error(t, err) && err.Error() == session.ErrPending.Error() {
			kept++
		}
	}

	assert.Less(t, kept, 200, "the damage was met")
	assert.Len(t, s.Broker().Agents(dcvix.AgentPending), kept, "what was not kept is not there")
	a, err := s.Broker().Authorize(id, session.KeyHash{1})
	require.NoError(t, err)
	require.NoError(t, s.Broker().Report(t.Context(), a, "10.0.0.1", dcvix.AgentUpdate{Stats: dcvix.Stats{Hostname: "ws1"}}))
	status, body := servers(t, s, login)
	assert.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, `{"servers":["ws1"]}`, body)
	assert.Equal(t, served.Raw, leaf(t, s).Raw, "the last good certificate")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, dcvix.PathHealth, nil))
	assert.Equal(t, http.StatusOK, w.Code)
}
