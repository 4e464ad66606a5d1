package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
	"github.com/dcvix/dcvix/session/sqlite"
)

// plain is a table as a small program has one.
const plain = `CREATE TABLE agents (guid TEXT PRIMARY KEY, hostname TEXT, state TEXT, csr TEXT, registered_at TEXT)`

func put(t testing.TB, a old01, host, state, registered string) write {
	t.Helper()
	return do(`INSERT INTO agents VALUES (?, ?, ?, ?, ?)`, string(a.id), host, state, inPEM("CERTIFICATE REQUEST", a.csr(t, a.name())), registered)
}

func putKeyless(a old01, host, state string) write {
	return do(`INSERT INTO agents VALUES (?, ?, ?, NULL, NULL)`, string(a.id), host, state)
}

func TestAgentsWithAKnownKeyComeOverAsTheyAre(t *testing.T) {
	a := newOld(t)
	created, registered, seen := time.Unix(1700000000, 0), time.Unix(1700000100, 0), time.UnixMilli(1700000200500)
	want := session.Agent{
		ID: a.id, State: dcvix.AgentRegistered, KeyHash: a.hash, Hostname: "ws1.lab", Serial: "0a1b",
		CreatedAt: created, RegisteredAt: registered, LastSeenAt: seen,
	}
	utc := func(at time.Time, layout string) string { return at.UTC().Format(layout) }
	tests := map[string][]write{
		"columns as on the wire, a request in PEM, times in RFC 3339": {
			do(`CREATE TABLE agents (guid TEXT PRIMARY KEY, hostname TEXT NOT NULL, state TEXT NOT NULL, csr TEXT, created_at TEXT, registered_at TEXT, last_seen_at TEXT, cert_serial TEXT)`),
			do(`INSERT INTO agents VALUES (?, 'WS1.lab.', 'registered', ?, ?, ?, ?, '0A1B')`, string(a.id), inPEM("CERTIFICATE REQUEST", a.csr(t, a.name())),
				created.UTC().Format(time.RFC3339), registered.In(time.FixedZone("", 7200)).Format(time.RFC3339), utc(seen, time.RFC3339Nano)),
		},
		"an object mapper's table with numbers as ids, a request in DER, one deleted row": {
			do(`CREATE TABLE "agents" (id integer PRIMARY KEY AUTOINCREMENT, created_at datetime, updated_at datetime, deleted_at datetime, agent_id text, host_name text, status text, csr blob, approved_at datetime, last_seen datetime, serial text)`),
			do(`INSERT INTO agents VALUES (1, ?, NULL, NULL, ?, 'ws1.lab', 'Approved', ?, ?, ?, '0a1b')`, utc(created, "2006-01-02 15:04:05.999999999-07:00"),
				strings.ToUpper(string(a.id)), a.csr(t, a.name()), utc(registered, "2006-01-02 15:04:05+00:00"), utc(seen, "2006-01-02 15:04:05.999999999 -0700 MST")),
			do(`INSERT INTO agents VALUES (2, NULL, NULL, '2024-01-01 00:00:00+00:00', ?, 'ws2', 'registered', NULL, NULL, NULL, '')`, string(newOld(t).id)),
		},
		"another table name, a certificate in base64, times in seconds and milliseconds": {
			do(`CREATE TABLE hosts (AgentGUID TEXT, Name TEXT, State TEXT, Certificate TEXT, CreatedAt INTEGER, RegisteredAt INTEGER, LastSeenAt INTEGER, CertSerial TEXT)`),
			do(`CREATE TABLE settings (id TEXT, name TEXT, value TEXT)`),
			do(`INSERT INTO hosts VALUES (?, 'ws1.lab', 'registered', ?, ?, ?, ?, '0a1b')`, string(a.id), inBase64(a.cert(t, a.name(), false)),
				created.Unix(), registered.UnixMilli(), seen.UnixMilli()),
		},
		"quotes in names, a bare key, an index and a view beside": {
			do(`CREATE TABLE "the ""agents"";" ("agent-id" TEXT, "Host Name" TEXT, state TEXT, public_key BLOB, "created" REAL, registered INT, "last seen" INT, serial TEXT)`),
			do(`CREATE VIEW agents AS SELECT "agent-id" AS guid, "Host Name" AS host, state FROM "the ""agents"";"`),
			do(`INSERT INTO "the ""agents"";" VALUES (?, 'ws1.lab', 'registered', ?, ?, ?, ?, '0a1b')`, string(a.id), a.spki(t),
				float64(created.Unix()), registered.Unix(), seen.UnixMilli()),
		},
	}
	for name, writes := range tests {
		for how, make01 := range map[string]func(testing.TB, string, ...write){"closed": made, "killed": killed} {
			t.Run(name+", "+how, func(t *testing.T) {
				path := dbPath(t)
				make01(t, path, writes...)
				old := contents(t, filepath.Dir(path))

				r := imported(t, path)

				assert.Equal(t, sqlite.Report{Path: path, Aside: path + ".0.1", Agents: []sqlite.Imported{
					{GUID: r.Agents[0].GUID, Hostname: r.Agents[0].Hostname, Was: dcvix.AgentRegistered, Now: dcvix.AgentRegistered},
				}}, r)
				assert.Equal(t, []session.Agent{want}, agentsIn(t, path))
				for file, data := range old {
					assert.Equal(t, data, contents(t, filepath.Dir(path))[strings.Replace(file, "agents.db", "agents.db.0.1", 1)], "%s is as it was", file)
				}
				assert.Empty(t, told(t, path), "once is enough")
			})
		}
	}
}

func TestTheLogOfAnOldDatabaseIsReadToo(t *testing.T) {
	path, a := dbPath(t), newOld(t)
	killed(t, path, do(`PRAGMA journal_mode = wal`), do(`PRAGMA wal_autocheckpoint = 0`), do(plain), put(t, a, "ws1", "pending", ""))
	require.FileExists(t, path+"-wal")
	before := contents(t, filepath.Dir(path))

	r := imported(t, path)

	assert.Equal(t, 1, r.Count(dcvix.AgentPending))
	after := contents(t, filepath.Dir(path))
	for _, side := range []string{"", "-wal", "-shm"} {
		assert.Equal(t, before["agents.db"+side], after["agents.db.0.1"+side], side)
	}
	assert.Len(t, after, 4, "the new one has no side files, least of all those of the old one")
	assert.Equal(t, a.hash, agentsIn(t, path)[0].KeyHash)
}

func TestATransactionThatWasCutOffIsNotImported(t *testing.T) {
	path, a := dbPath(t), newOld(t)
	killed(t, path, do(plain), put(t, a, "ws1", "registered", ""), do(`PRAGMA cache_size = 1`), do(`CREATE TABLE filler (text)`), do(`BEGIN`),
		do(`UPDATE agents SET state = 'revoked'`),
		do(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO filler SELECT randomblob(1000) FROM n`))
	require.FileExists(t, path+"-journal")

	r := imported(t, path)

	assert.Equal(t, 1, r.Count(dcvix.AgentRegistered))
	assert.NoFileExists(t, path+"-journal", "it would spoil the new one")
	assert.Len(t, agentsIn(t, path), 1)
}

func TestWhatCannotBeReadIsMovedAsideAndCountsAsLost(t *testing.T) {
	a := newOld(t)
	other := `CREATE TABLE devices (uuid TEXT, name TEXT, status TEXT)`
	tests := map[string]struct {
		writes []write
		want   string
	}{
		"no table of agents":         {[]write{do(`CREATE TABLE users (id TEXT, name TEXT)`), do(`INSERT INTO users VALUES ('1', 'bob')`)}, "no table of it has agents"},
		"ids that are no GUIDs":      {[]write{do(plain), do(`INSERT INTO agents VALUES ('17', 'ws1', 'registered', '', '')`)}, "no table of it has agents"},
		"two tables with agents":     {[]write{do(other), do(`CREATE TABLE machines AS SELECT * FROM devices`), do(`INSERT INTO devices VALUES (?, 'ws1', 'revoked')`, string(a.id)), do(`INSERT INTO machines SELECT * FROM devices`)}, `"devices" and "machines"`},
		"a table that is not stored": {[]write{do(`CREATE VIRTUAL TABLE agents USING fts5(guid, hostname, state)`)}, "no table of it has agents"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := dbPath(t)
			made(t, path, tt.writes...)
			before, err := os.ReadFile(path)
			require.NoError(t, err)

			r := imported(t, path)

			assert.Contains(t, r.Lost, tt.want)
			assert.Empty(t, r.Agents)
			assert.Empty(t, agentsIn(t, path))
			after, err := os.ReadFile(r.Aside)
			require.NoError(t, err)
			assert.Equal(t, before, after)
		})
	}
}

func TestAForeignDatabaseWithDamagedRowsCountsAsLost(t *testing.T) {
	path := dbPath(t)
	writes := []write{do(`CREATE TABLE notes (text)`), do(plain)}
	for range 200 {
		writes = append(writes, putKeyless(newOld(t), "ws1", "revoked"))
	}
	made(t, path, writes...)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := 4096 * 2; i < len(data); i++ {
		data[i] = 0xee
	}
	require.NoError(t, os.WriteFile(path, data, 0o600))

	assert.Equal(t, "it is damaged", imported(t, path).Lost)
	assert.Empty(t, agentsIn(t, path))
}

func TestOneOfTwoTablesIsTheRegister(t *testing.T) {
	a, b := newOld(t), newOld(t)
	sessions := func(state string) []write {
		return []write{do(`CREATE TABLE sessions (agent_id TEXT, host TEXT, status TEXT)`), do(`INSERT INTO sessions VALUES (?, 'ws9', ?)`, string(b.id), state)}
	}
	for name, tt := range map[string]struct {
		other  string
		writes []write
	}{
		"by its name":   {"pending", []write{do(plain), putKeyless(a, "ws1", "revoked")}},
		"by its states": {"READY", []write{do(`CREATE TABLE machines (guid TEXT, host TEXT, state TEXT)`), do(`INSERT INTO machines VALUES (?, 'ws1', 'revoked')`, string(a.id))}},
	} {
		t.Run(name, func(t *testing.T) {
			path := dbPath(t)
			made(t, path, append(sessions(tt.other), tt.writes...)...)
			r := imported(t, path)
			require.Len(t, r.Agents, 1)
			assert.Equal(t, string(a.id), r.Agents[0].GUID)
		})
	}
}

func TestAnOldRegisterWithoutAgentsIsImportedAsOne(t *testing.T) {
	path := dbPath(t)
	made(t, path, do(plain))
	assert.Equal(t, sqlite.Report{Path: path, Aside: path + ".0.1"}, imported(t, path))
	assert.Empty(t, agentsIn(t, path))
}

// asOurs makes a database of ours with one agent.
func asOurs(t *testing.T, path string) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, nil)
	require.NoError(t, err)
	sessiontest.PutAgent(t, s, session.Agent{ID: "a1", Hostname: "ws1", State: dcvix.AgentRegistered})
	require.NoError(t, s.Close())
}

func TestWhatIsOursOrNobodysIsLeftAlone(t *testing.T) {
	tests := map[string]func(t *testing.T, path string){
		"no file":    func(*testing.T, string) {},
		"empty file": func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, nil, 0o600)) },
		"no database": func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("none ", 500)), 0o600))
		},
		"a cut header": func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path, []byte("SQLite format 3\x00"), 0o600))
		},
		"a destroyed schema": func(t *testing.T, path string) {
			made(t, path, do(plain))
			spoil(t, path, 100)
		},
		"ours": asOurs,
		"ours of a build that did not mark it": func(t *testing.T, path string) {
			asOurs(t, path)
			made(t, path, do(`PRAGMA application_id = 0`))
		},
		"ours, destroyed": func(t *testing.T, path string) {
			asOurs(t, path)
			spoil(t, path, 100)
		},
		"ours, killed before its first table": func(t *testing.T, path string) {
			made(t, path, do(`PRAGMA journal_mode = wal`), do(`CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER, is_applied INTEGER, tstamp TIMESTAMP)`))
		},
		"without a table": func(t *testing.T, path string) { made(t, path, do(`PRAGMA user_version = 3`)) },
		"a folder":        func(t *testing.T, path string) { require.NoError(t, os.Mkdir(path, 0o700)) },
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := dbPath(t)
			tt(t, path)
			before := contents(t, filepath.Dir(path))
			assert.Empty(t, told(t, path))
			assert.Equal(t, before, contents(t, filepath.Dir(path)))
		})
	}
}

func spoil(t *testing.T, path string, from int) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := from; i < len(data); i++ {
		data[i] = 0xee
	}
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

// Of a damaged register of ours an operator has a backup. To begin anew without
// a word would revoke nobody and forget everybody.
func TestADamagedRegisterOfOursIsStillRefused(t *testing.T) {
	for name, from := range map[string]int{"header": 0, "schema": 100, "rows": 4096} {
		t.Run(name, func(t *testing.T) {
			path := dbPath(t)
			asOurs(t, path)
			spoil(t, path, from)
			assert.Empty(t, told(t, path))
			s, err := sqlite.Open(t.Context(), path, nil)
			if err == nil { // what is damaged is read later
				_, err = s.Agents(t.Context())
				require.NoError(t, s.Close())
			}
			require.Error(t, err)
			assert.NoFileExists(t, path+".0.1")
		})
	}
}

func TestAnErrorThatMayPassMovesNothing(t *testing.T) {
	path := dbPath(t)
	made(t, path, do(plain), putKeyless(newOld(t), "ws1", "revoked"))
	before := contents(t, filepath.Dir(path))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	err := sqlite.Import01(ctx, sqlite.ImportConfig{Path: path})

	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, path)
	assert.Equal(t, before, contents(t, filepath.Dir(path)))
	assert.Equal(t, 1, imported(t, path).Count(dcvix.AgentRevoked), "the next start does it")
}

// A fading context ends when it was asked so often whether it has.
type fading struct {
	context.Context //nolint:containedctx // it is one itself
	cancel          context.CancelFunc
	left            atomic.Int64
}

func (f *fading) Done() <-chan struct{} {
	if f.left.Add(-1) < 0 {
		f.cancel()
	}
	return f.Context.Done()
}

func TestAnImportThatIsCancelledIsNeverALoss(t *testing.T) {
	path, cancelled := dbPath(t), 0
	made(t, path, do(plain), putKeyless(newOld(t), "ws1", "revoked"))
	for n := int64(0); ; n += 7 {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fading{Context: ctx, cancel: cancel}
		f.left.Store(n)
		err := sqlite.Import01(f, sqlite.ImportConfig{Path: path, Tell: func(r sqlite.Report) error {
			assert.Empty(t, r.Lost)
			assert.Equal(t, 1, r.Count(dcvix.AgentRevoked))
			return nil
		}})
		cancel()
		if err == nil {
			break
		}
		cancelled++
		require.FileExists(t, path)
		require.NoFileExists(t, path+".0.1")
	}
	assert.Greater(t, cancelled, 5)
	assert.FileExists(t, path+".0.1")
}

func TestADiskThatFailsOrAFileThatIsInUseIsNoLoss(t *testing.T) {
	path := dbPath(t)
	made(t, path, do(plain))
	one := dbAt(t, path)
	_, err := one.ExecContext(t.Context(), `BEGIN EXCLUSIVE`)
	require.NoError(t, err)
	other := dbAt(t, path)
	busy := other.QueryRowContext(t.Context(), `SELECT guid FROM agents`).Scan(new(string))
	require.ErrorContains(t, busy, "locked")
	require.NoError(t, errors.Join(one.Close(), other.Close()))
	for _, err := range []error{busy, os.ErrPermission, context.DeadlineExceeded} {
		why, passing := sqlite.Loss(err)
		assert.Empty(t, why)
		require.ErrorIs(t, passing, err)
	}
}

func TestOurDatabasesSaySoInTheirHeader(t *testing.T) {
	path := dbPath(t)
	asOurs(t, path)
	header := contents(t, filepath.Dir(path))["agents.db"][:100]
	assert.Equal(t, "dcvx", header[68:72])
	made(t, path, do(`DROP TABLE goose_db_version`))
	assert.Empty(t, told(t, path), "whatever tables they have one day")
}

func TestAnOlderFileAsideIsNotOverwritten(t *testing.T) {
	path := dbPath(t)
	for _, file := range []string{path + ".0.1-wal", path + ".0.1.2"} {
		require.NoError(t, os.WriteFile(file, []byte("mine"), 0o600))
	}
	made(t, path, do(plain))
	assert.Equal(t, path+".0.1.3", imported(t, path).Aside)
	assert.Equal(t, "mine", contents(t, filepath.Dir(path))["agents.db.0.1.2"])
	assert.NoFileExists(t, path+".0.1")
}

func TestAllFilesOfAnImportAreTheirOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	path := dbPath(t)
	killed(t, path, do(`PRAGMA journal_mode = wal`), do(plain), putKeyless(newOld(t), "ws1", "revoked"))
	require.NoError(t, os.Chmod(path, 0o644))
	seen := 0
	look := func(string) error {
		return filepath.WalkDir(filepath.Dir(path), func(name string, d os.DirEntry, err error) error {
			if err != nil || !strings.Contains(name, ".importing") && !strings.Contains(name, ".0.1") {
				return err // the old one gets its permissions when it is moved
			}
			seen++
			info, err := d.Info()
			assert.Zero(t, info.Mode().Perm()&0o077, name)
			return err
		})
	}
	require.NoError(t, sqlite.Import01Reaching(t.Context(), sqlite.ImportConfig{Path: path}, look))
	assert.Greater(t, seen, 20)
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	assert.Len(t, files, 4)
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f)
	}
}
