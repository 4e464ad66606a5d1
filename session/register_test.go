package session_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/memory"
	"github.com/dcvix/dcvix/session/sessiontest"
)

func asks(id dcvix.AgentID, key byte, name dcvix.Hostname) session.Registration {
	return session.Registration{ID: id, KeyHash: session.KeyHash{key}, Hostname: name, Address: "10.0.0.1"}
}

func (d *director) entry(t testing.TB, id dcvix.AgentID) session.Agent {
	t.Helper()
	for _, a := range d.Agents("") {
		if a.ID == id {
			return a.Agent
		}
	}
	t.Fatalf("agent %s is not there", id)
	return session.Agent{}
}

// sameAsStore checks that the index says what the Store does.
func (d *director) sameAsStore(t testing.TB) {
	t.Helper()
	stored, err := d.store.Store.Agents(t.Context())
	require.NoError(t, err)
	indexed := make([]session.Agent, 0, len(stored))
	for _, a := range d.Agents("") {
		indexed = append(indexed, a.Agent)
	}
	pending := 0
	for i := range stored {
		if stored[i].State == dcvix.AgentPending {
			pending++
		}
		for _, n := range append([]dcvix.Hostname{stored[i].Hostname}, stored[i].Aliases...) {
			got, err := d.Resolve(string(n))
			want, wantErr := d.ResolvedAfterReload(t.Context(), string(n))
			require.Equal(t, wantErr == nil, err == nil, n)
			require.Equal(t, want, got.ID, n)
		}
	}
	// When an agent was heard is written later.
	ahead := cmpopts.IgnoreFields(session.Agent{}, "LastSeenAt", "Address")
	require.Empty(t, cmp.Diff(stored, indexed, ahead, cmpopts.EquateEmpty()), "(-stored +indexed)")
	require.Equal(t, pending, d.PendingCount())
}

func TestNamesMeanAgents(t *testing.T) {
	tests := map[string]struct {
		registered []string // "name" or "name alias..."
		asked      string
		want       string // recorded name; "" means that nobody is meant
	}{
		"its name":                              {[]string{"ws1"}, "ws1", "ws1"},
		"without regard to case and final dot":  {[]string{"ws1.lab"}, "WS1.Lab.", "ws1.lab"},
		"an alias":                              {[]string{"ws1 cad1"}, "cad1", "ws1"},
		"short for long":                        {[]string{"ws1.lab"}, "ws1", "ws1.lab"},
		"long for short":                        {[]string{"ws1"}, "ws1.lab", "ws1"},
		"another domain is another host":        {[]string{"ws1.lab"}, "ws1.other", ""},
		"short for the long form of an alias":   {[]string{"a.lab ws1.lab"}, "ws1", "a.lab"},
		"two candidates":                        {[]string{"ws1.lab", "ws1.other"}, "ws1", ""},
		"exactly one of two candidates":         {[]string{"ws1.lab", "ws1.other"}, "ws1.lab", "ws1.lab"},
		"the exact name before the first label": {[]string{"ws1", "ws1.other"}, "ws1", "ws1"},
		"name and alias of one agent":           {[]string{"ws1.lab ws1.other"}, "ws1", "ws1.lab"},
		"nobody":                                {[]string{"ws1"}, "ws2", ""},
		"no name":                               {[]string{"ws1"}, "", ""},
		"an address":                            {[]string{"ws1"}, "127.0.0.1", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDirector(t)
			for _, line := range tt.registered {
				var names []dcvix.Hostname
				for n := range strings.FieldsSeq(line) {
					names = append(names, dcvix.Hostname(n))
				}
				a := sessiontest.Join(t, d.Broker, names[0])
				if len(names) > 1 {
					require.NoError(t, d.Approve(t.Context(), a.ID, session.Approval{Aliases: names[1:]}))
				}
			}
			got, err := d.Resolve(tt.asked)
			if tt.want == "" {
				require.ErrorIs(t, err, session.ErrNotFound)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, dcvix.Hostname(tt.want), got.Hostname)
			d.sameAsStore(t)
		})
	}
}

func TestOnlyRegisteredAgentsHaveNames(t *testing.T) {
	d := newDirector(t)
	a := sessiontest.Join(t, d.Broker, "ws1.lab")
	require.NoError(t, d.Revoke(t.Context(), a.ID))
	_, _ = d.Register(t.Context(), asks("p1", 1, "ws2"))
	for _, name := range []string{"ws1.lab", "ws1", "ws2"} {
		_, err := d.Resolve(name)
		require.ErrorIs(t, err, session.ErrNotFound, name)
	}
	require.NoError(t, d.Reactivate(t.Context(), a.ID))
	_, err := d.Resolve("ws1")
	assert.NoError(t, err)
}

func TestAnAgentThatIsReplacedIsRevoked(t *testing.T) {
	d := newDirector(t)
	one, two := d.join(t, "ws1"), d.join(t, "ws2")
	_, err := d.Register(t.Context(), asks("new", 9, "ws1"))
	require.ErrorIs(t, err, session.ErrPending)
	with := session.Approval{Aliases: []dcvix.Hostname{"ws2", "ws1", "ws2"}}
	require.ErrorIs(t, d.Approve(t.Context(), "new", with), session.ErrNameTaken)
	d.sameAsStore(t)

	with.Replace = true // both of its names are somebody's
	require.NoError(t, d.Approve(t.Context(), "new", with))

	for _, old := range []session.Agent{one, two} {
		assert.Equal(t, dcvix.AgentRevoked, d.entry(t, old.ID).State)
		assert.Equal(t, "replaced", d.entry(t, old.ID).Reason)
		_, err := d.Authorize(old.ID, old.KeyHash)
		require.ErrorIs(t, err, session.ErrRevoked)
		require.ErrorIs(t, d.Reactivate(t.Context(), old.ID), session.ErrNameTaken)
	}
	assert.Equal(t, []dcvix.Hostname{"ws2"}, d.entry(t, "new").Aliases, "each name once")
	assert.Empty(t, d.Hosts(), "the old hosts are out of view")
	d.sameAsStore(t)

	require.NoError(t, d.Revoke(t.Context(), "new"))
	require.NoError(t, d.Reactivate(t.Context(), one.ID))
	require.ErrorIs(t, d.Reactivate(t.Context(), "new"), session.ErrNameTaken)
	assert.Empty(t, d.entry(t, one.ID).Reason)
	d.sameAsStore(t)
}

func TestActsThatNeedAnotherState(t *testing.T) {
	d := newDirector(t, func(c *session.Config) { c.Reserved = func() []dcvix.Hostname { return []dcvix.Hostname{"director"} } })
	ctx := t.Context()
	registered, revoked := sessiontest.Join(t, d.Broker, "ws1"), sessiontest.Join(t, d.Broker, "ws2")
	require.NoError(t, d.Revoke(ctx, revoked.ID))
	_, _ = d.Register(ctx, asks("p", 1, "ws3"))
	_, _ = d.Register(ctx, asks("q", 1, "director"))
	approve := func(id dcvix.AgentID, aliases ...dcvix.Hostname) error {
		return d.Approve(ctx, id, session.Approval{Aliases: aliases})
	}
	tests := map[string]struct{ got, want error }{
		"approve nobody":              {approve("nobody"), session.ErrNotFound},
		"deny nobody":                 {d.Deny(ctx, "nobody"), session.ErrNotFound},
		"revoke nobody":               {d.Revoke(ctx, "nobody"), session.ErrNotFound},
		"reactivate nobody":           {d.Reactivate(ctx, "nobody"), session.ErrNotFound},
		"approve registered":          {approve(registered.ID), session.ErrWrongState},
		"approve revoked":             {approve(revoked.ID), session.ErrWrongState},
		"deny registered":             {d.Deny(ctx, registered.ID), session.ErrWrongState},
		"deny revoked":                {d.Deny(ctx, revoked.ID), session.ErrWrongState},
		"revoke pending":              {d.Revoke(ctx, "p"), session.ErrWrongState},
		"revoke revoked":              {d.Revoke(ctx, revoked.ID), session.ErrWrongState},
		"reactivate pending":          {d.Reactivate(ctx, "p"), session.ErrWrongState},
		"reactivate registered":       {d.Reactivate(ctx, registered.ID), session.ErrWrongState},
		"approve a reserved name":     {approve("q"), session.ErrNameReserved},
		"approve a reserved alias":    {approve("p", "director"), session.ErrNameReserved},
		"approve a taken alias":       {approve("p", "ws1"), session.ErrNameTaken},
		"approve an alias of no form": {approve("p", "*.lab"), session.ErrInvalid},
	}
	for name, tt := range tests {
		assert.ErrorIs(t, tt.got, tt.want, name)
	}
	assert.ErrorIs(t, tests["approve a reserved name"].got, session.ErrConflict)
	d.sameAsStore(t)
}

func TestAnAliasMayBeGivenAndTakenLater(t *testing.T) {
	d := newDirector(t)
	a := sessiontest.Join(t, d.Broker, "ws1")
	require.NoError(t, d.Approve(t.Context(), a.ID, session.Approval{Aliases: []dcvix.Hostname{"cad1"}}))
	_, err := d.Resolve("cad1")
	require.NoError(t, err)
	require.NoError(t, d.Approve(t.Context(), a.ID, session.Approval{Aliases: []dcvix.Hostname{}}))
	_, err = d.Resolve("cad1")
	require.Error(t, err)
	d.sameAsStore(t)
}

func TestAChangeThatTheStoreRefusesChangesNothing(t *testing.T) {
	d := newDirector(t)
	ctx := t.Context()
	full := errors.New("disk full")
	registered, revoked := sessiontest.Join(t, d.Broker, "ws1"), sessiontest.Join(t, d.Broker, "ws2")
	require.NoError(t, d.Revoke(ctx, revoked.ID))
	_, _ = d.Register(ctx, asks("p", 1, "ws3"))
	before := d.Agents("")
	acts := map[string]func() error{
		"a new agent": func() error { _, err := d.Register(ctx, asks("n", 1, "ws4")); return err },
		"a conflict":  func() error { _, err := d.Register(ctx, asks("p", 2, "ws3")); return err },
		"a wish": func() error {
			_, err := d.Register(ctx, session.Registration{ID: registered.ID, KeyHash: registered.KeyHash, Hostname: "ws9"})
			return err
		},
		"a certificate": func() error { return d.Certified(ctx, registered.ID, registered.KeyHash, "ff") },
		"approve":       func() error { return d.Approve(ctx, "p", session.Approval{}) },
		"deny":          func() error { return d.Deny(ctx, "p") },
		"revoke":        func() error { return d.Revoke(ctx, registered.ID) },
		"reactivate":    func() error { return d.Reactivate(ctx, revoked.ID) },
	}
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			d.store.FailWith(full)
			err := act()
			d.store.FailWith(nil)
			require.ErrorIs(t, err, full)
			assert.Equal(t, before, d.Agents(""))
			d.sameAsStore(t)
		})
	}
	assert.Zero(t, d.DenialCount(), "who was not denied is not remembered as such")
}

func TestDenialsAreBounded(t *testing.T) {
	now := start
	for name, tick := range map[string]time.Duration{"with a clock that goes on": time.Second, "with one that stands": 0, "with one that goes back": -time.Second} {
		t.Run(name, func(t *testing.T) {
			d := newDirector(t, func(c *session.Config) { c.Now, c.PendingPerAddress = func() time.Time { return now }, 2000 })
			for i := range 1100 {
				now = now.Add(tick)
				r := asks(dcvix.AgentID(fmt.Sprintf("a%d", i)), 1, "ws1")
				_, err := d.Register(t.Context(), r)
				require.ErrorIs(t, err, session.ErrPending)
				require.NoError(t, d.Deny(t.Context(), r.ID))
				require.LessOrEqual(t, d.DenialCount(), 1000)
				_, err = d.Register(t.Context(), r)
				require.ErrorIs(t, err, session.ErrPending)
				require.Empty(t, d.Agents(""), "the one just denied is remembered")
			}
		})
	}
}

func TestADenialIsOfAKey(t *testing.T) {
	d := newDirector(t)
	_, _ = d.Register(t.Context(), asks("a", 1, "ws1"))
	require.NoError(t, d.Deny(t.Context(), "a"))
	_, err := d.Register(t.Context(), asks("a", 2, "ws1"))
	require.ErrorIs(t, err, session.ErrPending)
	assert.Len(t, d.Agents(dcvix.AgentPending), 1, "another key is another agent to look at")
}

func TestPendingAgentsAreBoundedAlsoWhenTheyComeAtOnce(t *testing.T) {
	d := newDirector(t, func(c *session.Config) { c.PendingMax = 5 })
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			_, err := d.Register(t.Context(), asks(dcvix.AgentID(fmt.Sprintf("a%d", i)), 1, "ws1"))
			assert.True(t, errors.Is(err, session.ErrPending) || errors.Is(err, session.ErrTooMany), err)
		})
	}
	wg.Wait()
	assert.Len(t, d.Agents(dcvix.AgentPending), 5)
}

func TestPendingAgentsAreForgottenAfterAWeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		sessiontest.Join(t, d.Broker, "ws1")
		revoked := sessiontest.Join(t, d.Broker, "ws2")
		require.NoError(t, d.Revoke(t.Context(), revoked.ID))
		_, _ = d.Register(t.Context(), asks("p", 1, "ws3"))
		d.run(t)
		time.Sleep(7 * 24 * time.Hour)
		synctest.Wait()
		require.Len(t, d.Agents(dcvix.AgentPending), 1)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		assert.Empty(t, d.Agents(dcvix.AgentPending))
		assert.Len(t, d.Agents(""), 2, "the others stay")
		assert.Zero(t, d.DenialCount())
		d.sameAsStore(t)
	})
}

// A seenStore counts how often last-seen times are written.
type seenStore struct {
	memory.Store
	mu     sync.Mutex
	writes [][]session.Seen
	err    error
	during func() // what happens while a write fails
}

func (s *seenStore) SeeAgents(ctx context.Context, seen []session.Seen) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		s.during()
		return s.err
	}
	s.writes = append(s.writes, seen)
	return s.Store.SeeAgents(ctx, seen)
}

func (s *seenStore) failWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *seenStore) written() [][]session.Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.writes)
}

func TestLastSeenTimesAreWrittenInBatchesAndNotLostByAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(seenStore)
		d := newDirector(t, func(c *session.Config) { c.Store = store })
		one, two := sessiontest.Join(t, d.Broker, "ws1"), sessiontest.Join(t, d.Broker, "ws2")
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- d.Run(ctx) }()
		for range 100 {
			d.report(t, one)
			d.report(t, two)
		}
		time.Sleep(11 * time.Second)
		require.Len(t, store.written(), 1, "200 reports are one write")
		assert.Len(t, store.written()[0], 2)

		var late time.Time
		store.during = func() { late = time.Now(); d.report(t, two) }
		store.failWith(errors.New("disk full"))
		early := time.Now()
		d.report(t, one)
		d.report(t, two)
		time.Sleep(10 * time.Second)
		store.failWith(nil)
		time.Sleep(10 * time.Second)
		require.Len(t, store.written(), 2)
		stored, err := store.Agents(t.Context())
		require.NoError(t, err)
		for _, a := range stored {
			want := map[dcvix.AgentID]time.Time{one.ID: early, two.ID: late}[a.ID]
			assert.True(t, want.Truncate(time.Millisecond).Equal(a.LastSeenAt), a.Hostname)
			assert.Equal(t, "10.0.0.1", a.Address)
		}

		time.Sleep(time.Minute)
		require.Len(t, store.written(), 2, "nothing new, nothing written")
		d.report(t, one)
		stop()
		require.NoError(t, <-ran)
		assert.Len(t, store.written(), 3, "what is left is written at the end")
	})
}

func TestASignOfLifeIsNotForgottenByAChange(t *testing.T) {
	d := newDirector(t)
	a := d.join(t, "ws1") // its time is not written yet
	require.NoError(t, d.Certified(t.Context(), a.ID, a.KeyHash, "ff"))
	after := d.entry(t, a.ID)
	assert.WithinDuration(t, time.Now(), after.LastSeenAt, time.Minute)
	assert.Equal(t, "10.0.0.1", after.Address, "where it is called when its name does not resolve")
	assert.Equal(t, "ff", after.Serial)
}

func TestOnlyTheStoreMakesAnAgentLast(t *testing.T) {
	d := newDirector(t)
	a := sessiontest.Join(t, d.Broker, "ws1")
	_, _ = d.Register(t.Context(), asks("p", 1, "ws2"))
	d.open(t)
	d.sameAsStore(t)
	_, err := d.Authorize(a.ID, a.KeyHash)
	require.NoError(t, err)
	_, err = d.Authorize("p", session.KeyHash{1})
	require.ErrorIs(t, err, session.ErrNotFound)
	_, err = d.Authorize(a.ID, session.KeyHash{1})
	require.ErrorIs(t, err, session.ErrKeyMismatch)
	require.ErrorIs(t, d.Certified(t.Context(), a.ID, session.KeyHash{1}, "ff"), session.ErrRevoked)
	require.ErrorIs(t, d.Certified(t.Context(), "nobody", session.KeyHash{1}, "ff"), session.ErrRevoked)
}

// An admin approves at the moment when another denies, or the agent's time is over.
func TestAnAgentThatWasApprovedIsNotDeniedAfterwards(t *testing.T) {
	d := newDirector(t, func(c *session.Config) { c.PendingPerAddress = 300 })
	for i := range 300 {
		id := dcvix.AgentID(fmt.Sprintf("a%d", i))
		_, _ = d.Register(t.Context(), asks(id, 1, dcvix.Hostname(fmt.Sprintf("ws%d", i))))
		var approved, denied error
		var wg sync.WaitGroup
		wg.Go(func() { approved = d.Approve(t.Context(), id, session.Approval{}) })
		wg.Go(func() { denied = d.Deny(t.Context(), id) })
		wg.Wait()
		require.NotEqual(t, approved == nil, denied == nil, "one of both: %v, %v", approved, denied)
		_, err := d.Authorize(id, session.KeyHash{1})
		require.Equal(t, approved == nil, err == nil)
	}
	d.sameAsStore(t)
}

// A busyStore lets others run while it writes.
type busyStore struct {
	memory.Store
	meanwhile func()
}

func (s *busyStore) ChangeAgents(ctx context.Context, change func([]*session.Agent) error, ids ...dcvix.AgentID) error {
	if s.meanwhile != nil {
		s.meanwhile()
	}
	return s.Store.ChangeAgents(ctx, change, ids...)
}

func TestADenialThatCameSecondRemovesNothing(t *testing.T) {
	store := new(busyStore)
	d := newDirector(t, func(c *session.Config) { c.Store = store })
	_, _ = d.Register(t.Context(), asks("a", 1, "ws1"))
	denied := make(chan error, 1)
	store.meanwhile = func() { // the admin who denies still sees the agent pending
		go func() { denied <- d.Deny(t.Context(), "a") }()
		for range 10_000 {
			runtime.Gosched()
		}
	}
	require.NoError(t, d.Approve(t.Context(), "a", session.Approval{}))
	require.ErrorIs(t, <-denied, session.ErrWrongState)
	_, err := d.Authorize("a", session.KeyHash{1})
	require.NoError(t, err)
	assert.Zero(t, d.DenialCount())
}

func TestATakenNameComesWithBothAgents(t *testing.T) {
	d := newDirector(t)
	for _, r := range []session.Registration{asks("a", 1, "ws1"), asks("b", 2, "ws1"), asks("c", 3, "ws3")} {
		_, err := d.Register(t.Context(), r)
		require.ErrorIs(t, err, session.ErrPending)
	}
	require.NoError(t, d.Approve(t.Context(), "a", session.Approval{}))
	for id, how := range map[dcvix.AgentID]session.Approval{"b": {}, "c": {Aliases: []dcvix.Hostname{"ws1"}}} {
		err := d.Approve(t.Context(), id, how)
		require.ErrorIs(t, err, session.ErrNameTaken)
		require.ErrorIs(t, err, session.ErrConflict)
		var taken *session.NameTakenError
		require.ErrorAs(t, err, &taken)
		assert.Equal(t, d.entry(t, "a"), taken.Holds)
		assert.Equal(t, d.entry(t, id), taken.Asks)
		assert.ErrorContains(t, err, "a, and "+string(id)+" asks for it")
	}
}

func TestOfTwoApprovalsOfOneNameAtOnceOneIsToldOfTheOther(t *testing.T) {
	store, d := newSlowDirector(t, "ws1", "ws1")
	errs := make([]error, 2)
	store.together(t, d,
		func() { errs[0] = d.Approve(t.Context(), "a0", session.Approval{}) },
		func() { errs[1] = d.Approve(t.Context(), "a1", session.Approval{}) })
	var taken *session.NameTakenError
	require.ErrorAs(t, errors.Join(errs...), &taken)
	assert.Equal(t, dcvix.AgentPending, taken.Asks.State)
	assert.Equal(t, dcvix.AgentRegistered, taken.Holds.State, "whoever was first")
	assert.Equal(t, d.Agents(dcvix.AgentRegistered)[0].ID, taken.Holds.ID)
}
