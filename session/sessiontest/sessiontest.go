// Package sessiontest tests implementations of the interfaces in package
// session, and has agents for tests of whatever needs a broker.
package sessiontest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// TestStore checks that a Store keeps its promises. open must return a new,
// empty store each time; TestStore calls it once per subtest.
func TestStore(t *testing.T, open func(testing.TB) session.Store) {
	for name, test := range map[string]func(*testing.T, session.Store){
		"AgentsComeBackAsTheyWere":      testRoundTrip,
		"AgentsShareNoMemory":           testNoSharing,
		"PutTakenID":                    testPutTaken,
		"UpdateIsAtomic":                testUpdateIsAtomic,
		"UpdateOfManyIsAllOrNothing":    testUpdateOfMany,
		"FailedUpdateStoresNothing":     testFailedUpdate,
		"UnknownAgents":                 testUnknown,
		"SeeAgents":                     testSee,
		"RevokedTokens":                 testTokens,
		"Denials":                       testDenials,
		"UpdatesOfOneDoNotDisturbOther": testManyWriters,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func full(id dcvix.AgentID) session.Agent {
	at := time.UnixMilli(1_700_000_000_123)
	return session.Agent{
		ID: id, State: dcvix.AgentRegistered, KeyHash: session.KeyHash{1, 2, 0xff}, Hostname: "ws1.lab", Requested: "ws2.lab",
		Aliases: []dcvix.Hostname{"cad1", "cad1.lab"}, Port: 9446, Address: "2001:db8::7", Conflict: true, Serial: "0a:ff",
		Reason: "replaced", CreatedAt: at, RegisteredAt: at.Add(time.Second), LastSeenAt: at.Add(time.Hour),
	}
}

func testRoundTrip(t *testing.T, s session.Store) {
	want := []session.Agent{full("a1"), full("a2"), {ID: "a3"}}
	for _, i := range []int{2, 0, 1} {
		put(t, s, want[i])
	}
	// Times compare by moment: a store may change their zone.
	if diff := cmp.Diff(want, agents(t, s), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("agents ordered by ID (-want +got):\n%s", diff)
	}
}

func testNoSharing(t *testing.T, s session.Store) {
	a := full("a1")
	put(t, s, a)
	a.Aliases[0] = "changed"
	agents(t, s)[0].Aliases[0] = "changed"
	if got := agents(t, s)[0].Aliases[0]; got != "cad1" {
		t.Errorf("alias = %q after the caller changed its copy, want it unchanged", got)
	}
}

func testPutTaken(t *testing.T, s session.Store) {
	put(t, s, full("a1"))
	if err := s.PutAgent(t.Context(), session.Agent{ID: "a1"}); !errors.Is(err, session.ErrConflict) {
		t.Errorf("PutAgent(taken ID) error = %v, want ErrConflict", err)
	}
	if got := agents(t, s)[0].Hostname; got != "ws1.lab" {
		t.Errorf("host name = %q after a refused PutAgent, want it unchanged", got)
	}
}

func testUpdateIsAtomic(t *testing.T, s session.Store) {
	put(t, s, session.Agent{ID: "a1"})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			err := s.UpdateAgents(t.Context(), func(a []*session.Agent) error {
				a[0].Port++
				return nil
			}, "a1")
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := agents(t, s)[0].Port; got != 50 {
		t.Errorf("50 concurrent increments made %d, want 50", got)
	}
}

func testUpdateOfMany(t *testing.T, s session.Store) {
	put(t, s, session.Agent{ID: "a1"})
	put(t, s, session.Agent{ID: "a2"})
	err := s.UpdateAgents(t.Context(), func(a []*session.Agent) error {
		if len(a) != 2 || a[0].ID != "a2" || a[1].ID != "a1" {
			return fmt.Errorf("got %d agents, the first %s; want a2, a1", len(a), a[0].ID)
		}
		a[0].State, a[1].State = dcvix.AgentRegistered, dcvix.AgentRevoked
		return nil
	}, "a2", "a1")
	if err != nil {
		t.Fatal(err)
	}
	err = s.UpdateAgents(t.Context(), func(a []*session.Agent) error {
		a[0].State = dcvix.AgentPending
		return nil
	}, "a1", "nobody")
	if !errors.Is(err, session.ErrNotFound) {
		t.Errorf("UpdateAgents with an unknown agent: error = %v, want ErrNotFound", err)
	}
	got := agents(t, s)
	if got[0].State != dcvix.AgentRevoked || got[1].State != dcvix.AgentRegistered {
		t.Errorf("states = %s, %s; want revoked, registered", got[0].State, got[1].State)
	}
}

func testFailedUpdate(t *testing.T, s session.Store) {
	put(t, s, full("a1"))
	boom := errors.New("boom")
	err := s.UpdateAgents(t.Context(), func(a []*session.Agent) error {
		a[0].State = dcvix.AgentRevoked
		a[0].Aliases[0] = "changed"
		return boom
	}, "a1")
	if !errors.Is(err, boom) {
		t.Errorf("UpdateAgents error = %v, want the error of change", err)
	}
	if diff := cmp.Diff(full("a1"), agents(t, s)[0]); diff != "" {
		t.Errorf("agent after a failed update (-want +got):\n%s", diff)
	}
}

func testUnknown(t *testing.T, s session.Store) {
	keep := func([]*session.Agent) error { return nil }
	if err := s.UpdateAgents(t.Context(), keep, "nobody"); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("UpdateAgents error = %v, want ErrNotFound", err)
	}
	if err := s.DeleteAgent(t.Context(), "nobody"); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("DeleteAgent error = %v, want ErrNotFound", err)
	}
	put(t, s, session.Agent{ID: "a1"})
	if err := s.DeleteAgent(t.Context(), "a1"); err != nil {
		t.Error(err)
	}
	if got := agents(t, s); len(got) != 0 {
		t.Errorf("%d agents after the only one was deleted", len(got))
	}
}

func testSee(t *testing.T, s session.Store) {
	put(t, s, full("a1"))
	put(t, s, full("a2"))
	at := time.UnixMilli(1_800_000_000_000)
	err := s.SeeAgents(t.Context(), []session.Seen{{ID: "nobody", At: at}, {ID: "a2", At: at, Address: "10.0.0.2"}})
	if err != nil {
		t.Fatal(err)
	}
	want := full("a2")
	want.LastSeenAt, want.Address = at, "10.0.0.2"
	if diff := cmp.Diff([]session.Agent{full("a1"), want}, agents(t, s)); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
}

func testTokens(t *testing.T, s session.Store) {
	early, late := time.UnixMilli(1_700_000_000_000), time.UnixMilli(1_700_000_000_001)
	for _, r := range []session.Revocation{{TokenID: "t1", Until: early}, {TokenID: "t2", Until: early}, {TokenID: "t2", Until: late}} {
		if err := s.RevokeToken(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.ForgetTokens(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	got, err := s.RevokedTokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]session.Revocation{{TokenID: "t2", Until: late}}, got); diff != "" {
		t.Errorf("revoked tokens (-want +got):\n%s", diff)
	}
}

func testDenials(t *testing.T, s session.Store) {
	early := time.UnixMilli(1_700_000_000_123)
	one := session.Denial{ID: "a1", KeyHash: session.KeyHash{1, 0xff}, At: early}
	again := session.Denial{ID: "a1", KeyHash: session.KeyHash{2}, At: early.Add(time.Hour)}
	other, third := session.Denial{ID: "a2", KeyHash: session.KeyHash{3}, At: early}, session.Denial{ID: "a3", At: early}
	for _, d := range []session.Denial{one, other, again, third} {
		if err := s.PutDenial(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	byID := cmpopts.SortSlices(func(a, b session.Denial) bool { return a.ID < b.ID })
	for _, step := range []struct {
		forget []dcvix.AgentID
		want   []session.Denial
	}{{nil, []session.Denial{again, other, third}}, {[]dcvix.AgentID{"a2", "nobody", "a3"}, []session.Denial{again}}, {[]dcvix.AgentID{"a1"}, nil}} {
		if err := s.ForgetDenials(t.Context(), step.forget...); err != nil {
			t.Fatal(err)
		}
		got, err := s.Denials(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, got, byID, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("denials without %v (-want +got):\n%s", step.forget, diff)
		}
	}
}

func testManyWriters(t *testing.T, s session.Store) {
	var wg sync.WaitGroup
	for i := range 20 {
		id := dcvix.AgentID(fmt.Sprintf("a%02d", i))
		wg.Go(func() {
			if err := s.PutAgent(t.Context(), session.Agent{ID: id}); err != nil {
				t.Error(err)
			}
			if err := s.SeeAgents(t.Context(), []session.Seen{{ID: id, At: time.UnixMilli(5)}}); err != nil {
				t.Error(err)
			}
			err := s.UpdateAgents(t.Context(), func(a []*session.Agent) error {
				a[0].Hostname = "h"
				return nil
			}, id)
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, a := range agents(t, s) {
		if a.Hostname != "h" || a.LastSeenAt.IsZero() {
			t.Errorf("agent %s lost a change: %+v", a.ID, a)
		}
	}
}

func put(t *testing.T, s session.Store, a session.Agent) {
	t.Helper()
	if err := s.PutAgent(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

func agents(t *testing.T, s session.Store) []session.Agent {
	t.Helper()
	all, err := s.Agents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}
