package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"
)

const (
	maxRows  = 100_000 // a register of more is none
	maxField = 16 << 10
)

// An oldRegister is what a foreign database says.
type oldRegister struct {
	foreign bool   // it is neither ours nor empty nor so damaged that nobody can tell
	lost    string // why it has no entries; "" when it could be read
	entries []entry
}

// unreadableError says why a database cannot be read, however often one tries.
type unreadableError string

func (e unreadableError) Error() string { return string(e) }

// readOld reads the copy of a database. Its errors are those that may pass, such
// as a full disk.
func readOld(ctx context.Context, path string) (oldRegister, error) {
	// trusted_schema keeps what the file defines from calling functions.
	db, err := sql.Open("sqlite", uri(path, url.Values{"mode": {"rw"}, "_pragma": {"trusted_schema(0)", "query_only(1)", "cell_size_check(1)"}}))
	if err != nil {
		return oldRegister{}, err
	}
	defer db.Close() //nolint:errcheck // it is a copy
	db.SetMaxOpenConns(1)
	tables, ours, err := schema(ctx, db)
	if damaged(err) || err == nil && (ours || len(tables) == 0) {
		return oldRegister{}, nil
	}
	if err != nil {
		return oldRegister{}, err
	}
	old := oldRegister{foreign: true}
	old.entries, err = readAgents(ctx, db, tables)
	old.lost, err = loss(err)
	return old, err
}

// loss says why a database cannot be read, or returns an error that may pass.
func loss(err error) (why string, passing error) {
	if unreadable := unreadableError(""); errors.As(err, &unreadable) {
		return string(unreadable), nil
	}
	if damaged(err) {
		return "it is damaged", nil
	}
	return "", err
}

// damaged says whether SQLite found that the file is not as it should be. One
// that needs what this SQLite does not have (SQLITE_ERROR) counts as such.
func damaged(err error) bool {
	return slices.Contains([]int{sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}, codeOf(err))
}

// A table01 is a table of a foreign database.
type table01 struct {
	name    string
	columns []string
}

// schema returns the tables, and whether the database is ours: it says so, or has
// the tables of ours from before they said so.
func schema(ctx context.Context, db *sql.DB) (tables []table01, ours bool, err error) {
	var id int64
	if err := db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&id); err != nil {
		return nil, false, fmt.Errorf("read the application id: %w", err)
	}
	names, err := texts(ctx, db, `SELECT name FROM sqlite_master WHERE type = 'table'
		AND substr(name, 1, 7) <> 'sqlite_' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name`)
	if err != nil {
		return nil, false, err
	}
	const versions = "goose_db_version"
	ours = id == applicationID
	for _, name := range names {
		columns, err := texts(ctx, db, `SELECT name FROM pragma_table_info(?)`, name)
		if err != nil {
			return nil, false, err
		}
		if name == "agents" && slices.Contains(columns, "key_hash") && slices.Contains(names, versions) {
			ours = true
		}
		if name != versions {
			tables = append(tables, table01{name, columns})
		}
	}
	return tables, ours, nil
}

func texts(ctx context.Context, db *sql.DB, query string, args ...any) ([]string, error) { // any: what database/sql takes
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
	var all []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, fmt.Errorf("read the schema: %w", err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	return all, nil
}

// readAgents reads the one table that has agents.
func readAgents(ctx context.Context, db *sql.DB, tables []table01) ([]entry, error) {
	var found []candidate
	for _, t := range tables {
		c, ok, err := look(ctx, db, t)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, c)
		}
	}
	one, err := theOne(found)
	if err != nil {
		return nil, err
	}
	return one.read(ctx, db)
}

// A candidate is a table that may have the agents.
type candidate struct {
	name    string
	columns columns01
	states  bool // a row has a GUID and a state that we know
}

// look says whether a table has the columns of agents, and GUIDs in it when it
// has rows.
func look(ctx context.Context, db *sql.DB, t table01) (candidate, bool, error) {
	columns, guids := columnsOf(t.columns)
	if columns.host == "" || columns.state == "" || len(guids) == 0 {
		return candidate{}, false, nil
	}
	c := candidate{name: t.name, columns: columns}
	rows, err := c.some(ctx, db, "1")
	if err != nil {
		return candidate{}, false, err
	}
	if !rows {
		c.columns.guid = guids[0]
		return c, true, nil
	}
	for _, name := range guids {
		isGUID := quoted(name) + ` LIKE '________-____-____-____-____________'`
		has, err := c.some(ctx, db, isGUID)
		if err != nil {
			return candidate{}, false, err
		}
		if has {
			c.columns.guid = name
			c.states, err = c.some(ctx, db, isGUID+` AND lower(`+quoted(columns.state)+`) IN ('pending', 'registered', 'approved', 'revoked')`)
			return c, true, err
		}
	}
	return candidate{}, false, nil
}

// some says whether the table has a row for which the condition holds.
func (c candidate) some(ctx context.Context, db *sql.DB, condition string) (bool, error) {
	var yes bool
	query := `SELECT EXISTS (SELECT 1 FROM ` + quoted(c.name) + ` WHERE ` + condition + `)`
	if err := db.QueryRowContext(ctx, query).Scan(&yes); err != nil {
		return false, fmt.Errorf("look into a table: %w", err)
	}
	return yes, nil
}

// theOne returns the table named for agents, else the only one, else the only
// one with states that we know. Which of several it is nobody can tell.
func theOne(found []candidate) (candidate, error) {
	for _, choose := range []func(candidate) bool{
		func(c candidate) bool {
			return strings.EqualFold(c.name, "agents") || strings.EqualFold(c.name, "agent")
		},
		func(candidate) bool { return true },
		func(c candidate) bool { return c.states },
	} {
		if chosen := slices.DeleteFunc(slices.Clone(found), func(c candidate) bool { return !choose(c) }); len(chosen) == 1 {
			return chosen[0], nil
		}
	}
	if len(found) == 0 {
		return candidate{}, unreadableError("no table of it has agents, with GUID, host name and state")
	}
	return candidate{}, unreadableError(fmt.Sprintf("several tables of it look like agents, %.80q and %.80q", found[0].name, found[1].name))
}

// read reads the rows. What is longer than anything we look for is read as none.
func (c candidate) read(ctx context.Context, db *sql.DB) ([]entry, error) {
	tooMany, err := c.some(ctx, db, "1 LIMIT 1 OFFSET "+strconv.Itoa(maxRows))
	if err != nil {
		return nil, err
	}
	if tooMany {
		return nil, unreadableError(fmt.Sprintf("its table of agents has more than %d rows", maxRows))
	}
	var fields []string
	for _, name := range c.columns.list() {
		field := "NULL"
		if q := quoted(name); name != "" {
			field = fmt.Sprintf("CASE WHEN octet_length(%s) <= %d THEN %s END", q, maxField, q)
		}
		fields = append(fields, field)
	}
	query := `SELECT ` + strings.Join(fields, `, `) + ` FROM ` + quoted(c.name) //nolint:gosec // names are quoted
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read the agents: %w", err)
	}
	defer rows.Close()                 //nolint:errcheck // rows.Err says what went wrong
	values := make([]any, len(fields)) // any: what a foreign table holds
	into := make([]any, len(fields))
	for i := range values {
		into[i] = &values[i]
	}
	var entries []entry
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("read the agents: %w", err)
		}
		if e, ok := interpret(values); ok {
			entries = append(entries, e)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the agents: %w", err)
	}
	return entries, nil
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
