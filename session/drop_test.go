package session_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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

// An endless host answers no call before the call is ended.
type endless struct {
	session.AgentCaller
	called chan struct{}
}

func (e *endless) wait(ctx context.Context) error {
	e.called <- struct{}{}
	<-ctx.Done()
	return fmt.Errorf("%w: %w", session.ErrAgentFailed, context.Cause(ctx))
}

func (e *endless) Report(ctx context.Context, _ session.Agent) (dcvix.AgentUpdate, error) {
	return dcvix.AgentUpdate{}, e.wait(ctx)
}

func (e *endless) CreateSession(ctx context.Context, _ session.Agent, _ dcvix.AgentCreateSession) (dcvix.SessionID, error) {
	return "", e.wait(ctx)
}

func (e *endless) CloseSession(ctx context.Context, _ session.Agent, _ dcvix.Username, _ dcvix.SessionID) error {
	return e.wait(ctx)
}

func TestACallEndsWithTheTrustInItsAgent(t *testing.T) {
	admin := session.Actor{User: "root", Admin: true}
	for name, call := range map[string]func(context.Context, *director, session.Agent) error{
		"to create": func(ctx context.Context, d *director, _ session.Agent) error {
			_, err := d.Open(ctx, admin, session.OpenRequest{Owner: "alice", Server: "ws1", Type: dcvix.SessionVirtual})
			return err
		},
		"to close":  func(ctx context.Context, d *director, _ session.Agent) error { return d.Close(ctx, admin, "s1", "ws1") },
		"to report": func(ctx context.Context, d *director, a session.Agent) error { return d.Ask(ctx, a) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				host := &endless{called: make(chan struct{})}
				d := newDirector(t, func(c *session.Config) { host.AgentCaller, c.Agents = c.Agents, host })
				a := sessiontest.Join(t, d.Broker, "ws1")
				if name != "to report" {
					d.agents.SetSessions(a.ID, dcvix.Session{ID: "s1", Owner: "bob", Type: dcvix.SessionVirtual})
					d.report(t, a)
				}
				done := make(chan error, 1)
				begin := time.Now()
				go func() { done <- call(t.Context(), d, a) }()
				<-host.called
				require.NoError(t, d.Revoke(t.Context(), a.ID))
				require.Error(t, <-done)
				assert.Zero(t, time.Since(begin), "at once, not at the deadline")
				assert.Empty(t, d.Hosts(), "and leaves no host behind")
			})
		})
	}
}
