package session_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

func namesOf(desktops []session.Desktop) []string {
	names := []string{}
	for _, d := range desktops {
		names = append(names, d.Name)
	}
	return names
}

func TestAHostOfAPoolIsShownWhereTheUserHasASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		d.policy.set(t, `[{"id":"alice","workstations":["own"],"pools":["cad"]},{"id":"bob","workstations":["ALLOW_CUSTOM"]}]`, `[{"id":"cad","workstations":["p1","p2","own"]}]`)
		agents := make(map[dcvix.Hostname]session.Agent)
		for _, name := range []dcvix.Hostname{"own", "p1", "p2", "foreign"} {
			agents[name] = d.join(t, name)
		}
		assert.Equal(t, []string{"cad", "own"}, namesOf(d.Desktops(as("alice"))), "her host is there for itself, also when a pool has it")
		assert.Empty(t, d.Desktops(as("bob")))

		s, err := d.Open(t.Context(), as("alice"), session.OpenRequest{Owner: "alice", Pool: "cad", Type: dcvix.SessionVirtual})
		require.NoError(t, err)
		require.NotEqual(t, dcvix.Hostname("own"), s.Server)
		got := d.Desktops(as("alice"))
		require.Equal(t, []string{"cad", "own", string(s.Server)}, namesOf(got))
		assert.Len(t, got[0].Sessions, 1, "the pool has it too")
		assert.Equal(t, session.DesktopOwn, got[2].State)
		assert.Equal(t, []dcvix.SessionType{dcvix.SessionVirtual}, got[2].Types)
		assert.False(t, got[2].Pool)
		assert.Equal(t, []string{"cad", "own"}, namesOf(d.Desktops(as("alice")))[:2], "the others keep their places")

		opened, err := d.Open(t.Context(), as("bob"), session.OpenRequest{Owner: "bob", Server: "foreign", Type: dcvix.SessionConsole})
		require.NoError(t, err)
		assert.Equal(t, []string{"foreign"}, namesOf(d.Desktops(as("bob"))), "a host that a user named")
		require.NoError(t, d.Close(t.Context(), as("bob"), opened.ID, "foreign"))
		assert.Empty(t, d.Desktops(as("bob")))

		d.policy.set(t, `[{"id":"alice","workstations":["own"]}]`, `[]`)
		got = d.Desktops(as("alice"))
		require.Equal(t, []string{"own", string(s.Server)}, namesOf(got))
		assert.Equal(t, "You have a session there, but may open no other: the policy has changed.", got[1].Detail)
		assert.Equal(t, session.DesktopOwn, got[1].State, "she may go on with it")
		assert.Equal(t, []dcvix.SessionType{}, got[1].Types)
		_, err = d.Open(t.Context(), as("alice"), session.OpenRequest{Owner: "alice", Server: string(s.Server), Type: dcvix.SessionVirtual})
		require.ErrorIs(t, err, session.ErrForbidden)
		_, err = d.Connect(t.Context(), "alice", s.ID, string(s.Server))
		require.NoError(t, err)
	})
}

func TestSessionsAreFoundByOwnersAsThePolicyComparesThem(t *testing.T) {
	d := newDirector(t)
	a, b := d.join(t, "ws2"), d.join(t, "ws1")
	of := func(id dcvix.SessionID, owner dcvix.Username) dcvix.Session {
		return dcvix.Session{ID: id, Owner: owner, Type: dcvix.SessionVirtual}
	}
	d.agents.SetSessions(a.ID, of("s1", "alice"), of("s2", "ALICE"), of("s3", "bob"))
	d.agents.SetSessions(b.ID, of("s4", "alice"))
	d.report(t, a)
	d.report(t, b)
	ids := func(owner dcvix.Username) string {
		found := []dcvix.SessionID{}
		for _, s := range d.SessionsOf(owner) {
			found = append(found, s.ID)
		}
		return fmt.Sprint(found)
	}
	assert.Equal(t, "[s4 s1]", ids("alice"), "by host and id")
	assert.Equal(t, "[s2]", ids("ALICE"))
	assert.Equal(t, "[]", ids("nobody"))
	rules, err := session.ParseRules(session.PolicyFiles{FoldUserCase: true})
	require.NoError(t, err)
	d.policy.Store(rules)
	assert.Equal(t, "[s4 s1 s2]", ids("aLICE"))
	d.agents.SetSessions(a.ID, of("s1", "bob"))
	d.report(t, a)
	assert.Equal(t, "[s4]", ids("alice"), "an id may come back as somebody else's")
	assert.Equal(t, "[s1]", ids("bob"))
}

// BenchmarkDesktopsOfManyHosts is of a user of a pool, in a fleet of 10,000 hosts.
func BenchmarkDesktopsOfManyHosts(b *testing.B) {
	d := newDirector(b)
	d.policy.set(b, `[{"id":"alice","pools":["cad"]}]`, `[{"id":"cad","workstations":["ws1","ws2"]}]`)
	for i := range 10_000 {
		a := sessiontest.Join(b, d.Broker, dcvix.Hostname(fmt.Sprintf("ws%d", i)))
		d.agents.SetSessions(a.ID, desktop("s1"))
		d.report(b, a)
	}
	b.ResetTimer()
	for b.Loop() {
		if got := d.Desktops(as("bob")); len(got) != 0 {
			b.Fatal(got)
		}
	}
}
