package session_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/memory"
	"github.com/dcvix/dcvix/session/sessiontest"
)

const users = `[
	{"id": "alice", "workstations": ["ws1", "ws2"]},
	{"id": "bob", "workstations": ["ws1", "ALLOW_CUSTOM"]},
	{"id": "mallory", "workstations": []},
	{"id": "root", "admin": true}
]`

var admin = session.Actor{User: "root", Admin: true}

func as(user dcvix.Username) session.Actor { return session.Actor{User: user} }

// A policy that a test can change.
type policy struct{ atomic.Pointer[session.Rules] }

func (p *policy) Rules() *session.Rules { return p.Load() }

func (p *policy) set(t testing.TB, users, pools string) {
	t.Helper()
	rules, err := session.ParseRules(session.PolicyFiles{Users: []byte(users), Pools: []byte(pools)})
	require.NoError(t, err)
	p.Store(rules)
}

// A director is a broker with everything around it in memory.
type director struct {
	*session.Broker
	agents *sessiontest.FakeAgents
	store  *sessiontest.FailingStore
	policy *policy
}

func newDirector(t testing.TB, change ...func(*session.Config)) *director {
	t.Helper()
	d := &director{agents: new(sessiontest.FakeAgents), store: &sessiontest.FailingStore{Store: new(memory.Store)}, policy: new(policy)}
	d.policy.set(t, users, "")
	d.open(t, change...)
	return d
}

// open starts the broker, the first time or after a restart.
func (d *director) open(t testing.TB, change ...func(*session.Config)) {
	t.Helper()
	cfg := session.Config{Store: d.store, Agents: d.agents, Policy: d.policy, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	d.Broker, err = session.Open(t.Context(), cfg)
	require.NoError(t, err)
}

// join adds a registered host that has reported.
func (d *director) join(t testing.TB, name dcvix.Hostname) session.Agent {
	t.Helper()
	a := sessiontest.Join(t, d.Broker, name)
	d.report(t, a)
	return a
}

func (d *director) report(t testing.TB, a session.Agent) {
	t.Helper()
	require.NoError(t, d.Report(t.Context(), a, "10.0.0.1", d.agents.Update(a)))
}

// run runs the broker until the test, in a bubble, ends.
func (d *director) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-ran)
	})
}

func wants(user dcvix.Username, server string) session.OpenRequest {
	return session.OpenRequest{Owner: user, Server: server, Type: dcvix.SessionVirtual}
}

func TestOpenNeedsAWholeConfig(t *testing.T) {
	_, err := session.Open(t.Context(), session.Config{Store: new(memory.Store)})
	require.EqualError(t, err, "session: Config needs Store, Agents and Policy")

	broken := &sessiontest.FailingStore{Store: new(memory.Store)}
	broken.FailWith(errors.New("disk gone"))
	_, err = session.Open(t.Context(), session.Config{Store: broken, Agents: new(sessiontest.FakeAgents), Policy: session.FixedPolicy{}})
	require.ErrorContains(t, err, "read the register of agents: disk gone")

	b, err := session.Open(t.Context(), session.Config{Store: new(memory.Store), Agents: new(sessiontest.FakeAgents), Policy: session.FixedPolicy{}})
	require.NoError(t, err)
	assert.Equal(t, session.Access{}, b.Access("alice", nil), "the zero policy lets nobody do anything")
}

func TestASessionIsUsableTheMomentItsCreationIsAnswered(t *testing.T) {
	d := newDirector(t)
	a := d.join(t, "ws1")
	opened, err := d.Open(t.Context(), as("alice"), wants("alice", "ws1"))
	require.NoError(t, err)
	assert.Equal(t, dcvix.Hostname("ws1"), opened.Server)
	assert.False(t, opened.Reused)
	assert.Regexp(t, `^dcvix_[0-9a-f-]{36}$`, opened.ID)

	use := func(when string) {
		t.Helper()
		assert.Len(t, d.SessionsOf("alice"), 1, when)
		assert.True(t, d.Verify(t.Context(), "alice", opened.ID, "ws1"), when)
		at, err := d.Connect(t.Context(), "alice", opened.ID, "")
		require.NoError(t, err, when)
		assert.Equal(t, session.Endpoint{Session: opened.ID, Server: "ws1", Host: "ws1", Port: 8443, WebPath: "/"}, at)
		again, err := d.Open(t.Context(), as("alice"), wants("alice", "ws1"))
		require.NoError(t, err, when)
		assert.Equal(t, session.OpenedSession{ID: opened.ID, Server: "ws1", Type: dcvix.SessionVirtual, Reused: true}, again)
	}
	use("before any report")
	require.NoError(t, d.Report(t.Context(), a, "10.0.0.1", says()))
	use("after a report that was under way")
	d.report(t, a)
	use("after a report that has it")
	assert.Equal(t, 1, d.agents.Calls(a.ID).Create)
}

func TestFiftyClicksMakeOneSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := d.join(t, "ws1")
		d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: time.Second})
		var wg sync.WaitGroup
		var mu sync.Mutex
		ids := make(map[dcvix.SessionID]int)
		for range 50 {
			wg.Go(func() {
				opened, err := d.Open(t.Context(), as("alice"), wants("alice", "ws1"))
				assert.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				ids[opened.ID]++
			})
		}
		wg.Wait()
		assert.Len(t, ids, 1)
		assert.Equal(t, 1, d.agents.Calls(a.ID).Create)
		assert.Len(t, d.agents.Sessions(a.ID), 1)
	})
}

func TestOneSlowHostDelaysNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		slow := d.join(t, "ws1")
		d.join(t, "ws2")
		d.agents.Behave(slow.ID, sessiontest.Behaviour{Hang: true})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := d.Open(t.Context(), as("bob"), wants("bob", "ws1"))
				assert.ErrorIs(t, err, session.ErrAgentTimeout)
			})
		}
		synctest.Wait()
		before := time.Now()
		_, err := d.Open(t.Context(), as("alice"), wants("alice", "ws2"))
		require.NoError(t, err)
		assert.Equal(t, before, time.Now())
		wg.Wait()
	})
}

func TestWhatAHostCannotTake(t *testing.T) {
	console := func(owner dcvix.Username, id dcvix.SessionID) dcvix.Session {
		return dcvix.Session{ID: id, Owner: owner, Type: dcvix.SessionConsole, Status: "created"}
	}
	virtual := func(owner dcvix.Username, id dcvix.SessionID) dcvix.Session {
		return dcvix.Session{ID: id, Owner: owner, Type: dcvix.SessionVirtual, Status: "created"}
	}
	tests := map[string]struct {
		runs []dcvix.Session
		kind dcvix.SessionType
		id   dcvix.SessionID
		want error  // nil: it is created
		gets string // an existing one
	}{
		"an empty host":                            {kind: dcvix.SessionConsole},
		"a console of somebody else":               {runs: []dcvix.Session{console("bob", "console")}, kind: dcvix.SessionConsole, want: session.ErrConsoleTaken},
		"the owner's console":                      {runs: []dcvix.Session{console("alice", "console")}, kind: dcvix.SessionConsole, gets: "console"},
		"a virtual one beside a console":           {runs: []dcvix.Session{console("bob", "console")}, kind: dcvix.SessionVirtual, want: session.ErrOtherType},
		"a console beside virtual ones":            {runs: []dcvix.Session{virtual("bob", "b")}, kind: dcvix.SessionConsole, want: session.ErrOtherType},
		"a virtual one beside another's":           {runs: []dcvix.Session{virtual("bob", "b")}, kind: dcvix.SessionVirtual},
		"the owner's virtual one":                  {runs: []dcvix.Session{virtual("bob", "b"), virtual("alice", "a")}, kind: dcvix.SessionVirtual, gets: "a"},
		"an id that is taken":                      {runs: []dcvix.Session{virtual("bob", "b")}, kind: dcvix.SessionVirtual, id: "b", want: session.ErrIDTaken},
		"the id of the owner's":                    {runs: []dcvix.Session{virtual("alice", "a")}, kind: dcvix.SessionVirtual, id: "a", gets: "a"},
		"a foreign console still takes the screen": {runs: []dcvix.Session{console("bob", "not ours")}, kind: dcvix.SessionConsole, want: session.ErrConsoleTaken},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDirector(t)
			a := sessiontest.Join(t, d.Broker, "ws1")
			d.agents.SetSessions(a.ID, tt.runs...)
			d.report(t, a)
			opened, err := d.Open(t.Context(), admin, session.OpenRequest{Owner: "alice", Server: "ws1", Type: tt.kind, ID: tt.id})
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
				require.ErrorIs(t, err, session.ErrConflict)
				assert.Zero(t, d.agents.Calls(a.ID).Create)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.gets != "", opened.Reused)
			if tt.gets != "" {
				assert.Equal(t, dcvix.SessionID(tt.gets), opened.ID)
				assert.Zero(t, d.agents.Calls(a.ID).Create)
			}
		})
	}
}

func TestASessionOfAForeignIDIsNotOffered(t *testing.T) {
	d := newDirector(t)
	a := d.join(t, "ws1")
	require.NoError(t, d.Report(t.Context(), a, "10.0.0.1", says(desktop("made by; hand"))))
	opened, err := d.Open(t.Context(), as("alice"), wants("alice", "ws1"))
	require.NoError(t, err)
	assert.False(t, opened.Reused)
	assert.Len(t, d.Sessions(), 2)
}

func TestRequestsThatAreNotWellFormedReachNoAgent(t *testing.T) {
	d := newDirector(t)
	a := d.join(t, "ws1")
	before := d.agents.Calls(a.ID)
	for name, req := range map[string]session.OpenRequest{
		"an id that is an option":   {Owner: "alice", Server: "ws1", Type: dcvix.SessionVirtual, ID: "-x"},
		"an owner that is one":      {Owner: "--owner", Server: "ws1", Type: dcvix.SessionVirtual},
		"an owner with a newline":   {Owner: "a\nb", Server: "ws1", Type: dcvix.SessionVirtual},
		"no owner":                  {Server: "ws1", Type: dcvix.SessionVirtual},
		"a type that is none":       {Owner: "alice", Server: "ws1", Type: "--gpu"},
		"a type that is not parsed": {Owner: "alice", Server: "ws1", Type: "Console"},
		"no type":                   {Owner: "alice", Server: "ws1"},
	} {
		_, err := d.Open(t.Context(), admin, req)
		assert.ErrorIs(t, err, session.ErrInvalid, name)
	}
	for _, server := range []string{"", "127.0.0.1", "evil:22", "a/../b", "ws1\n", "-ws1"} {
		_, err := d.Open(t.Context(), admin, wants("alice", server))
		assert.ErrorIs(t, err, session.ErrNotFound, server)
	}
	assert.Equal(t, before, d.agents.Calls(a.ID))
}

func TestAUserCannotTellForbiddenFromUnknown(t *testing.T) {
	d := newDirector(t)
	for _, name := range []dcvix.Hostname{"ws1", "ws2", "ws3"} {
		d.join(t, name)
	}
	text := func(who session.Actor, server string) string {
		_, err := d.Open(t.Context(), who, wants("alice", server))
		require.Error(t, err)
		return err.Error()
	}
	assert.Equal(t, `host "ws3": not allowed`, text(as("alice"), "ws3"))
	assert.Equal(t, `host "ws9": not allowed`, text(as("alice"), "ws9"))
	_, err := d.Open(t.Context(), as("alice"), wants("alice", "ws9"))
	require.ErrorIs(t, err, session.ErrForbidden)
	require.NotErrorIs(t, err, session.ErrNotFound)
	_, err = d.Open(t.Context(), as("mallory"), wants("mallory", "ws1"))
	require.ErrorIs(t, err, session.ErrForbidden)
	_, err = d.Open(t.Context(), as("nobody"), wants("nobody", "ws1"))
	require.ErrorIs(t, err, session.ErrForbidden)

	for _, who := range []session.Actor{as("bob"), admin} { // may name any host, so they may know
		_, err = d.Open(t.Context(), who, wants("bob", "ws9"))
		require.ErrorIs(t, err, session.ErrNotFound)
		_, err = d.Open(t.Context(), who, wants("bob", "ws3"))
		require.NoError(t, err)
	}
}

func TestAChangedPolicyCountsAtOnceAlsoForThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := d.join(t, "ws1")
		d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: time.Second})
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = d.Open(t.Context(), as("alice"), wants("alice", "ws1")) })
		synctest.Wait()
		wg.Go(func() {
			_, err := d.Open(t.Context(), as("alice"), wants("alice", "ws1"))
			assert.ErrorIs(t, err, session.ErrForbidden)
		})
		synctest.Wait()
		d.policy.set(t, "", "")
		wg.Wait()
		assert.Equal(t, 1, d.agents.Calls(a.ID).Create)
	})
}

func TestACreationGoesOnWhenItsCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := d.join(t, "ws1")
		d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: 5 * time.Second})
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		opened, err := d.Open(ctx, as("alice"), wants("alice", "ws1"))
		require.NoError(t, err)
		require.Error(t, ctx.Err(), "the caller left")
		assert.True(t, d.Verify(t.Context(), "alice", opened.ID, "ws1"))
	})
}

func TestACallerThatLeavesWhileItWaitsMakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := d.join(t, "ws1")
		d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: 5 * time.Second})
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = d.Open(t.Context(), as("alice"), wants("alice", "ws1")) })
		synctest.Wait()
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		_, err := d.Open(ctx, as("alice"), wants("alice", "ws1"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		wg.Wait()
		assert.Equal(t, 1, d.agents.Calls(a.ID).Create)
	})
}

func TestAgentsThatFailOrHang(t *testing.T) {
	for name, tt := range map[string]struct {
		how  sessiontest.Behaviour
		want error
		took time.Duration
	}{
		"fails":                       {sessiontest.Behaviour{Err: errors.New("dcv: no licence")}, session.ErrAgentFailed, 0},
		"hangs":                       {sessiontest.Behaviour{Hang: true}, session.ErrAgentTimeout, 30 * time.Second},
		"is slower than its deadline": {sessiontest.Behaviour{Delay: time.Minute}, session.ErrAgentTimeout, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDirector(t)
				a := sessiontest.Join(t, d.Broker, "ws1")
				d.agents.SetSessions(a.ID, desktop("s"))
				d.report(t, a)
				d.agents.Behave(a.ID, tt.how)
				begun := time.Now()
				_, err := d.Open(t.Context(), as("bob"), wants("bob", "ws1"))
				require.ErrorIs(t, err, tt.want)
				assert.Equal(t, tt.took, time.Since(begun))
				assert.Empty(t, d.SessionsOf("bob"), "no half session")

				err = d.Close(t.Context(), as("alice"), "s", "")
				require.ErrorIs(t, err, tt.want)
				assert.True(t, d.Verify(t.Context(), "alice", "s", "ws1"), "a failed close is taken back")
				d.agents.Behave(a.ID, sessiontest.Behaviour{})
				require.NoError(t, d.Close(t.Context(), as("alice"), "s", ""))
			})
		})
	}
}

func TestASessionThatIsClosingIsNobodysToEnter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := sessiontest.Join(t, d.Broker, "ws1")
		d.agents.SetSessions(a.ID, desktop("s"))
		d.report(t, a)
		d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: 5 * time.Second})
		var wg sync.WaitGroup
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		wg.Go(func() { assert.NoError(t, d.Close(ctx, as("alice"), "s", ""), "it goes on when the caller leaves") })
		synctest.Wait()
		assert.Equal(t, dcvix.StatusClosing, d.SessionsOf("alice")[0].Status)
		assert.False(t, d.Verify(t.Context(), "alice", "s", "ws1"))
		_, err := d.Connect(t.Context(), "alice", "s", "")
		require.ErrorIs(t, err, session.ErrForbidden)
		wg.Wait()
		assert.Empty(t, d.Sessions())
		require.ErrorIs(t, d.Close(t.Context(), as("alice"), "s", ""), session.ErrNotFound)
	})
}

func TestASessionThatIsGoneFromTheHostCountsAsClosed(t *testing.T) {
	d := newDirector(t)
	a := sessiontest.Join(t, d.Broker, "ws1")
	require.NoError(t, d.Report(t.Context(), a, "10.0.0.1", says(desktop("s"))))
	require.NoError(t, d.Close(t.Context(), as("alice"), "s", ""))
	assert.Empty(t, d.Sessions())
}

func TestWhoMayClose(t *testing.T) {
	d := newDirector(t)
	one, two := sessiontest.Join(t, d.Broker, "ws1"), sessiontest.Join(t, d.Broker, "ws2")
	mine := dcvix.Session{ID: "console", Owner: "alice", Type: dcvix.SessionConsole}
	his := dcvix.Session{ID: "console", Owner: "bob", Type: dcvix.SessionConsole}
	foreign := dcvix.Session{ID: "made by; hand", Owner: "alice", Type: dcvix.SessionVirtual}
	d.agents.SetSessions(one.ID, mine, foreign)
	d.agents.SetSessions(two.ID, his)
	d.report(t, one)
	d.report(t, two)
	ctx := t.Context()

	require.ErrorIs(t, d.Close(ctx, as("mallory"), "console", ""), session.ErrNotFound)
	require.ErrorIs(t, d.Close(ctx, as("alice"), "console", "ws2"), session.ErrNotFound, "somebody else's looks like none")
	require.ErrorIs(t, d.Close(ctx, admin, "console", ""), session.ErrAmbiguous)
	require.ErrorIs(t, d.Close(ctx, admin, "console", "ws9"), session.ErrNotFound)
	require.ErrorIs(t, d.Close(ctx, admin, foreign.ID, "ws1"), session.ErrNotFound, "foreign ids are never acted on")
	assert.Zero(t, d.agents.Calls(one.ID).Close+d.agents.Calls(two.ID).Close)
	assert.Len(t, d.SessionsOf("alice"), 2, "but they are shown")

	require.NoError(t, d.Close(ctx, as("alice"), "console", ""), "to her the id is not ambiguous")
	require.NoError(t, d.Close(ctx, admin, "console", "ws2"))
	assert.Len(t, d.Sessions(), 1)
}

func TestVerify(t *testing.T) {
	d := newDirector(t)
	a := sessiontest.Join(t, d.Broker, "ws1")
	d.agents.SetSessions(a.ID, desktop("s"))
	d.report(t, a)
	d.join(t, "ws2")
	tests := map[string]struct {
		user   dcvix.Username
		id     dcvix.SessionID
		server dcvix.Hostname
		want   bool
	}{
		"right":                  {"alice", "s", "ws1", true},
		"under the longer name":  {"alice", "s", "ws1.lab", true},
		"another user":           {"bob", "s", "ws1", false},
		"an admin":               {"root", "s", "ws1", false},
		"another case":           {"Alice", "s", "ws1", false},
		"another session":        {"alice", "t", "ws1", false},
		"another host":           {"alice", "s", "ws2", false},
		"a host nobody knows":    {"alice", "s", "ws9", false},
		"no host":                {"alice", "s", "", false},
		"nobody and nothing":     {"", "", "ws1", false},
		"a host that is no name": {"alice", "s", "10.0.0.1", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, d.Verify(t.Context(), tt.user, tt.id, tt.server)) })
	}
	require.NoError(t, d.Revoke(t.Context(), a.ID))
	assert.False(t, d.Verify(t.Context(), "alice", "s", "ws1"), "the host's agent was revoked")
}

func TestConnectIsForTheOwner(t *testing.T) {
	d := newDirector(t)
	one, two := sessiontest.Join(t, d.Broker, "ws1"), sessiontest.Join(t, d.Broker, "ws2")
	for _, a := range []session.Agent{one, two} {
		update := says(dcvix.Session{ID: "console", Owner: "alice", Type: dcvix.SessionConsole})
		update.Stats.Hostname, update.DCVPort = string(a.Hostname), 9443
		require.NoError(t, d.Report(t.Context(), a, "10.0.0.1", update))
	}
	at, err := d.Connect(t.Context(), "alice", "console", "WS2.")
	require.NoError(t, err)
	assert.Equal(t, session.Endpoint{Session: "console", Server: "ws2", Host: "ws2", Port: 9443, WebPath: "/"}, at)
	_, err = d.Connect(t.Context(), "alice", "console", "")
	require.ErrorIs(t, err, session.ErrAmbiguous)
	for _, wrong := range []struct{ id, server string }{{"console", "ws9"}, {"nope", ""}, {"console\xff\n", ""}} {
		_, err = d.Connect(t.Context(), "alice", dcvix.SessionID(wrong.id), wrong.server)
		require.ErrorIs(t, err, session.ErrForbidden)
		assert.NotContains(t, err.Error(), "\n")
	}
	_, err = d.Connect(t.Context(), "bob", "console", "ws1")
	assert.ErrorIs(t, err, session.ErrForbidden)
}
