package session_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// droppings notes which agents were dropped, and in which state they were.
type droppings struct {
	sessiontest.FakeAgents
	mu     sync.Mutex
	broker *session.Broker
	told   []dcvix.AgentID
	meant  []dcvix.AgentState
}

func (d *droppings) DropAgent(id dcvix.AgentID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = append(d.told, id)
	for _, a := range d.broker.Agents("") {
		if a.ID == id {
			d.meant = append(d.meant, a.State)
		}
	}
}

func TestWhoHoldsConnectionsIsToldOfAgentsThatAreOut(t *testing.T) {
	caller, other := new(droppings), new(droppings)
	d := newDirector(t, func(c *session.Config) { c.Agents = caller })
	caller.broker, other.broker = d.Broker, d.Broker
	d.OnDrop(other)
	one, two := sessiontest.Join(t, d.Broker, "ws1"), sessiontest.Join(t, d.Broker, "ws2")
	_, _ = d.Register(t.Context(), asks("new", 9, "ws2"))
	require.Empty(t, caller.told)

	require.ErrorIs(t, d.Revoke(t.Context(), "new"), session.ErrWrongState)
	require.Empty(t, caller.told)
	require.NoError(t, d.Revoke(t.Context(), one.ID))
	require.NoError(t, d.Approve(t.Context(), "new", session.Approval{Replace: true}))

	for _, who := range []*droppings{caller, other} {
		assert.Equal(t, []dcvix.AgentID{one.ID, two.ID}, who.told)
		assert.Equal(t, []dcvix.AgentState{dcvix.AgentRevoked, dcvix.AgentRevoked}, who.meant, "after it is so in the register")
	}
}
