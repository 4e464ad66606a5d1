package session_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/memory"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// A slowStore has others wait while it commits for the first time after hold.
type slowStore struct {
	memory.Store
	commits atomic.Int32
	held    atomic.Pointer[chan struct{}]
	fail    error // of the commits that waited
}

func (s *slowStore) ChangeAgents(ctx context.Context, change func([]*session.Agent) error, ids ...dcvix.AgentID) error {
	s.commits.Add(1)
	if held := s.held.Swap(nil); held != nil {
		<-*held
		return s.Store.ChangeAgents(ctx, change, ids...)
	}
	return s.Store.ChangeAgents(ctx, func(agents []*session.Agent) error {
		if err := change(agents); err != nil {
			return err
		}
		return s.fail
	}, ids...)
}

// config puts the store below the one that the director of a test has.
func (s *slowStore) config(c *session.Config) {
	c.PendingPerAddress = 1000
	if below, ok := c.Store.(*sessiontest.FailingStore); ok {
		below.Store = s
	}
}

// together runs acts so that all of them wait for one commit of another agent.
func (s *slowStore) together(t *testing.T, d *director, acts ...func()) {
	t.Helper()
	held := make(chan struct{})
	s.held.Store(&held)
	s.commits.Store(0)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = d.Register(t.Context(), asks("first", 1, "first")) })
	for s.commits.Load() == 0 {
		runtime.Gosched()
	}
	for _, act := range acts {
		wg.Go(act)
	}
	for d.WaitingChanges() < len(acts) {
		runtime.Gosched()
	}
	close(held)
	wg.Wait()
}

func newSlowDirector(t *testing.T, names ...dcvix.Hostname) (*slowStore, *director) {
	t.Helper()
	store := new(slowStore)
	d := newDirector(t, store.config)
	for i, name := range names {
		_, err := d.Register(t.Context(), asks(dcvix.AgentID(fmt.Sprintf("a%d", i)), 1, name))
		require.ErrorIs(t, err, session.ErrPending)
	}
	return store, d
}

func TestActsThatComeTogetherShareOneCommit(t *testing.T) {
	var names []dcvix.Hostname
	for i := range 100 {
		names = append(names, dcvix.Hostname(fmt.Sprintf("ws%d", i)))
	}
	store, d := newSlowDirector(t, names...)
	var acts []func()
	for i := range names {
		acts = append(acts, func() {
			assert.NoError(t, d.Approve(t.Context(), dcvix.AgentID(fmt.Sprintf("a%d", i)), session.Approval{}))
		})
	}
	store.together(t, d, acts...)
	assert.EqualValues(t, 2, store.commits.Load(), "that of the first and one for a hundred approvals")
	assert.Len(t, d.Agents(dcvix.AgentRegistered), 100)
	d.sameAsStore(t)
}

func TestOneOfTwoThatWantANameTogetherGetsIt(t *testing.T) {
	store, d := newSlowDirector(t, "ws1", "ws1", "other")
	errs := make([]error, 3)
	store.together(t, d,
		func() { errs[0] = d.Approve(t.Context(), "a0", session.Approval{}) },
		func() { errs[1] = d.Approve(t.Context(), "a1", session.Approval{}) },
		func() { errs[2] = d.Approve(t.Context(), "a2", session.Approval{}) })
	require.NoError(t, errs[2], "what fails disturbs no other")
	require.NotEqual(t, errs[0] == nil, errs[1] == nil, "%v, %v", errs[0], errs[1])
	require.ErrorIs(t, errors.Join(errs...), session.ErrNameTaken)
	assert.Len(t, d.Agents(dcvix.AgentRegistered), 2)
	d.sameAsStore(t)
}

func TestAChangeSeesThoseOfItsCommitThatCameBefore(t *testing.T) {
	store, d := newSlowDirector(t, "ws1")
	require.NoError(t, d.Approve(t.Context(), "a0", session.Approval{}))
	errs := make([]error, 20)
	var acts []func()
	for i := range errs {
		acts = append(acts, func() {
			if i%2 == 0 {
				errs[i] = d.Revoke(t.Context(), "a0")
			} else {
				errs[i] = d.Reactivate(t.Context(), "a0")
			}
		})
	}
	store.together(t, d, acts...)
	turns := map[bool]int{}
	for i, err := range errs {
		if err == nil {
			turns[i%2 == 0]++
		} else {
			require.ErrorIs(t, err, session.ErrWrongState)
		}
	}
	state := d.entry(t, "a0").State
	assert.Equal(t, turns[true]-turns[false] == 1, state == dcvix.AgentRevoked, "%d revoked it, %d reactivated it, and it is %s", turns[true], turns[false], state)
	d.sameAsStore(t)
}

func TestPendingAgentsThatComeTogetherAreCountedTogether(t *testing.T) {
	store := new(slowStore)
	d := newDirector(t, store.config, func(c *session.Config) { c.PendingMax = 5 })
	var refused atomic.Int32
	var acts []func()
	for i := range 50 {
		acts = append(acts, func() {
			_, err := d.Register(t.Context(), asks(dcvix.AgentID(fmt.Sprintf("a%d", i)), 1, "ws1"))
			if errors.Is(err, session.ErrTooMany) {
				refused.Add(1)
			}
		})
	}
	store.together(t, d, acts...)
	assert.Equal(t, 5, d.PendingCount())
	assert.EqualValues(t, 46, refused.Load(), "the one that was under way came first")
	d.sameAsStore(t)
}

func TestACommitThatFailsFailsForAllThatShareIt(t *testing.T) {
	store, d := newSlowDirector(t, "ws1", "ws2")
	store.fail = errors.New("disk full")
	errs := make([]error, 3)
	store.together(t, d,
		func() { errs[0] = d.Approve(t.Context(), "a0", session.Approval{}) },
		func() { errs[1] = d.Approve(t.Context(), "a1", session.Approval{}) },
		func() { errs[2] = d.Revoke(t.Context(), "a0") })
	require.ErrorIs(t, errs[0], store.fail)
	require.ErrorIs(t, errs[1], store.fail)
	require.Error(t, errs[2])
	assert.Empty(t, d.Agents(dcvix.AgentRegistered))
	d.sameAsStore(t)
}

func TestWhoLeftBeforeTheCommitChangesNothing(t *testing.T) {
	_, d := newSlowDirector(t, "ws1")
	ctx, leave := context.WithCancel(t.Context())
	leave()
	require.ErrorIs(t, d.Approve(ctx, "a0", session.Approval{}), context.Canceled)
	assert.Equal(t, dcvix.AgentPending, d.entry(t, "a0").State)
}
