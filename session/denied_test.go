package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/memory"
)

func (d *director) denies(t testing.TB, r session.Registration) {
	t.Helper()
	_, err := d.Register(t.Context(), r)
	require.ErrorIs(t, err, session.ErrPending)
	require.NoError(t, d.Deny(t.Context(), r.ID))
}

// noted says whether another request of the agent makes an entry.
func (d *director) noted(t testing.TB, r session.Registration) bool {
	t.Helper()
	_, err := d.Register(t.Context(), r)
	require.ErrorIs(t, err, session.ErrPending, "it hears the same in any case")
	return d.has(r.ID)
}

func TestADenialSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		r := asks("a", 1, "ws1")
		d.denies(t, r)
		for range 12 { // it retries, and the director restarts
			time.Sleep(2*time.Hour - time.Millisecond)
			d.open(t)
			require.False(t, d.noted(t, r))
		}
		time.Sleep(12 * time.Millisecond)
		d.open(t)
		require.Zero(t, d.DenialCount())
		assert.True(t, d.noted(t, r), "a day later")
		d.sameAsStore(t)
	})
}

func TestOldDenialsLeaveTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		d.run(t)
		d.denies(t, asks("old", 1, "ws1"))
		time.Sleep(12 * time.Hour)
		d.denies(t, asks("new", 1, "ws2"))
		time.Sleep(13*time.Hour + time.Minute)
		synctest.Wait()
		stored, err := d.store.Denials(t.Context())
		require.NoError(t, err)
		require.Len(t, stored, 1)
		assert.EqualValues(t, "new", stored[0].ID)
		assert.Equal(t, 1, d.DenialCount())
	})
}

func TestStoredDenialsAreBoundedToo(t *testing.T) {
	d := newDirector(t, func(c *session.Config) { c.PendingPerAddress = 2000 })
	for i := range 1005 {
		d.denies(t, asks(dcvix.AgentID(fmt.Sprintf("a%d", i)), 1, "ws1"))
	}
	stored, err := d.store.Denials(t.Context())
	require.NoError(t, err)
	require.Len(t, stored, 1000)
	for i := range 10 { // more than that can only come from elsewhere
		require.NoError(t, d.store.PutDenial(t.Context(), session.Denial{ID: dcvix.AgentID(fmt.Sprintf("b%d", i)), At: time.Now()}))
	}
	d.open(t)
	assert.Equal(t, 1000, d.DenialCount())
}

func TestAnAdminMayForgetADenial(t *testing.T) {
	d := newDirector(t)
	r := asks("a", 1, "ws1")
	require.ErrorIs(t, d.ForgetDenial(t.Context(), "a"), session.ErrNotFound)
	d.denies(t, r)
	require.NoError(t, d.ForgetDenial(t.Context(), "a"))
	require.ErrorIs(t, d.ForgetDenial(t.Context(), "a"), session.ErrNotFound)
	stored, err := d.store.Denials(t.Context())
	require.NoError(t, err)
	require.Empty(t, stored)
	assert.True(t, d.noted(t, r))
}

// A stuckStore cannot remove agents.
type stuckStore struct {
	memory.Store
	err error
}

func (s *stuckStore) ChangeAgents(ctx context.Context, change func([]*session.Agent) error, ids ...dcvix.AgentID) error {
	return s.Store.ChangeAgents(ctx, func(agents []*session.Agent) error {
		if err := change(agents); err != nil {
			return err
		}
		if slices.Contains(agents, nil) {
			return s.err
		}
		return nil
	}, ids...)
}

func TestADenialThatFailsIsNotRemembered(t *testing.T) {
	store := &stuckStore{err: errors.New("disk full")}
	d := newDirector(t, func(c *session.Config) { c.Store = store })
	_, _ = d.Register(t.Context(), asks("a", 1, "ws1"))
	require.ErrorIs(t, d.Deny(t.Context(), "a"), store.err)
	assert.Zero(t, d.DenialCount())
	stored, err := store.Denials(t.Context())
	require.NoError(t, err)
	assert.Empty(t, stored)
}

func TestTwoAdminsWhoDenyAtOnceAreOneDenial(t *testing.T) {
	d := newDirector(t, func(c *session.Config) { c.PendingPerAddress = 200 })
	for i := range 200 {
		r := asks(dcvix.AgentID(fmt.Sprintf("a%d", i)), 1, "ws1")
		_, _ = d.Register(t.Context(), r)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { _ = d.Deny(t.Context(), r.ID) })
		}
		wg.Wait()
		require.False(t, d.noted(t, r))
	}
}

func TestDenialsAreListedForADayTheLatestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		assert.Empty(t, d.Denials())
		first := time.Now()
		for _, r := range []session.Registration{asks("b", 1, "ws1"), asks("a", 2, "ws2")} {
			d.denies(t, r)
		}
		time.Sleep(time.Hour)
		d.denies(t, asks("c", 3, "ws3"))
		assert.Equal(t, []session.Denial{
			{ID: "c", KeyHash: session.KeyHash{3}, At: first.Add(time.Hour)},
			{ID: "a", KeyHash: session.KeyHash{2}, At: first},
			{ID: "b", KeyHash: session.KeyHash{1}, At: first},
		}, d.Denials())
		time.Sleep(23 * time.Hour)
		assert.Len(t, d.Denials(), 1, "a day is over for the others")
	})
}
