package session_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

const reachUsers = `[
	{"id":"alice","workstations":["ws1","ws2"],"pools":["cad"]},
	{"id":"bob","pools":["all"],"admin":true},
	{"id":"carol","workstations":["ALLOW_CUSTOM"]},
	{"id":"dora","workstations":["WS1.lab."]}
]`

const reachPools = `[
	{"id":"cad","workstations":["ws3","ws1"],"strategy":"pack","require":["gpu"]},
	{"id":"all","workstations":["ws4"],"pools":["cad"]},
	{"id":"any","workstations":["ALLOW_CUSTOM"]}
]`

const reachGroups = `[
	{"id":"staff","pools":["CAD"]},
	{"id":"guests","pools":["any"]}
]`

func TestWhoReachesAHost(t *testing.T) {
	rules, err := session.ParseRules(session.PolicyFiles{Users: []byte(reachUsers), Pools: []byte(reachPools), Groups: []byte(reachGroups)})
	require.NoError(t, err)
	registered := session.NewHostNames([][]dcvix.Hostname{{"ws1.lab", "old1"}, {"ws3"}})
	const user, group = dcvix.PolicyUser, dcvix.PolicyGroup
	custom := []dcvix.PolicyReacher{
		{Kind: user, Name: "carol", From: `user "carol" (users.json:4)`},
		{Kind: group, Name: "guests", From: `pool "any" (pools.json:4), of group "guests" (groups.json:3)`},
	}
	ws1 := []dcvix.PolicyReacher{
		{Kind: user, Name: "alice", From: `user "alice" (users.json:2)`},
		{Kind: user, Name: "bob", From: `pool "cad" (pools.json:2) in pool "all", of user "bob" (users.json:3)`},
		{Kind: user, Name: "dora", From: `user "dora" (users.json:5)`},
		{Kind: group, Name: "staff", From: `pool "cad" (pools.json:2), of group "staff" (groups.json:2)`},
	}
	for _, name := range []dcvix.Hostname{"ws1", "ws1.lab", "old1"} {
		assert.Equal(t, dcvix.PolicyReach{Name: string(name), ServerID: "ws1.lab", By: ws1, Any: custom}, rules.ReachServer(name, registered))
	}
	none := []dcvix.PolicyReacher{}
	assert.Equal(t, dcvix.PolicyReach{Name: "ws2", By: ws1[:1], Any: none}, rules.ReachServer("ws2", registered), "nobody may name a host that is not registered")
	assert.Equal(t, dcvix.PolicyReach{Name: "ws9", By: none, Any: none}, rules.ReachServer("ws9", registered))
	assert.Len(t, rules.ReachServer("ws3", registered).By, 3)
}

func TestWhoReachesAPool(t *testing.T) {
	rules, err := session.ParseRules(session.PolicyFiles{Users: []byte(reachUsers), Pools: []byte(reachPools), Groups: []byte(reachGroups)})
	require.NoError(t, err)
	reach, found := rules.ReachPool("CAD")
	require.True(t, found)
	assert.Equal(t, dcvix.PolicyReach{Name: "cad", Any: []dcvix.PolicyReacher{}, By: []dcvix.PolicyReacher{
		{Kind: dcvix.PolicyUser, Name: "alice", From: `user "alice" (users.json:2)`},
		{Kind: dcvix.PolicyUser, Name: "bob", From: `pool "all" (pools.json:3), of user "bob" (users.json:3)`},
		{Kind: dcvix.PolicyGroup, Name: "staff", From: `group "staff" (groups.json:2)`},
	}}, reach)
	_, found = rules.ReachPool("none")
	assert.False(t, found)
}

func TestTheEntriesOfAPolicyAreListed(t *testing.T) {
	rules, err := session.ParseRules(session.PolicyFiles{Users: []byte(reachUsers), Pools: []byte(reachPools), Groups: []byte(reachGroups)})
	require.NoError(t, err)
	assert.Equal(t, []dcvix.PolicyEntry{
		{Kind: "user", Name: "alice", File: "users.json", Line: 2, Hosts: 2, Pools: []string{"cad"}},
		{Kind: "user", Name: "bob", File: "users.json", Line: 3, Admin: true, Pools: []string{"all"}},
		{Kind: "user", Name: "carol", File: "users.json", Line: 4, Custom: true},
		{Kind: "user", Name: "dora", File: "users.json", Line: 5, Hosts: 1},
		{Kind: "group", Name: "staff", File: "groups.json", Line: 2, Pools: []string{"cad"}},
		{Kind: "group", Name: "guests", File: "groups.json", Line: 3, Pools: []string{"any"}},
	}, rules.Entries())
	assert.Equal(t, []dcvix.PolicyPoolEntry{
		{ID: "cad", File: "pools.json", Line: 2, Hosts: []string{"ws3", "ws1"}, Total: 2, Strategy: "pack", Require: []string{"gpu"}},
		{ID: "all", File: "pools.json", Line: 3, Hosts: []string{"ws4"}, Pools: []string{"cad"}, Total: 3},
		{ID: "any", File: "pools.json", Line: 4, Hosts: []string{}, Custom: true},
	}, rules.PoolEntries())
	assert.Empty(t, new(session.Rules).Entries())
	assert.Empty(t, new(session.Rules).PoolEntries())
}

// TestWhoReachesWhatIsTheReverseOfWhatIsGiven asks random policies both ways.
func TestWhoReachesWhatIsTheReverseOfWhatIsGiven(t *testing.T) {
	nobody := session.NewHostNames(nil)
	for _, seed := range []uint64{1, 2, rand.Uint64()} {
		rng := rand.New(rand.NewPCG(seed, 0))
		for step := range 1000 {
			m := randomRules(rng)
			text := func(list []modelEntry) []byte {
				data, err := json.Marshal(list)
				require.NoError(t, err)
				return data
			}
			rules, err := session.ParseRules(session.PolicyFiles{Users: text(m.Users), Pools: text(m.Pools), Groups: text(m.Groups), FoldUserCase: m.fold})
			require.NoError(t, err)
			for _, name := range []dcvix.Hostname{"ws1", "ws2", "ws3.lab", "ws4", "1.2.3.4"} {
				by := rules.ReachServer(name, nobody).By
				for _, e := range rules.Entries() {
					told := rules.Trace("", []string{e.Name}, nil)
					if e.Kind == dcvix.PolicyUser {
						told = rules.Trace(dcvix.Username(e.Name), nil, nil)
					}
					from := ""
					for _, h := range told.Hosts {
						if parsed, err := dcvix.ParseHostname(h.Name); err == nil && parsed == name {
							from = h.From
						}
					}
					got := ""
					if i := slices.IndexFunc(by, func(r dcvix.PolicyReacher) bool { return r.Kind == e.Kind && r.Name == e.Name }); i >= 0 {
						got = by[i].From
					}
					require.Equal(t, from, got, "seed %d, step %d: %s %q and %s in %+v", seed, step, e.Kind, e.Name, name, m)
				}
			}
		}
	}
}

func BenchmarkReach(b *testing.B) {
	rules, err := session.ParseRules(largePolicy())
	require.NoError(b, err)
	nobody := session.NewHostNames(nil)
	b.Run("server", func(b *testing.B) {
		for b.Loop() {
			if rules.ReachServer("node7-3", nobody).By == nil {
				b.Fatal("nobody")
			}
		}
	})
	b.Run("pool", func(b *testing.B) {
		for b.Loop() {
			rules.ReachPool("pool7")
		}
	})
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			rules.Entries()
			rules.PoolEntries()
		}
	})
}
