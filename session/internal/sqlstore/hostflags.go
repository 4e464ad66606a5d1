package sqlstore

import (
	"context"
	"fmt"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// HostFlags implements [session.HostStore].
func (s *Store) HostFlags(ctx context.Context) ([]session.HostFlags, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT agent, maintenance, message, decided_by, decided_at FROM host_flags`)
	if err != nil {
		return nil, fmt.Errorf("read the flags of hosts: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
	all := make([]session.HostFlags, 0)
	for rows.Next() {
		var f session.HostFlags
		var maintenance, at int64
		if err := rows.Scan(&f.Agent, &maintenance, &f.Message, &f.By, &at); err != nil {
			return nil, fmt.Errorf("read the flags of hosts: %w", err)
		}
		f.Maintenance, f.At = maintenance != 0, moment(at)
		all = append(all, f)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the flags of hosts: %w", err)
	}
	return all, nil
}

// PutHostFlags implements [session.HostStore].
func (s *Store) PutHostFlags(ctx context.Context, f session.HostFlags) error {
	var maintenance int64
	if f.Maintenance {
		maintenance = 1
	}
	_, err := s.db.ExecContext(ctx, `INSERT INTO host_flags (agent, maintenance, message, decided_by, decided_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (agent) DO UPDATE SET maintenance = excluded.maintenance, message = excluded.message,
			decided_by = excluded.decided_by, decided_at = excluded.decided_at`,
		string(f.Agent), maintenance, f.Message, string(f.By), millis(f.At))
	if err != nil {
		return fmt.Errorf("keep the flags of host %s: %w", f.Agent, err)
	}
	return nil
}

// ForgetHostFlags implements [session.HostStore].
func (s *Store) ForgetHostFlags(ctx context.Context, id dcvix.AgentID) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM host_flags WHERE agent = $1`, string(id)); err != nil {
		return fmt.Errorf("forget the flags of host %s: %w", id, err)
	}
	return nil
}
