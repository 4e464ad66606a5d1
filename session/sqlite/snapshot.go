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
