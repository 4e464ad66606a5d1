package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session/sqlite"
)

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

var errKilled = errors.New("killed")

func TestAKillAtAnyStepLeavesTheOldRegisterOrTheNewOne(t *testing.T) {
	a, b := newOld(t), newOld(t)
	var steps []string
	for n := 0; ; n++ {
		path := dbPath(t)
		killed(t, path, do(`PRAGMA journal_mode = wal`), do(plain), put(t, a, "ws1", "registered", ""), putKeyless(b, "ws2", "registered"))
		old := contents(t, filepath.Dir(path))
		var reports []sqlite.Report
		cfg := sqlite.ImportConfig{Path: path, Tell: func(r sqlite.Report) error {
			reports = append(reports, r)
			return nil
		}}
		left := n
		err := sqlite.Import01Reaching(t.Context(), cfg, func(step string) error {
			if left--; left >= 0 {
				return nil
			}
			steps = append(steps, step)
			return errKilled
		})
		if err == nil {
			break
		}
		require.ErrorIs(t, err, errKilled)
		if !exists(path) {
			_, err := sqlite.Open(t.Context(), path, nil)
			require.ErrorContains(t, err, "call Import01", "nobody makes an empty one at %s", steps[n])
			require.NoFileExists(t, path)
		}

		require.NoError(t, sqlite.Import01(t.Context(), cfg), steps[n])

		require.NotEmpty(t, reports, steps[n])
		for _, r := range reports {
			require.Equal(t, 1, r.Count(dcvix.AgentRegistered), steps[n])
			require.Equal(t, 1, r.Count(""), steps[n])
			require.Equal(t, path+".0.1", r.Aside)
		}
		all := agentsIn(t, path)
		require.Len(t, all, 1, steps[n])
		require.Equal(t, a.hash, all[0].KeyHash)
		now := contents(t, filepath.Dir(path))
		require.Len(t, now, len(old)+1, "nothing else is left: %v", steps[n])
		for file, data := range old {
			require.Equal(t, data, now[strings.Replace(file, "agents.db", "agents.db.0.1", 1)], "%s after a kill at %s", file, steps[n])
		}
		require.NoDirExists(t, path+".importing")
	}
	assert.Equal(t, []string{"copied", "read", "filled", "built", "aside-wal", "aside-shm", "aside-journal", "aside", "placed", "told"}, steps)
}

func TestWhatCouldNotBeToldIsToldAgain(t *testing.T) {
	path := dbPath(t)
	made(t, path, do(plain), putKeyless(newOld(t), "ws1", "revoked"))
	full := errors.New("disk full")
	err := sqlite.Import01(t.Context(), sqlite.ImportConfig{Path: path, Tell: func(sqlite.Report) error { return full }})
	require.ErrorIs(t, err, full)
	assert.Equal(t, 1, imported(t, path).Count(dcvix.AgentRevoked))
	assert.Len(t, agentsIn(t, path), 1)
	assert.Empty(t, told(t, path))
}

func TestADatabaseThatCameBackInTheMiddleIsNotOverwritten(t *testing.T) {
	path := dbPath(t)
	made(t, path, do(plain))
	err := sqlite.Import01Reaching(t.Context(), sqlite.ImportConfig{Path: path}, func(step string) error {
		if step == "aside" {
			return errKilled
		}
		return nil
	})
	require.ErrorIs(t, err, errKilled)
	require.NoError(t, os.WriteFile(path, []byte("a backup"), 0o600))

	err = sqlite.Import01(t.Context(), sqlite.ImportConfig{Path: path})

	require.ErrorContains(t, err, path+".0.1 too: remove or rename one of them")
	assert.Equal(t, "a backup", contents(t, filepath.Dir(path))["agents.db"])
}
