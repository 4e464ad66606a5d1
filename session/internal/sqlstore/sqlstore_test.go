package sqlstore_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/internal/sqlstore"
	"github.com/dcvix/dcvix/session/sessiontest"
)

func open(t testing.TB) (*sqlstore.Store, *sql.DB) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "agents.db")+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{DB: db, Dialect: goose.DialectSQLite3})
	require.NoError(t, err)
	return s, db
}

func TestStore(t *testing.T) {
	sessiontest.TestStore(t, func(t testing.TB) session.Store {
		s, _ := open(t)
		return s
	})
}

func TestOpeningAgainKeepsWhatIsThere(t *testing.T) {
	s, db := open(t)
	sessiontest.PutAgent(t, s, session.Agent{ID: "a1", CreatedAt: time.UnixMilli(1)})
	again, err := sqlstore.Open(t.Context(), sqlstore.Config{DB: db, Dialect: goose.DialectSQLite3})
	require.NoError(t, err)
	all, err := again.Agents(t.Context())
	require.NoError(t, err)
	assert.Len(t, all, 1)
}

func TestADamagedRowIsAnErrorWithTheRemedy(t *testing.T) {
	for name, hash := range map[string]string{
		"too long": strings.Repeat("ab", 100), "too short": "abcd", "empty": "", "no hex": strings.Repeat("zz", 32), "odd": strings.Repeat("a", 63),
	} {
		t.Run(name, func(t *testing.T) {
			s, db := open(t)
			sessiontest.PutAgent(t, s, session.Agent{ID: "a1"})
			_, err := db.ExecContext(t.Context(), `UPDATE agents SET key_hash = $1`, hash)
			require.NoError(t, err)
			_, err = s.Agents(t.Context())
			require.EqualError(t, err, "agent a1: its stored key hash is damaged: restore the database")
			err = s.ChangeAgents(t.Context(), func([]*session.Agent) error { return nil }, "a1")
			require.ErrorContains(t, err, "restore the database")

			require.NoError(t, s.PutDenial(t.Context(), session.Denial{ID: "a1"}))
			_, err = db.ExecContext(t.Context(), `UPDATE denials SET key_hash = $1`, hash)
			require.NoError(t, err)
			_, err = s.Denials(t.Context())
			assert.EqualError(t, err, "denial of agent a1: its stored key hash is damaged: restore the database")
		})
	}
}

func TestNothingIsDoneForACallerThatLeft(t *testing.T) {
	s, _ := open(t)
	sessiontest.PutAgent(t, s, session.Agent{ID: "a1"})
	ctx, leave := context.WithCancel(t.Context())
	leave()
	_, err := s.Agents(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.ChangeAgents(ctx, func(a []*session.Agent) error { a[0].State = dcvix.AgentRevoked; return nil }, "a1"), context.Canceled)
	require.ErrorIs(t, s.SeeAgents(ctx, []session.Seen{{ID: "a1", At: time.Now()}}), context.Canceled)
	require.ErrorIs(t, s.RevokeToken(ctx, session.Revocation{TokenID: "t"}), context.Canceled)
	require.ErrorIs(t, s.ForgetTokens(ctx, time.Now()), context.Canceled)
	require.ErrorIs(t, s.PutDenial(ctx, session.Denial{ID: "a1"}), context.Canceled)
	require.ErrorIs(t, s.ForgetDenials(ctx, "a1"), context.Canceled)
	_, err = s.Denials(ctx)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.RevokedTokens(ctx)
	require.ErrorIs(t, err, context.Canceled)

	all, err := s.Agents(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []session.Agent{{ID: "a1"}}, all)
}

func TestTextFromOutsideIsDataNotSQL(t *testing.T) {
	s, _ := open(t)
	evil := session.Agent{ID: `'; DROP TABLE agents; --`, Address: "\x00'\"", Serial: `$1`, Reason: "ü\n"}
	sessiontest.PutAgent(t, s, evil)
	all, err := s.Agents(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []session.Agent{evil}, all)
}
