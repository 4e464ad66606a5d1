// Package sqlite is a session.Store in one SQLite file.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite" // registers itself as "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/internal/sqlstore"
)

var _ session.Store = (*Store)(nil)

// A Store keeps the register in a file. It is safe for concurrent use by one
// process.
type Store struct {
	*sqlstore.Store
	db *sql.DB
}

// Open opens the database at path, or creates it, readable by its owner alone,
// and brings its schema up to date. Others' permissions on an existing file are
// taken away.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := private(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	// One connection: SQLite has one writer anyway, and reads are rare.
	db.SetMaxOpenConns(1)
	store, err := sqlstore.Open(ctx, sqlstore.Config{DB: db, Dialect: goose.DialectSQLite3})
	if err != nil {
		return nil, errors.Join(unusable(path, err), db.Close())
	}
	// What a process committed that was killed before it synchronised is there to
	// be read from now on, so it has to last.
	if _, err := db.ExecContext(ctx, `PRAGMA wal_checkpoint(passive)`); err != nil {
		return nil, errors.Join(unusable(path, err), db.Close())
	}
	return &Store{Store: store, db: db}, nil
}

// unusable says what to do about a database that does not open.
func unusable(path string, err error) error {
	var fault *driver.Error
	if errors.As(err, &fault) && (fault.Code()&0xff == sqlite3.SQLITE_NOTADB || fault.Code()&0xff == sqlite3.SQLITE_CORRUPT) {
		return fmt.Errorf("%s is damaged, restore it or move it away for an empty one: %w", path, err)
	}
	return fmt.Errorf("%s cannot be used: %w", path, err)
}

// dsn asks for what a register needs: readers beside a writer (WAL), a commit
// that survives a power cut (FULL), and transactions that take the write lock at
// their start instead of failing with SQLITE_BUSY in their middle.
func dsn(path string) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {"journal_mode(wal)", "synchronous(full)", "busy_timeout(5000)"}}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// private creates the file 0600 before SQLite does with the process's umask; its
// side files get the same mode. An existing one is tightened.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	for _, side := range []string{"", "-wal", "-shm"} {
		if err := os.Chmod(path+side, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keep others from the database: %w", err)
		}
	}
	return nil
}

// Close writes everything to the file and closes it.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}
