package session_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/memory"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// An entry can lack its key: a revoked one that was imported. The zero key is
// what a program has that forgot to fill in the field.
func TestAnEntryWithoutAKeyLetsNobodyIn(t *testing.T) {
	for _, state := range []dcvix.AgentState{dcvix.AgentRevoked, dcvix.AgentRegistered, dcvix.AgentPending} {
		t.Run(string(state), func(t *testing.T) {
			store := new(memory.Store)
			sessiontest.PutAgent(t, store, session.Agent{ID: "a", State: state, Hostname: "ws1"})
			d := newDirector(t, func(c *session.Config) { c.Store = store })
			for _, key := range []byte{0, 1} {
				r := asks("a", key, "ws1")
				_, err := d.Register(t.Context(), r)
				require.ErrorIs(t, err, session.ErrRevoked)
				_, err = d.Authorize("a", r.KeyHash)
				require.Error(t, err)
				require.ErrorIs(t, d.Certified(t.Context(), "a", r.KeyHash, "ff"), session.ErrRevoked)
			}
			assert.False(t, d.entry(t, "a").Conflict, "there is no other key")
		})
	}
}

func TestAnEntryWithoutAKeyIsNotReactivated(t *testing.T) {
	store := new(memory.Store)
	sessiontest.PutAgent(t, store, session.Agent{ID: "a", State: dcvix.AgentRevoked, Hostname: "ws1", Reason: "imported without its key"})
	d := newDirector(t, func(c *session.Config) { c.Store = store })

	err := d.Reactivate(t.Context(), "a")

	require.ErrorIs(t, err, session.ErrNoKey)
	require.ErrorIs(t, err, session.ErrConflict)
	assert.Equal(t, dcvix.AgentRevoked, d.entry(t, "a").State)
	assert.Equal(t, "imported without its key", d.entry(t, "a").Reason)
	_, err = d.Resolve("ws1")
	require.ErrorIs(t, err, session.ErrNotFound, "it holds no name")
}
