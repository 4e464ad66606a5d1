package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// orphans returns the agents that are marked, and by whom.
func (d *director) orphans() map[dcvix.AgentID]dcvix.AgentID {
	found := make(map[dcvix.AgentID]dcvix.AgentID)
	for _, a := range d.Agents("") {
		if a.OrphanedBy != "" {
			found[a.ID] = a.OrphanedBy
		}
	}
	return found
}

func TestAHostThatLostItsKeyLeavesAnOrphan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		old, other := d.join(t, "ws1"), d.join(t, "ws2")
		time.Sleep(time.Hour)
		_, err := d.Register(t.Context(), asks("new", 9, "ws1"))
		require.ErrorIs(t, err, session.ErrPending)
		d.report(t, other)
		require.Empty(t, d.orphans(), "it may only be late")

		time.Sleep(3 * time.Minute)
		require.Equal(t, map[dcvix.AgentID]dcvix.AgentID{old.ID: "new"}, d.orphans())

		d.report(t, old)
		require.Empty(t, d.orphans(), "both are there: somebody else's host wants the name")
		time.Sleep(time.Hour)
		require.Empty(t, d.orphans(), "it was heard after the other asked, and is only off")
		require.NoError(t, d.Deny(t.Context(), "new"))
	})
}

func TestAnOrphanIsOneByItsAliasTooAndNoMoreWhenReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		_, _ = d.Register(t.Context(), asks("old", 1, "ws1.lab"))
		require.NoError(t, d.Approve(t.Context(), "old", session.Approval{Aliases: []dcvix.Hostname{"ws1"}}))
		time.Sleep(time.Hour)
		_, _ = d.Register(t.Context(), asks("new", 2, "ws1"))
		time.Sleep(time.Hour)
		require.Equal(t, map[dcvix.AgentID]dcvix.AgentID{"old": "new"}, d.orphans())

		require.NoError(t, d.Approve(t.Context(), "new", session.Approval{Replace: true}))

		assert.Empty(t, d.orphans())
		assert.Equal(t, dcvix.AgentRevoked, d.entry(t, "old").State)
		assert.Equal(t, "replaced", d.entry(t, "old").Reason)
	})
}

func TestARequestIsLeftOverWhenItsHostAsksAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		_, _ = d.Register(t.Context(), asks("first", 1, "ws1"))
		time.Sleep(time.Minute)
		_, _ = d.Register(t.Context(), asks("first", 1, "ws1"))
		assert.Equal(t, time.Now(), d.entry(t, "first").LastSeenAt, "one that waits is heard too")
		time.Sleep(time.Minute)
		_, _ = d.Register(t.Context(), asks("second", 2, "ws1"))
		time.Sleep(time.Hour)
		_, _ = d.Register(t.Context(), asks("third", 3, "ws1"))
		time.Sleep(3 * time.Minute)
		assert.Equal(t, map[dcvix.AgentID]dcvix.AgentID{"first": "third", "second": "third"}, d.orphans(), "the newest is the host")
		_, _ = d.Register(t.Context(), asks("second", 2, "ws1"))
		assert.Equal(t, map[dcvix.AgentID]dcvix.AgentID{"first": "third"}, d.orphans())
	})
}
