package sqlite_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
	"github.com/dcvix/dcvix/session/sqlite"
)

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func TestStore(t *testing.T) {
	sessiontest.TestStore(t, func(t testing.TB) session.Store { return open(t, filepath.Join(t.TempDir(), "agents.db")) })
}

func TestWhatWasStoredIsThereAfterReopening(t *testing.T) {
	name := "with space, #hash and ?mark.db"
	if runtime.GOOS == "windows" {
		name = "with space and #hash.db" // it has no question marks in names
	}
	path := filepath.Join(t.TempDir(), name)
	want := session.Agent{ID: "a1", State: dcvix.AgentPending, Hostname: "ws1", Aliases: []dcvix.Hostname{"x", "y"}, CreatedAt: time.UnixMilli(1)}
	first, err := sqlite.Open(t.Context(), path, nil)
	require.NoError(t, err)
	sessiontest.PutAgent(t, first, want)
	require.NoError(t, first.Close())

	got, err := open(t, path).Agents(t.Context())

	require.NoError(t, err)
	assert.Equal(t, []session.Agent{want}, got)
	_, err = os.Stat(path)
	assert.NoError(t, err, "the name of the file is the one asked for")
}

func TestWhatAKilledProcessLeftInTheLogIsMadeToLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agents.db")
	sessiontest.PutAgent(t, open(t, path), session.Agent{ID: "a1"})
	left := filepath.Join(t.TempDir(), "agents.db")
	for _, side := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + side)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(left+side, data, 0o600))
	}
	open(t, left)

	data, err := os.ReadFile(left) // without the log, which may not have been synchronised
	require.NoError(t, err)
	alone := filepath.Join(t.TempDir(), "agents.db")
	require.NoError(t, os.WriteFile(alone, data, 0o600))
	got, err := open(t, alone).Agents(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []session.Agent{{ID: "a1"}}, got)
}

func TestNobodyElseReadsTheDatabase(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	path := filepath.Join(t.TempDir(), "agents.db")
	for _, file := range []string{path, path + "-wal"} { // the second is left by a director that was killed
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		require.NoError(t, os.Chmod(file, 0o644))
	}
	var log bytes.Buffer
	s, err := sqlite.Open(t.Context(), path, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	sessiontest.PutAgent(t, s, session.Agent{ID: "a1"})
	for _, file := range []string{path, path + "-wal"} {
		assert.Contains(t, log.String(), `level=WARN msg="database was open to others, it is its owner's alone now" file=`+file+"\n")
	}
	assert.Equal(t, 2, strings.Count(log.String(), "\n"), "the index is SQLite's own: %s", &log)

	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	assert.Len(t, files, 3, "database, log and index")
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f)
	}

	log.Reset()
	again, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "new.db"), slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	require.NoError(t, again.Close())
	assert.Empty(t, log.String(), "one that was made is never open to others")
}

func TestADamagedFileIsRefusedWithTheRemedy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agents.db")
	require.NoError(t, os.WriteFile(path, []byte("this is no database, however long one looks at it\n"), 0o600))

	_, err := sqlite.Open(t.Context(), path, nil)

	assert.ErrorContains(t, err, path+" is damaged, restore it or move it away for an empty one")
}
