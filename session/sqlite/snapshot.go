package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
)

// Snapshot writes the register at path, as it is at one moment, to a new database at
// to, which must not be there. The store may be open meanwhile, in this process or
// another one. It is for backups.
func Snapshot(ctx context.Context, path, to string) error {
	db, err := sql.Open("sqlite", uri(path, url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(30000)"}}))
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	if _, err = db.ExecContext(ctx, `VACUUM INTO $1`, to); err != nil {
		err = unusable(path, err)
	}
	return errors.Join(err, db.Close())
}

// Check reads the whole register at path and returns an error that names what is
// damaged. The store may be open meanwhile, in this process or another one.
func Check(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", uri(path, url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(30000)"}}))
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	var verdict string
	if err = db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		err = unusable(path, err)
	} else if verdict != "ok" {
		err = fmt.Errorf("%s is damaged, restore it: %s", path, verdict)
	}
	return errors.Join(err, db.Close())
}
