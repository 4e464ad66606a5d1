package sqlstore

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// PutDenial implements [session.DenialStore].
func (s *Store) PutDenial(ctx context.Context, d session.Denial) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO denials (id, key_hash, denied_at) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET key_hash = excluded.key_hash, denied_at = excluded.denied_at`,
		string(d.ID), hex.EncodeToString(d.KeyHash[:]), millis(d.At))
	if err != nil {
		return fmt.Errorf("remember the denial of agent %s: %w", d.ID, err)
	}
	return nil
}

// Denials implements [session.DenialStore].
func (s *Store) Denials(ctx context.Context) ([]session.Denial, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, key_hash, denied_at FROM denials`)
	if err != nil {
		return nil, fmt.Errorf("read denials: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
	all := make([]session.Denial, 0)
	for rows.Next() {
		var d session.Denial
		var key string
		var at int64
		if err := rows.Scan(&d.ID, &key, &at); err != nil {
			return nil, fmt.Errorf("read denials: %w", err)
		}
		hash, err := hex.DecodeString(key)
		if err != nil || len(hash) != len(d.KeyHash) {
			return nil, fmt.Errorf("denial of agent %s: its stored key hash is damaged: restore the database", d.ID)
		}
		d.KeyHash, d.At = session.KeyHash(hash), moment(at)
		all = append(all, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read denials: %w", err)
	}
	return all, nil
}

// ForgetDenials implements [session.DenialStore].
func (s *Store) ForgetDenials(ctx context.Context, ids ...dcvix.AgentID) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("forget denials: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing, before it nothing was written
	for _, id := range ids {
		if _, err := tx.ExecContext(ctx, `DELETE FROM denials WHERE id = $1`, string(id)); err != nil {
			return fmt.Errorf("forget the denial of agent %s: %w", id, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("forget denials: %w", err)
	}
	return nil
}
