package session_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// A rulesModel is a policy evaluated in the plainest way there is.
type rulesModel struct {
	Users, Groups, Pools []modelEntry
	fold                 bool
}

type modelEntry struct {
	ID           string   `json:"id"`
	Admin        bool     `json:"admin,omitempty"`
	Workstations []string `json:"workstations"`
	Pools        []string `json:"pools"`
}

func randomRules(rng *rand.Rand) *rulesModel {
	m := &rulesModel{fold: rng.IntN(2) == 0}
	list := func(names ...string) []modelEntry {
		var all []modelEntry
		for range rng.IntN(6) {
			e := modelEntry{ID: pick(rng, names), Admin: rng.IntN(8) == 0}
			for range rng.IntN(5) {
				e.Workstations = append(e.Workstations, pick(rng, []string{"ws1", "WS1", "ws2.", "ws2", "ws3.lab", "ws4", "ws5", "1.2.3.4", dcvix.AllowCustom}))
			}
			for range rng.IntN(4) {
				e.Pools = append(e.Pools, pick(rng, []string{"a", "A", "b", "c", "d", "e"}))
			}
			all = append(all, e)
		}
		return all
	}
	m.Users = list("alice", "Alice", "bob", "ſam", "sam", "-x")
	m.Groups = list("staff", "Staff", "cad", "render", "")
	m.Pools = list("a", "b", "B", "c", "d", "")
	return m
}

func (m *rulesModel) same(a, b string) bool { return a == b || m.fold && strings.EqualFold(a, b) }

// first returns the first entry of that name.
func first(list []modelEntry, is func(id string) bool) (modelEntry, bool) {
	i := slices.IndexFunc(list, func(e modelEntry) bool { return is(e.ID) })
	if i < 0 {
		return modelEntry{}, false
	}
	return list[i], true
}

func (m *rulesModel) pool(id string) (modelEntry, bool) {
	return first(m.Pools, func(other string) bool { return id != "" && strings.EqualFold(other, id) })
}

// within returns the workstations of pools and of what is inside them.
func (m *rulesModel) within(pools []string, met map[string]bool) []string {
	var all []string
	for _, id := range pools {
		if p, ok := m.pool(id); ok && !met[strings.ToLower(id)] {
			met[strings.ToLower(id)] = true
			all = append(append(all, p.Workstations...), m.within(p.Pools, met)...)
		}
	}
	return all
}

func usable(names []string) (hosts []string, custom bool) {
	var met []dcvix.Hostname
	for _, name := range names {
		h, err := dcvix.ParseHostname(name)
		switch {
		case name == dcvix.AllowCustom:
			custom = true
		case err == nil && !slices.Contains(met, h):
			met, hosts = append(met, h), append(hosts, name)
		}
	}
	return hosts, custom
}

func (m *rulesModel) access(user string, groups []string) session.Access {
	var count []modelEntry
	if u, ok := first(m.Users, func(id string) bool { return user != "-x" && m.same(id, user) }); ok {
		count = append(count, u)
	}
	var met []string
	for _, g := range m.Groups {
		is := func(id string) bool { return m.same(g.ID, id) }
		if g.ID != "" && slices.ContainsFunc(groups, is) && !slices.ContainsFunc(met, is) {
			met, count = append(met, g.ID), append(count, g)
		}
	}
	a := session.Access{Known: len(count) > 0}
	var names, pools []string
	for _, e := range count {
		a.Admin = a.Admin || e.Admin
		names, pools = append(names, e.Workstations...), append(pools, e.Pools...)
	}
	own, _ := usable(names)
	a.Direct = len(own)
	a.Hosts, a.Custom = usable(append(names, m.within(pools, map[string]bool{})...))
	for _, id := range pools {
		p, ok := m.pool(id)
		if ok && !slices.ContainsFunc(a.Pools, func(had session.Pool) bool { return strings.EqualFold(had.ID, id) }) {
			hosts, _ := usable(m.within([]string{id}, map[string]bool{}))
			a.Pools = append(a.Pools, session.Pool{ID: p.ID, Hosts: hosts})
		}
	}
	return a
}

func TestAccessIsWhatThePlainestReadingOfThePolicySays(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3, rand.Uint64()} {
		rng := rand.New(rand.NewPCG(seed, 0))
		for step := range 2000 {
			m := randomRules(rng)
			text := func(list []modelEntry) []byte {
				data, err := json.Marshal(list)
				require.NoError(t, err)
				return data
			}
			files := session.PolicyFiles{Users: text(m.Users), Pools: text(m.Pools), Groups: text(m.Groups), FoldUserCase: m.fold}
			rules, err := session.ParseRules(files)
			require.NoError(t, err)
			for _, user := range []string{"alice", "ALICE", "bob", "sam", "Sam", "-x", ""} {
				var groups []string
				for range rng.IntN(4) {
					groups = append(groups, pick(rng, []string{"staff", "STAFF", "cad", "render", "", "none"}))
				}
				got := rules.Access(dcvix.Username(user), groups)
				require.Equal(t, m.access(user, groups), got, "seed %d, step %d, user %q in %q: %+v", seed, step, user, groups, m)
				sameAsTrace(t, got, rules.Trace(dcvix.Username(user), groups, nil))
			}
		}
	}
}

// sameAsTrace compares what a user may do with what is told of it.
func sameAsTrace(t *testing.T, a session.Access, told dcvix.PolicyAccess) {
	t.Helper()
	require.Equal(t, a.Known, len(told.Entries) > 0)
	require.Equal(t, a.Admin, len(told.Admin) > 0)
	require.Equal(t, a.Custom, len(told.Custom) > 0)
	require.Len(t, told.Hosts, len(a.Hosts))
	for i, h := range told.Hosts {
		require.Equal(t, a.Hosts[i], h.Name)
		require.NotEmpty(t, h.From)
	}
	require.Len(t, told.Pools, len(a.Pools))
	for i, p := range told.Pools {
		require.Equal(t, a.Pools[i].ID, p.ID)
		require.ElementsMatch(t, a.Pools[i].Hosts, p.Hosts)
	}
}

func TestUsersAreTheSameByTheirKeys(t *testing.T) {
	exact, err := session.ParseRules(session.PolicyFiles{})
	require.NoError(t, err)
	folded, err := session.ParseRules(session.PolicyFiles{FoldUserCase: true})
	require.NoError(t, err)
	names := []dcvix.Username{"alice", "Alice", "ALICE", "Straße", "STRAßE", "strasse", "ſam", "sam", "\u212aim", "kim", "ısmail", "ismail", "İsmail", "Σ", "ς", "σ", `LAB\alice`, "alice@lab"}
	for _, a := range names {
		for _, b := range names {
			require.Equal(t, a == b, exact.SameUser(a, b))
			require.Equal(t, a == b, exact.UserKey(a) == exact.UserKey(b))
			require.Equal(t, strings.EqualFold(string(a), string(b)), folded.SameUser(a, b), "%q and %q", a, b)
			require.Equal(t, folded.SameUser(a, b), folded.UserKey(a) == folded.UserKey(b), "%q and %q", a, b)
		}
	}
	require.False(t, new(session.Rules).SameUser("alice", "Alice"), "the zero Rules compare exactly")
}

func FuzzParseRules(f *testing.F) {
	f.Add([]byte(`[{"id":"alice","admin":true,"workstations":["ws1","ALLOW_CUSTOM"],"pools":["cad"]}]`), []byte(`[{"id":"cad","workstations":["ws2"]}]`), []byte(`[{"id":"staff","pools":["cad"]}]`))
	f.Add([]byte(`[{"UserID":"a","Workstations":["WS1"],"x":{"y":[1,null]}}]`), []byte(`[{"PoolID":"p","strategy":"pack","require":["gpu"]}]`), []byte(nil))
	f.Add([]byte("[\n{]"), []byte("\xef\xbb\xbf"), []byte("null"))
	f.Add([]byte(`[null,{"id":""}]`), []byte(`{}`), []byte(`[{"id":"a"}]x`))
	f.Add([]byte("[{\"id\":\"alice\",\"pools\":[\"a\"]}]"), []byte(`[{"id":"a","pools":["b","A"]},{"id":"b","pools":["a"],"workstations":["ws1"]}]`), []byte("[{\"id\":\"\xff\"}]"))
	f.Fuzz(func(t *testing.T, users, pools, groups []byte) {
		rules, err := session.ParseRules(session.PolicyFiles{Users: users, Pools: pools, Groups: groups, FoldUserCase: len(users)%2 == 0})
		require.Equal(t, err == nil, rules != nil)
		if err != nil {
			require.Regexp(t, `^(users|pools|groups)\.json:\d+: `, err.Error())
			return
		}
		require.Equal(t, session.Access{}, rules.Access("", nil), "no entry is for nobody")
		require.Equal(t, session.Access{}, rules.Access("-x", []string{""}))
		lines := map[string]int{session.UsersFile: lines(users), session.PoolsFile: lines(pools), session.GroupsFile: lines(groups)}
		for _, p := range slices.Concat(rules.Problems, rules.HostProblems(session.NewHostNames([][]dcvix.Hostname{{"ws1", "a.lab"}, {"ws1.lab"}}))) {
			text := p.String()
			require.NotContains(t, text, "\n")
			require.True(t, utf8.ValidString(text))
			require.Less(t, len(text), 1000)
			require.LessOrEqual(t, p.Line, lines[p.File], text)
			require.Positive(t, p.Line)
		}
		a := rules.Access("alice", []string{"staff", "a"})
		each(t, a.Hosts)
		for _, p := range a.Pools {
			each(t, p.Hosts)
		}
		sameAsTrace(t, a, rules.Trace("alice", []string{"staff", "a"}, nil))
	})
}

func lines(data []byte) int { return 1 + strings.Count(string(data), "\n") }

// each looks that names of hosts are well formed and there once.
func each(t *testing.T, names []string) {
	t.Helper()
	seen := make(map[dcvix.Hostname]bool)
	for _, name := range names {
		h, err := dcvix.ParseHostname(name)
		require.NoError(t, err)
		require.False(t, seen[h])
		seen[h] = true
	}
}
