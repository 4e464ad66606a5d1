// Package sessiontest tests implementations of the interfaces in package
// session, and has agents for tests of whatever needs a broker.
package sessiontest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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
		"ChangeIsAtomic":                testChangeIsAtomic,
		"ChangeOfManyInOneStep":         testChangeOfMany,
		"FailedChangeStoresNothing":     testFailedChange,
		"AddAndRemove":                  testAddAndRemove,
		"SeeAgents":                     testSee,
		"RevokedTokens":                 testTokens,
		"Denials":                       testDenials,
		"HostFlags":                     testHostFlags,
		"ChangesOfOneDoNotDisturbOther": testManyWriters,
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
		PutAgent(t, s, want[i])
	}
	// Times compare by moment: a store may change their zone.
	if diff := cmp.Diff(want, agents(t, s), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("agents ordered by ID (-want +got):\n%s", diff)
	}
}

func testNoSharing(t *testing.T, s session.Store) {
	a := full("a1")
	PutAgent(t, s, a)
	a.Aliases[0] = "changed"
	agents(t, s)[0].Aliases[0] = "changed"
	if got := agents(t, s)[0].Aliases[0]; got != "cad1" {
		t.Errorf("alias = %q after the caller changed its copy, want it unchanged", got)
	}
}

func testChangeIsAtomic(t *testing.T, s session.Store) {
	PutAgent(t, s, session.Agent{ID: "a1"})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			err := s.ChangeAgents(t.Context(), func(a []*session.Agent) error {
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

// In one step an agent is changed, one removed, one added, and one is left alone.
func testChangeOfMany(t *testing.T, s session.Store) {
	for _, id := range []dcvix.AgentID{"a1", "a2", "a3"} {
		PutAgent(t, s, full(id))
	}
	err := s.ChangeAgents(t.Context(), func(a []*session.Agent) error {
		if len(a) != 5 || a[0].ID != "a3" || a[1] != nil || a[2].ID != "a1" || a[3] != nil || a[4].ID != "a2" {
			return fmt.Errorf("got %d agents %v; want a3, none, a1, none, a2", len(a), a)
		}
		added := full("a4")
		a[0].State, a[1], a[2] = dcvix.AgentRevoked, &added, nil
		return nil
	}, "a3", "a4", "a1", "nobody", "a2")
	if err != nil {
		t.Fatal(err)
	}
	revoked := full("a3")
	revoked.State = dcvix.AgentRevoked
	if diff := cmp.Diff([]session.Agent{full("a2"), revoked, full("a4")}, agents(t, s)); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
}

func testFailedChange(t *testing.T, s session.Store) {
	PutAgent(t, s, full("a1"))
	PutAgent(t, s, full("a2"))
	boom := errors.New("boom")
	err := s.ChangeAgents(t.Context(), func(a []*session.Agent) error {
		a[0].State = dcvix.AgentRevoked
		a[0].Aliases[0] = "changed"
		a[1], a[2] = nil, &session.Agent{ID: "a3"}
		return boom
	}, "a1", "a2", "a3")
	if !errors.Is(err, boom) {
		t.Errorf("ChangeAgents error = %v, want the error of change", err)
	}
	if diff := cmp.Diff([]session.Agent{full("a1"), full("a2")}, agents(t, s)); diff != "" {
		t.Errorf("agents after a failed change (-want +got):\n%s", diff)
	}
}

func testAddAndRemove(t *testing.T, s session.Store) {
	const writers = 20
	var added, removed atomic.Int32
	replace := func(from, to *session.Agent, done *atomic.Int32) {
		var did bool // change may be called more than once
		err := s.ChangeAgents(t.Context(), func(a []*session.Agent) error {
			if did = (a[0] == nil) == (from == nil); did {
				a[0] = to
			}
			return nil
		}, "a1")
		if err != nil {
			t.Error(err)
		}
		if did {
			done.Add(1)
		}
	}
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			one := full("a1")
			replace(nil, &one, &added)
			replace(&one, nil, &removed)
		})
	}
	wg.Wait()
	if left := int(added.Load() - removed.Load()); added.Load() == 0 || left != len(agents(t, s)) {
		t.Errorf("%d added, %d removed, %d agents left", added.Load(), removed.Load(), len(agents(t, s)))
	}
}

func testSee(t *testing.T, s session.Store) {
	PutAgent(t, s, full("a1"))
	PutAgent(t, s, full("a2"))
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

func testHostFlags(t *testing.T, s session.Store) {
	at := time.UnixMilli(1_700_000_000_123)
	one := session.HostFlags{Agent: "a1", Maintenance: true, Message: "new disk, \"soon\" – größer", By: "root", At: at.Add(999 * time.Nanosecond)}
	again := session.HostFlags{Agent: "a1", Maintenance: true, By: "root", At: at.Add(time.Hour)}
	other := session.HostFlags{Agent: "a2", Message: "none", At: at}
	byAgent := cmpopts.SortSlices(func(a, b session.HostFlags) bool { return a.Agent < b.Agent })
	expect := func(when string, want ...session.HostFlags) {
		t.Helper()
		got, err := s.HostFlags(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, byAgent, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("flags %s (-want +got):\n%s", when, diff)
		}
	}
	put := func(f session.HostFlags) {
		t.Helper()
		if err := s.PutHostFlags(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	expect("of an empty store")
	put(one)
	one.At = at
	expect("as they were put", one)
	put(other)
	put(again)
	expect("after others took the place of one", again, other)
	for _, id := range []dcvix.AgentID{"nobody", "a1", "a1"} {
		if err := s.ForgetHostFlags(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	expect("after some were forgotten", other)
}

func testManyWriters(t *testing.T, s session.Store) {
	var wg sync.WaitGroup
	for i := range 20 {
		id := dcvix.AgentID(fmt.Sprintf("a%02d", i))
		wg.Go(func() {
			PutAgent(t, s, session.Agent{ID: id})
			if err := s.SeeAgents(t.Context(), []session.Seen{{ID: id, At: time.UnixMilli(5)}}); err != nil {
				t.Error(err)
			}
			err := s.ChangeAgents(t.Context(), func(a []*session.Agent) error {
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

// PutAgent stores an agent in the place of the one of its ID, if there is one.
func PutAgent(t testing.TB, s session.AgentStore, a session.Agent) {
	t.Helper()
	err := s.ChangeAgents(t.Context(), func(there []*session.Agent) error {
		there[0] = &a
		return nil
	}, a.ID)
	if err != nil {
		t.Error(err)
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
