// Package sqlstore is a session.Store in SQL. One text serves SQLite and
// PostgreSQL; packages session/sqlite and session/postgres open the database.
package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

//go:embed migrations/*.sql
var migrations embed.FS

var _ session.Store = (*Store)(nil)

// Config says which database a [Store] uses. Dialect and DB are required.
type Config struct {
	DB      *sql.DB
	Dialect goose.Dialect
	Locker  goose.ProviderOption // keeps two programs from migrating at once; nil where the database needs none
}

// A Store keeps the register in a database. It is safe for concurrent use.
type Store struct {
	db *sql.DB

	selectAgent, insertAgent, updateAgent, deleteAgent *sql.Stmt // closed with db
}

// Open brings the schema up to date and returns a Store. The caller closes DB.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if cfg.Locker != nil {
		options = append(options, cfg.Locker)
	}
	provider, err := goose.NewProvider(cfg.Dialect, cfg.DB, files, options...)
	if err != nil {
		return nil, fmt.Errorf("prepare the migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return nil, fmt.Errorf("bring the database up to date: %w", err)
	}
	s := &Store{db: cfg.DB}
	for statement, text := range map[**sql.Stmt]string{
		&s.selectAgent: `SELECT rev, ` + columns + ` FROM agents WHERE id = $1`,
		&s.insertAgent: `INSERT INTO agents (rev, ` + columns + `)
			VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (id) DO NOTHING`,
		&s.updateAgent: `UPDATE agents SET rev = rev + 1, state = $2, key_hash = $3, hostname = $4, requested = $5,
			aliases = $6, port = $7, address = $8, conflict = $9, serial = $10, reason = $11, created_at = $12,
			registered_at = $13, last_seen_at = $14 WHERE id = $1 AND rev = $15`,
		&s.deleteAgent: `DELETE FROM agents WHERE id = $1 AND rev = $2`,
	} {
		if *statement, err = cfg.DB.PrepareContext(ctx, text); err != nil { //nolint:sqlclosecheck // closed with the database
			return nil, fmt.Errorf("prepare for the agents: %w", err)
		}
	}
	return s, nil
}

const columns = `id, state, key_hash, hostname, requested, aliases, port, address, conflict, serial, reason, created_at, registered_at, last_seen_at`

// Agents implements [session.AgentStore].
func (s *Store) Agents(ctx context.Context) ([]session.Agent, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT rev, `+columns+` FROM agents ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read agents: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
	all := make([]session.Agent, 0)
	for rows.Next() {
		a, _, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read agents: %w", err)
	}
	return all, nil
}

// ChangeAgents implements [session.AgentStore].
func (s *Store) ChangeAgents(ctx context.Context, change func([]*session.Agent) error, ids ...dcvix.AgentID) error {
	for {
		err := s.tryChange(ctx, change, ids)
		if !errors.Is(err, errChanged) {
			return err
		}
	}
}

// errChanged says that a row was changed between our read and our write, which
// happens where transactions do not exclude each other from the start.
var errChanged = errors.New("row changed by another transaction")

func (s *Store) tryChange(ctx context.Context, change func([]*session.Agent) error, ids []dcvix.AgentID) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("change agents: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing, before it nothing was written
	rows := make([]stored, len(ids))
	agents := make([]*session.Agent, len(ids))
	for i, id := range ids {
		if agents[i], rows[i], err = s.read(ctx, tx, id); err != nil {
			return err
		}
	}
	if err := change(agents); err != nil {
		return err
	}
	for i, id := range ids {
		if err := s.write(ctx, tx, id, rows[i], agents[i]); err != nil {
			return fmt.Errorf("agent %s: %w", id, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("change agents: %w", err)
	}
	return nil
}

// stored is a row as it was read. Its rev is 0 when there is none.
type stored struct {
	rev    int64
	values []any // any: what database/sql takes
}

func (s *Store) read(ctx context.Context, tx *sql.Tx, id dcvix.AgentID) (*session.Agent, stored, error) {
	a, rev, err := scan(tx.StmtContext(ctx, s.selectAgent).QueryRowContext(ctx, string(id))) //nolint:sqlclosecheck // closed with the transaction
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, stored{}, nil
	case err != nil:
		return nil, stored{}, err
	}
	return &a, stored{rev: rev, values: values(a)}, nil
}

// write brings a row to what the agent is now, nil for none.
func (s *Store) write(ctx context.Context, tx *sql.Tx, id dcvix.AgentID, was stored, now *session.Agent) error {
	var statement *sql.Stmt
	var args []any // any: what database/sql takes
	switch {
	case now == nil && was.rev == 0:
		return nil
	case now == nil:
		statement, args = s.deleteAgent, []any{string(id), was.rev}
	case was.rev == 0:
		statement, args = s.insertAgent, values(*now)
	default:
		if args = values(*now); slices.Equal(args, was.values) {
			return nil
		}
		statement, args = s.updateAgent, append(args, was.rev)
	}
	res, err := tx.StmtContext(ctx, statement).ExecContext(ctx, args...) //nolint:sqlclosecheck // closed with the transaction
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n != 1 {
		err = errChanged
	}
	return err
}

// SeeAgents implements [session.AgentStore].
func (s *Store) SeeAgents(ctx context.Context, seen []session.Seen) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write last-seen times: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing, before it nothing was written
	update, err := tx.PrepareContext(ctx, `UPDATE agents SET last_seen_at = $2, address = $3 WHERE id = $1`)
	if err != nil {
		return fmt.Errorf("write last-seen times: %w", err)
	}
	defer update.Close() //nolint:errcheck // the transaction says whether it worked
	for _, one := range seen {
		if _, err := update.ExecContext(ctx, string(one.ID), millis(one.At), one.Address); err != nil {
			return fmt.Errorf("write when agent %s was seen: %w", one.ID, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write last-seen times: %w", err)
	}
	return nil
}

// RevokeToken implements [session.TokenStore].
func (s *Store) RevokeToken(ctx context.Context, r session.Revocation) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO revoked_tokens (id, ends_at) VALUES ($1, $2)
		ON CONFLICT (id) DO UPDATE SET ends_at = excluded.ends_at`, r.TokenID, millis(r.Until))
	if err != nil {
		return fmt.Errorf("revoke a token: %w", err)
	}
	return nil
}

// RevokedTokens implements [session.TokenStore].
func (s *Store) RevokedTokens(ctx context.Context) ([]session.Revocation, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, ends_at FROM revoked_tokens`)
	if err != nil {
		return nil, fmt.Errorf("read revoked tokens: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
	all := make([]session.Revocation, 0)
	for rows.Next() {
		var r session.Revocation
		var ends int64
		if err := rows.Scan(&r.TokenID, &ends); err != nil {
			return nil, fmt.Errorf("read revoked tokens: %w", err)
		}
		r.Until = moment(ends)
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read revoked tokens: %w", err)
	}
	return all, nil
}

// ForgetTokens implements [session.TokenStore].
func (s *Store) ForgetTokens(ctx context.Context, before time.Time) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM revoked_tokens WHERE ends_at < $1`, millis(before)); err != nil {
		return fmt.Errorf("forget revoked tokens: %w", err)
	}
	return nil
}

// A row is a *sql.Row or *sql.Rows.
type row interface{ Scan(into ...any) error }

func scan(r row) (a session.Agent, rev int64, err error) {
	var key, aliases string
	var created, registered, seen int64
	err = r.Scan(&rev, &a.ID, &a.State, &key, &a.Hostname, &a.Requested, &aliases, &a.Port, &a.Address,
		&a.Conflict, &a.Serial, &a.Reason, &created, &registered, &seen)
	if err != nil {
		return a, 0, fmt.Errorf("read an agent: %w", err)
	}
	hash, err := hex.DecodeString(key)
	if err != nil || len(hash) != len(a.KeyHash) {
		return a, 0, fmt.Errorf("agent %s: its stored key hash is damaged: restore the database", a.ID)
	}
	a.KeyHash = session.KeyHash(hash)
	for name := range strings.FieldsSeq(aliases) {
		a.Aliases = append(a.Aliases, dcvix.Hostname(name))
	}
	a.CreatedAt, a.RegisteredAt, a.LastSeenAt = moment(created), moment(registered), moment(seen)
	return a, rev, nil
}

// values are in the order of columns.
func values(a session.Agent) []any { // any: what database/sql takes
	aliases := make([]string, len(a.Aliases))
	for i, n := range a.Aliases {
		aliases[i] = string(n)
	}
	conflict := 0
	if a.Conflict {
		conflict = 1
	}
	return []any{
		string(a.ID), string(a.State), hex.EncodeToString(a.KeyHash[:]), string(a.Hostname), string(a.Requested),
		strings.Join(aliases, " "), a.Port, a.Address, conflict, a.Serial, a.Reason,
		millis(a.CreatedAt), millis(a.RegisteredAt), millis(a.LastSeenAt),
	}
}

// millis and moment keep the zero time as 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
