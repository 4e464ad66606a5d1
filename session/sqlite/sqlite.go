// Package sqlite is a session.Store in one SQLite file.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strconv"

	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite" // registers itself as "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dcvix/dcvix/internal/private"
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
// and brings its schema up to date. Rights of others on an existing file are taken
// away, which the logger is told (nil means slog.Default()). A path that may hold a
// database of the 0.1 generation goes through [Import01] first; Open refuses one
// whose import was interrupted.
func Open(ctx context.Context, path string, logger *slog.Logger) (*Store, error) {
	if interrupted(path) {
		return nil, fmt.Errorf("%s is being imported and that was interrupted: call Import01 before Open", path)
	}
	return open(ctx, path, "full", logger)
}

// applicationID marks a database as ours, "dcvx" in ASCII. It stands in the
// header, where it can be read also when the tables are damaged
// (https://www.sqlite.org/fileformat2.html#application_id).
const applicationID = 0x64637678

func open(ctx context.Context, path, synchronous string, logger *slog.Logger) (*Store, error) {
	if logger == nil {
		logger = slog.Default()
	}
	if err := create(path); err != nil {
		return nil, err
	}
	if err := tighten(ctx, path, logger); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path, synchronous))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	// One connection: SQLite has one writer anyway, and reads are rare.
	db.SetMaxOpenConns(1)
	store, err := sqlstore.Open(ctx, sqlstore.Config{DB: db, Dialect: goose.DialectSQLite3})
	if err != nil {
		return nil, errors.Join(unusable(path, err), db.Close())
	}
	if err := mark(ctx, db); err != nil {
		return nil, errors.Join(unusable(path, err), db.Close())
	}
	// On Windows SQLite's side files have the access list of their folder.
	if err := tighten(ctx, path, logger); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	// What a process committed that was killed before it synchronised is there to
	// be read from now on, so it has to last.
	if _, err := db.ExecContext(ctx, `PRAGMA wal_checkpoint(passive)`); err != nil {
		return nil, errors.Join(unusable(path, err), db.Close())
	}
	return &Store{Store: store, db: db}, nil
}

// mark writes the application id into a database that lacks it.
func mark(ctx context.Context, db *sql.DB) error {
	var id int64
	if err := db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&id); err != nil {
		return fmt.Errorf("read the application id: %w", err)
	}
	if id == applicationID {
		return nil
	}
	if _, err := db.ExecContext(ctx, `PRAGMA application_id = `+strconv.Itoa(applicationID)); err != nil {
		return fmt.Errorf("write the application id: %w", err)
	}
	return nil
}

// unusable says what to do about a database that does not open.
func unusable(path string, err error) error {
	if code := codeOf(err); code == sqlite3.SQLITE_NOTADB || code == sqlite3.SQLITE_CORRUPT {
		return fmt.Errorf("%s is damaged, restore it or move it away for an empty one: %w", path, err)
	}
	return fmt.Errorf("%s cannot be used: %w", path, err)
}

// codeOf returns the primary result code of SQLite in err, or 0 when there is none.
func codeOf(err error) int {
	if fault := (*driver.Error)(nil); errors.As(err, &fault) {
		return fault.Code() & 0xff
	}
	return 0
}

// dsn asks for what a register needs: readers beside a writer (WAL), a commit
// that survives a power cut (synchronous is "full"), and transactions that take
// the write lock at their start instead of failing with SQLITE_BUSY in their middle.
func dsn(path, synchronous string) string {
	return uri(path, url.Values{
		"_txlock": {"immediate"}, "_pragma": {"journal_mode(wal)", "synchronous(" + synchronous + ")", "busy_timeout(5000)"},
	})
}

func uri(path string, q url.Values) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// create makes the file, its owner's alone, before SQLite does with the process's
// umask. On Unix SQLite gives its side files the same permissions.
func create(path string) error {
	f, err := private.OpenFile(path, os.O_RDWR|os.O_CREATE)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	return nil
}

// tighten takes the database and its side files from others.
func tighten(ctx context.Context, path string, logger *slog.Logger) error {
	for _, file := range []string{path, path + "-wal", path + "-shm"} {
		tightened, err := private.Tighten(file)
		if err != nil {
			return fmt.Errorf("keep others from the database: %w", err)
		}
		if tightened {
			logger.WarnContext(ctx, "database was open to others, it is its owner's alone now", slog.String("file", file))
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
