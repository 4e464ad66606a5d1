package session_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

func TestHostsOfAPolicyAreLookedUpInTheRegister(t *testing.T) {
	rules, err := session.ParseRules(session.PolicyFiles{
		Users: []byte("[{\"id\":\"alice\",\"workstations\":[\"WS1\",\"cad.\",\n\"ws2\",\"ws3.lab\",\"nowhere.example\"]},\n{\"id\":\"bob\",\"workstations\":[\"WS2\",\"ws4\"]}]"),
		Pools: []byte("[{\"id\":\"a\",\"workstations\":[\"ws5.lap\"]}]"),
	})
	require.NoError(t, err)
	require.Empty(t, rules.Problems)
	var said []string
	for _, p := range rules.HostProblems(session.NewHostNames([][]dcvix.Hostname{
		{"ws1.lab", "cad"},
		{"ws2.lab"},
		{"ws2.annex", "ws2.cellar"},
		{"ws3.lab"},
		{"ws5.lab"},
		{"ws4.a"},
		{"ws4.b"},
		{"ws4.c"},
		{"ws4.d"},
		{"ws4.e"},
		{"ws4.f"},
	})) {
		said = append(said, p.String())
	}
	assert.Equal(t, []string{
		`users.json:2: user "alice" has the workstation "ws2", which could be ws2.lab or ws2.annex. Write the whole name of one.`,
		`users.json:2: user "alice" has the workstation "nowhere.example", which no registered agent is. Start an agent there and approve it, or take the name away.`,
		`users.json:3: user "bob" has the workstation "ws4", which could be ws4.a, ws4.b, ws4.c, ws4.d or 2 more. Write the whole name of one.`,
		`pools.json:1: pool "a" has the workstation "ws5.lap", which no registered agent is. Did you mean "ws5.lab"?`,
	}, said)
}

func TestThePolicyFindsTheAgentsThatTheBrokerDoes(t *testing.T) {
	names := []dcvix.Hostname{"ws1", "ws1.lab", "ws1.other", "ws2.lab", "ws2.other", "ws2.lab.example", "cad", "cad.lab"}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		d := newDirector(t, func(c *session.Config) { c.Logger = slog.New(slog.DiscardHandler) })
		for i := range 1 + rng.IntN(5) {
			id := sessiontest.NewAgentID()
			_, err := d.Register(t.Context(), session.Registration{ID: id, KeyHash: session.KeyHash{byte(i + 1)}, Hostname: pick(rng, names)})
			require.ErrorIs(t, err, session.ErrPending)
			_ = d.Approve(t.Context(), id, session.Approval{Replace: rng.IntN(2) == 0, Aliases: []dcvix.Hostname{pick(rng, names)}}) // the name may be taken
		}
		registered := d.HostNames()
		for _, name := range append([]dcvix.Hostname{"ws3", "ws2", "cad.other", "lab"}, names...) {
			want, err := d.Resolve(string(name))
			found := registered.Find(name)
			require.Equal(t, err == nil, len(found) == 1, "seed %d: %s means %v, %v", seed, name, want.Hostname, found)
			if err == nil {
				require.Equal(t, want.Hostname, found[0])
			}
		}
	}
}

func TestTheSearchForNamesThatWereMeantIsBounded(t *testing.T) {
	var hosts strings.Builder
	for i := range 500 {
		fmt.Fprintf(&hosts, `"ws%d.lab.exmaple",`, i)
	}
	rules, err := session.ParseRules(session.PolicyFiles{Users: []byte(`[{"id":"a","workstations":[` + hosts.String() + `"ws1"]}]`)})
	require.NoError(t, err)
	guesses := 0
	problems := rules.HostProblems(session.NewHostNames([][]dcvix.Hostname{{"ws999.lab.example"}}))
	for _, p := range problems {
		if strings.HasPrefix(p.Suggestion, "Did you mean") {
			guesses++
		}
	}
	assert.Len(t, problems, 501)
	assert.Equal(t, 50, guesses)
}

func TestWhatIsToldOfAnAccess(t *testing.T) {
	rules, err := session.ParseRules(session.PolicyFiles{
		Users:  []byte("[\n{\"id\":\"alice\",\"workstations\":[\"ws1\",\n\"ALLOW_CUSTOM\"],\"pools\":[\"Site\"]}]"),
		Groups: []byte("[{\"id\":\"cad\",\"admin\":true,\"workstations\":[\"ws2\",\"ws1\"]}]"),
		Pools:  []byte("[{\"id\":\"site\",\"workstations\":[\"ws3\"],\"pools\":[\"inner\"],\"strategy\":\"Pack\",\"require\":[\"gpu\"]},\n{\"id\":\"inner\",\n\"workstations\":[\"ws4\"]}]"),
	})
	require.NoError(t, err)
	got := rules.Trace("alice", []string{"cad", "nothing", "cad"}, session.NewHostNames([][]dcvix.Hostname{{"ws1.lab"}, {"ws3"}, {"ws4.a"}, {"ws4.b"}}))
	alice := `user "alice" (users.json:2)`
	assert.Equal(t, dcvix.PolicyAccess{
		User: "alice", Groups: []string{"cad", "nothing", "cad"},
		Entries: []string{alice, `group "cad" (groups.json:1)`}, Admin: []string{`group "cad" (groups.json:1)`}, Custom: []string{alice},
		Hosts: []dcvix.PolicyHost{
			{Name: "ws1", From: alice, Agents: []dcvix.Hostname{"ws1.lab"}},
			{Name: "ws2", From: `group "cad" (groups.json:1)`, Agents: []dcvix.Hostname{}},
			{Name: "ws3", From: `pool "site" (pools.json:1), of ` + alice, Agents: []dcvix.Hostname{"ws3"}},
			{Name: "ws4", From: `pool "inner" (pools.json:3) in pool "site", of ` + alice, Agents: []dcvix.Hostname{"ws4.a", "ws4.b"}},
		},
		Pools: []dcvix.PolicyPool{{ID: "site", From: "pools.json:1, of " + alice, Hosts: []string{"ws3", "ws4"}, Strategy: "pack", Require: []string{"gpu"}}},
	}, got)
	assert.Equal(t, dcvix.PolicyAccess{User: "bob", Groups: []string{}, Entries: []string{}, Hosts: []dcvix.PolicyHost{}, Pools: []dcvix.PolicyPool{}},
		rules.Trace("bob", nil, nil))
}

// What a user had through a group ends with the group's entry, not with the login.
func TestAHostOfAGroupIsOpenedWhileThePolicyGivesIt(t *testing.T) {
	d := newDirector(t)
	d.join(t, "ws9")
	set := func(groups string) {
		rules, err := session.ParseRules(session.PolicyFiles{Groups: []byte(groups)})
		require.NoError(t, err)
		d.policy.Store(rules)
	}
	dora := session.Actor{User: "dora", Groups: []string{"staff"}}
	set(`[{"id":"staff","workstations":["ws9"]}]`)
	_, err := d.Open(t.Context(), dora, wants("dora", "ws9"))
	require.NoError(t, err)
	_, err = d.Open(t.Context(), as("dora"), wants("dora", "ws9"))
	require.ErrorIs(t, err, session.ErrForbidden, "a login without the group")
	set(`[]`)
	_, err = d.Open(t.Context(), dora, wants("dora", "ws9"))
	require.ErrorIs(t, err, session.ErrForbidden)
	assert.Len(t, d.SessionsOf("dora"), 1, "what runs goes on")
}
