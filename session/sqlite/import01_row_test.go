package sqlite_test

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sqlite"
)

// The seconds that the forms below mean, half a second past.
const moment = 1700000000

func TestTimesAreReadInEveryForm(t *testing.T) {
	exact, whole := time.UnixMilli(moment*1000+500), time.Unix(moment, 0)
	tests := map[string]struct {
		value any // any: what SQLite holds
		want  time.Time
	}{
		"RFC 3339":                     {"2023-11-14T22:13:20.5Z", exact},
		"RFC 3339 elsewhere":           {"2023-11-15T00:13:20.5+02:00", exact},
		"without a zone":               {"2023-11-14T22:13:20", whole},
		"with a space":                 {"2023-11-14 22:13:20.500000000", exact},
		"with a space and a zone":      {"2023-11-14 17:13:20-05:00", whole},
		"as a time.Time prints itself": {"2023-11-14 22:13:20.5 +0000 UTC m=+0.012", exact},
		"in bytes":                     {[]byte("2023-11-14 22:13:20"), whole},
		"seconds":                      {int64(moment), whole},
		"milliseconds":                 {int64(moment*1000 + 500), exact},
		"seconds in text":              {"1700000000", whole},
		"seconds in a float":           {float64(moment), whole},
		"nothing":                      {nil, time.Time{}},
		"never":                        {"0001-01-01T00:00:00Z", time.Time{}},
		"zero":                         {int64(0), time.Time{}},
		"another century":              {"1970-01-01T00:00:01Z", time.Time{}},
		"the end of numbers":           {int64(math.MaxInt64), time.Time{}},
		"no number":                    {math.NaN(), time.Time{}},
		"no time":                      {"yesterday", time.Time{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, a := sqlite.Interpret(nil, string(newOld(t).id), "ws1", "revoked", nil, "2022-01-01", "2022-01-01", tt.value, nil)
			assert.Equal(t, tt.want, a.LastSeenAt)
		})
	}
}

func TestStatesAreReadInTheirSpellings(t *testing.T) {
	for state, want := range map[any]dcvix.AgentState{
		"registered": dcvix.AgentRegistered, "Approved": dcvix.AgentRegistered, " REVOKED ": dcvix.AgentRevoked, "pending": dcvix.AgentPending,
		"blocked": dcvix.AgentPending, int64(2): dcvix.AgentPending, nil: dcvix.AgentPending, 1.5: dcvix.AgentPending,
	} {
		a := newOld(t)
		got, stored := sqlite.Interpret(nil, string(a.id), "ws1", state, nil, nil, int64(moment), nil, nil, a.spki(t))
		assert.Equal(t, sqlite.Imported{GUID: string(a.id), Hostname: "ws1", Was: want, Now: want}, got, "%v", state)
		assert.Equal(t, want == dcvix.AgentPending, stored.RegisteredAt.IsZero(), "a time of registration has who was registered")
	}
}

func TestRowsMarkedAsDeletedAreNotThere(t *testing.T) {
	for mark, deleted := range map[any]bool{
		nil: false, int64(0): false, "": false, "0001-01-01 00:00:00+00:00": false, 0.0: false, "false": false,
		"2024-01-01 00:00:00": true, int64(1): true, 1.0: true, int64(moment): true,
	} {
		got, _ := sqlite.Interpret(nil, string(newOld(t).id), "ws1", "revoked", mark, nil, nil, nil, nil)
		assert.Equal(t, deleted, got.Reason == "deleted", "%v", mark)
	}
}

func TestOnlyAKeyThatIsForSureIsPinned(t *testing.T) {
	a, b := newOld(t), newOld(t)
	forged := a.csr(t, a.name())
	forged[len(forged)-1] ^= 1
	private, err := x509.MarshalPKCS8PrivateKey(a.key)
	require.NoError(t, err)
	tests := map[string]struct {
		fields []any
		known  bool
	}{
		"a request in PEM":                      {[]any{inPEM("CERTIFICATE REQUEST", a.csr(t, a.name()))}, true},
		"a request in DER":                      {[]any{a.csr(t, a.name())}, true},
		"a request in base64":                   {[]any{inBase64(a.csr(t, a.name())) + "\n"}, true},
		"a request for the bare GUID":           {[]any{a.csr(t, string(a.id))}, true},
		"a request for nobody":                  {[]any{a.csr(t, "")}, true},
		"a certificate, the CA's after it":      {[]any{inPEM("CERTIFICATE", a.cert(t, a.name(), false)) + inPEM("CERTIFICATE", b.cert(t, "ca", true))}, true},
		"a bare key in PEM":                     {[]any{inPEM("PUBLIC KEY", a.spki(t))}, true},
		"a bare key in base64, in bytes":        {[]any{[]byte(inBase64(a.spki(t)))}, true},
		"a request and its certificate":         {[]any{a.csr(t, a.name()), nil, a.cert(t, a.name(), false)}, true},
		"a request beside another's":            {[]any{a.csr(t, a.name()), b.csr(t, b.name())}, true},
		"nothing":                               {[]any{nil, "", []byte{}}, false},
		"numbers":                               {[]any{int64(1), 1.5}, false},
		"text":                                  {[]any{"SHA256:AA:BB"}, false},
		"a request of another":                  {[]any{a.csr(t, b.name())}, false},
		"a certificate of another":              {[]any{a.cert(t, b.name(), false)}, false},
		"a certificate of a CA":                 {[]any{a.cert(t, a.name(), true)}, false},
		"a request that its key did not sign":   {[]any{forged}, false},
		"a request that is cut":                 {[]any{forged[:40]}, false},
		"two requests with different keys":      {[]any{a.csr(t, a.name()), b.csr(t, a.name())}, false},
		"a private key":                         {[]any{inPEM("PRIVATE KEY", private)}, false},
		"a request with something behind":       {[]any{append(a.csr(t, a.name()), 0)}, false},
		"a bare key with something behind":      {[]any{append(a.spki(t), 0)}, false},
		"a request in PEM with something wrong": {[]any{strings.Replace(inPEM("CERTIFICATE REQUEST", a.csr(t, a.name())), "-----\nM", "-----\nX", 1)}, false},
	}
	for name, tt := range tests {
		for state, without := range map[string]dcvix.AgentState{"registered": "", "pending": "", "revoked": dcvix.AgentRevoked} {
			t.Run(name+", "+state, func(t *testing.T) {
				got, stored := sqlite.Interpret(nil, append([]any{string(a.id), "ws1", state, nil, nil, nil, nil, nil}, tt.fields...)...)
				if tt.known {
					assert.Equal(t, state, string(got.Now))
					assert.Equal(t, a.hash, stored.KeyHash)
					assert.Empty(t, got.Reason)
					return
				}
				assert.Equal(t, without, got.Now)
				assert.NotEmpty(t, got.Reason)
				assert.Zero(t, stored.KeyHash)
			})
		}
	}
}

func TestNamesThatAreNoneAreNotImported(t *testing.T) {
	a := newOld(t)
	for _, host := range []any{nil, "", "ws 1", "ws1\nlevel=INFO", "10.0.0.1", "-ws1", "ws1..lab", int64(17), []byte{0xff}, strings.Repeat("a", 300), "*.lab", "kelvin\u212A"} {
		got, _ := sqlite.Interpret(nil, string(a.id), host, "registered", nil, nil, nil, nil, nil, a.spki(t))
		assert.Empty(t, got.Now, "%v", host)
		assert.Equal(t, "its host name is none", got.Reason)
		assert.LessOrEqual(t, len(got.Hostname), 256)
		assert.True(t, utf8.ValidString(got.Hostname))
	}
	for _, id := range []any{nil, "", int64(1), "urn:uuid:" + string(a.id), "{" + string(a.id) + "}", string(a.id[:14]) + "1" + string(a.id[15:]), strings.Repeat("a", 10_000)} {
		got, _ := sqlite.Interpret(nil, id, "ws1", "revoked", nil, nil, nil, nil, nil, a.spki(t))
		assert.Empty(t, got.Now, "%v", id)
		assert.Equal(t, "its GUID is no canonical UUID of version 4", got.Reason)
		assert.LessOrEqual(t, len(got.GUID), 256)
	}
}

func TestAnAgentWithANameOfTheDirectorWaitsForAnAdmin(t *testing.T) {
	a := newOld(t)
	for state, want := range map[string]dcvix.AgentState{"registered": dcvix.AgentPending, "pending": dcvix.AgentPending, "revoked": dcvix.AgentRevoked} {
		got, stored := sqlite.Interpret([]dcvix.Hostname{"director.lab"}, string(a.id), "Director.lab", state, nil, nil, int64(moment), nil, nil, a.spki(t))
		assert.Equal(t, want, got.Now)
		assert.Equal(t, want, stored.State)
		assert.Equal(t, a.hash, stored.KeyHash)
		assert.Equal(t, state == "registered", got.Reason == "its host name is the director's own")
		assert.Equal(t, want == dcvix.AgentPending, stored.RegisteredAt.IsZero())
	}
}

// rowsOf imports rows of the plain table and returns what each GUID became.
func rowsOf(t *testing.T, writes ...write) map[dcvix.AgentID][]sqlite.Imported {
	t.Helper()
	path := dbPath(t)
	table := strings.Replace(plain, " PRIMARY KEY", "", 1)
	made(t, path, slices.Concat([]write{do(table)}, writes)...)
	all := make(map[dcvix.AgentID][]sqlite.Imported)
	for _, a := range imported(t, path).Agents {
		id := dcvix.AgentID(strings.ToLower(a.GUID))
		all[id] = append(all[id], a)
	}
	stored := make(map[dcvix.AgentID]session.Agent)
	for _, a := range agentsIn(t, path) {
		stored[a.ID] = a
	}
	for id, entries := range all {
		for _, e := range entries {
			if e.Now != "" {
				require.Equal(t, e.Now, stored[id].State)
			}
		}
	}
	return all
}

func TestOfTwoRegisteredAgentsOfOneNameTheLaterOneStays(t *testing.T) {
	older, newer, third, revoked := newOld(t), newOld(t), newOld(t), newOld(t)
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}} {
		writes := []write{
			put(t, older, "WS1", "registered", "2024-01-01T00:00:00Z"), put(t, newer, "ws1.", "registered", "2024-02-01T00:00:00Z"),
			put(t, third, "ws1", "registered", ""), put(t, revoked, "ws1", "revoked", "2024-03-01T00:00:00Z"),
		}
		sorted := make([]write, len(writes))
		for i, n := range order {
			sorted[i] = writes[n]
		}
		got := rowsOf(t, sorted...)
		assert.Equal(t, sqlite.Imported{GUID: string(newer.id), Hostname: "ws1.", Was: dcvix.AgentRegistered, Now: dcvix.AgentRegistered}, got[newer.id][0])
		for _, a := range []old01{older, third} {
			assert.Equal(t, dcvix.AgentRevoked, got[a.id][0].Now)
			assert.Equal(t, "replaced", got[a.id][0].Reason)
		}
		assert.Empty(t, got[revoked.id][0].Reason)
	}
}

func TestAReplacedAgentSaysSoInTheRegister(t *testing.T) {
	path := dbPath(t)
	made(t, path, do(plain), put(t, newOld(t), "ws1", "registered", "2024-01-01T00:00:00Z"), put(t, newOld(t), "ws1", "registered", "2024-01-02T00:00:00Z"))
	imported(t, path)
	reasons := map[dcvix.AgentState]string{}
	for _, a := range agentsIn(t, path) {
		reasons[a.State] = a.Reason
	}
	assert.Equal(t, map[dcvix.AgentState]string{dcvix.AgentRegistered: "", dcvix.AgentRevoked: "replaced"}, reasons)
}

func TestSeveralEntriesOfOneGUID(t *testing.T) {
	a := newOld(t)
	upper := do(`INSERT INTO agents VALUES (?, 'ws2', 'revoked', NULL, NULL)`, strings.ToUpper(string(a.id)))
	got := rowsOf(t, put(t, a, "ws1", "registered", ""), upper)[a.id]
	require.Len(t, got, 2)
	for _, e := range got {
		if e.Was == dcvix.AgentRevoked {
			assert.Equal(t, dcvix.AgentRevoked, e.Now, "the revoked one wins")
		} else {
			assert.Empty(t, e.Now)
			assert.Equal(t, "another entry of its GUID is revoked", e.Reason)
		}
	}
	for _, e := range rowsOf(t, put(t, a, "ws1", "registered", ""), put(t, a, "ws2", "pending", ""))[a.id] {
		assert.Empty(t, e.Now)
		assert.Equal(t, "several entries have its GUID", e.Reason)
	}
}

func TestAKeyOfSeveralGUIDsIsNobodys(t *testing.T) {
	a, b, c := newOld(t), newOld(t), newOld(t)
	b.key = a.key
	got := rowsOf(t, put(t, a, "ws1", "registered", ""), put(t, b, "ws2", "revoked", ""), put(t, c, "ws3", "registered", ""))
	assert.Equal(t, sqlite.ReasonNoKey, got[a.id][0].Reason)
	assert.Equal(t, "imported without its key", got[b.id][0].Reason)
	assert.Equal(t, dcvix.AgentRegistered, got[c.id][0].Now)
}

func TestHostileContentsDoNoHarm(t *testing.T) {
	path, a := dbPath(t), newOld(t)
	million := bytes.Repeat([]byte("A"), 1_000_000)
	made(t, path, do(`CREATE TABLE agents (guid, hostname, state, csr, certificate, created_at, registered_at, last_seen_at, serial)`),
		do(`CREATE TRIGGER t AFTER INSERT ON agents BEGIN SELECT 1; END`),
		do(`INSERT INTO agents VALUES (?, 'ws1', 'registered', ?, ?, x'00', 'x', -1, 'x'';--')`, string(a.id), a.csr(t, a.name()), million),
		do(`INSERT INTO agents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, million, million, million, million, million, million, million, million, million),
		do(`INSERT INTO agents VALUES (?, ?, 'revoked', 1, 2, 3, 4, 5, 6)`, string(newOld(t).id), "ws2\nlevel=ERROR msg=forged"),
		do(`INSERT INTO agents VALUES (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`),
		do(`INSERT INTO agents VALUES (1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5)`),
		do(`INSERT INTO agents VALUES (x'ff00', x'ff00', x'ff00', x'3000', x'3082ffff', x'ff', x'ff', x'ff', x'ff')`))

	r := imported(t, path)

	assert.Len(t, r.Agents, 6)
	assert.Equal(t, 5, r.Count(""))
	all := agentsIn(t, path)
	require.Len(t, all, 1)
	assert.Equal(t, session.Agent{ID: a.id, State: dcvix.AgentRegistered, KeyHash: a.hash, Hostname: "ws1"}, all[0])
}

func TestAFieldThatIsLongerThanAKeyIsNotLookedAt(t *testing.T) {
	for most, want := range map[int]string{16 << 10: "", 16<<10 + 1: sqlite.ReasonNoKey} {
		path, a := dbPath(t), newOld(t)
		request := inPEM("CERTIFICATE REQUEST", a.csr(t, a.name()))
		made(t, path, do(plain), do(`INSERT INTO agents VALUES (?, 'ws1', 'registered', ?, NULL)`, string(a.id), strings.Repeat("\n", most-len(request))+request))
		assert.Equal(t, want, imported(t, path).Agents[0].Reason)
	}
}

func TestATableOfTooManyRowsIsNoRegister(t *testing.T) {
	path, a := dbPath(t), newOld(t)
	made(t, path, do(plain), putKeyless(a, "ws1", "revoked"),
		do(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO agents (guid) SELECT i FROM n`))
	assert.Contains(t, imported(t, path).Lost, "more than 100000 rows")
}

// A row is what a foreign program left.
func FuzzARowIsReadSafely(f *testing.F) {
	a := newOld(f)
	f.Add(string(a.id), "ws1", "registered", "", "2024-01-01 00:00:00", int64(moment), 1.5, "0a", a.csr(f, a.name()), []byte(inPEM("CERTIFICATE", a.cert(f, "", false))))
	f.Add(strings.ToUpper(string(a.id)), "WS1.", "revoked", "0", "", int64(-1), math.Inf(1), "", []byte(inBase64(a.spki(f))), []byte(nil))
	f.Add(string(a.id), "director", "approved", "", "2024-01-01T00:00:00Z", int64(moment*1000), 0.0, "zz", a.spki(f), a.spki(f))
	f.Fuzz(func(t *testing.T, guid, host, state, deleted, created string, registered int64, seen float64, serial string, key, other []byte) {
		got, stored := sqlite.Interpret([]dcvix.Hostname{"director"}, guid, host, state, deleted, created, registered, seen, serial, key, other)
		if got.Reason == "deleted" {
			return
		}
		require.True(t, len(got.GUID) <= 256 && len(got.Hostname) <= 256 && utf8.ValidString(got.GUID) && utf8.ValidString(got.Hostname))
		if got.Now == "" {
			require.NotEmpty(t, got.Reason)
			return
		}
		require.NoError(t, stored.ID.Validate())
		require.NoError(t, stored.Hostname.Validate())
		require.Equal(t, got.Now, stored.State)
		require.True(t, stored.KeyHash != session.KeyHash{} || stored.State == dcvix.AgentRevoked, "nobody without a key may be let in")
		require.False(t, stored.State == dcvix.AgentRegistered && stored.Hostname == "director", "the director's name is its own")
		for _, at := range []time.Time{stored.CreatedAt, stored.RegisteredAt, stored.LastSeenAt} {
			require.True(t, at.IsZero() || at.Year() >= 1999 && at.Year() <= 2100, fmt.Sprint(at))
		}
	})
}
