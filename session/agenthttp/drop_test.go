package agenthttp_test

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/agenthttp"
)

func TestTheIdleConnectionOfADroppedAgentIsClosed(t *testing.T) {
	a := catest.New(t)
	h, other := newHost(t, a, "ws1.localhost", answers(http.StatusOK, `{}`)), newHost(t, a, "ws2.localhost", answers(http.StatusOK, `{}`))
	var ended atomic.Int32
	c := newCaller(t, a, func(c *agenthttp.Config) { c.Dial = countEnds(&ended) })
	for _, agent := range []session.Agent{h.agent, other.agent} {
		_, err := c.Report(t.Context(), agent)
		require.NoError(t, err)
	}

	c.DropAgent(h.agent.ID)

	require.EqualValues(t, 1, ended.Load(), "at once")
	_, err := c.Report(t.Context(), other.agent)
	require.NoError(t, err)
	assert.EqualValues(t, 1, other.conns.Load(), "the others keep theirs")
	_, err = c.Report(t.Context(), h.agent) // reactivated
	require.NoError(t, err)
	assert.EqualValues(t, 2, h.conns.Load())
}

// A countedConn counts its first close.
type countedConn struct {
	net.Conn
	closed atomic.Bool
	ended  *atomic.Int32
}

func (c *countedConn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.ended.Add(1)
	}
	return c.Conn.Close()
}

func countEnds(ended *atomic.Int32) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &countedConn{Conn: conn, ended: ended}, nil
	}
}

func TestACallToADroppedAgentEndsAndIsNotTriedAgain(t *testing.T) {
	a := catest.New(t)
	calls, asked := new(atomic.Int32), make(chan struct{}, 10)
	h := newHost(t, a, "ws1.localhost", func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) > 1 {
			asked <- struct{}{}
			<-r.Context().Done()
			return
		}
		answers(http.StatusOK, `{}`)(w, r)
	})
	c := newCaller(t, a)
	_, err := c.Report(t.Context(), h.agent) // so that there is a connection to be used again
	require.NoError(t, err)
	answer := make(chan error, 1)
	go func() {
		_, err := c.Report(t.Context(), h.agent)
		answer <- err
	}()
	<-asked

	c.DropAgent(h.agent.ID)

	select {
	case err := <-answer:
		require.ErrorIs(t, err, session.ErrAgentFailed)
		require.NotErrorIs(t, err, session.ErrAgentTimeout)
		require.ErrorContains(t, err, "the agent is no longer trusted")
	case <-time.After(5 * time.Second):
		t.Fatal("the call goes on")
	}
	assert.EqualValues(t, 2, calls.Load())
	assert.EqualValues(t, 1, h.conns.Load(), "no other connection was tried")
}

func TestADialThatOutlivesItsAgentMakesNoConnection(t *testing.T) {
	a := catest.New(t)
	h := newHost(t, a, "ws1.localhost", answers(http.StatusOK, `{}`))
	var ended atomic.Int32
	dialing, release := make(chan struct{}), make(chan struct{})
	c := newCaller(t, a, func(c *agenthttp.Config) {
		dial := countEnds(&ended)
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			close(dialing)
			<-release // whatever its context says
			return dial(context.WithoutCancel(ctx), network, address)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	answer := make(chan error, 1)
	go func() {
		_, err := c.CreateSession(ctx, h.agent, dcvix.AgentCreateSession{})
		answer <- err
	}()
	<-dialing

	c.DropAgent(h.agent.ID)

	require.ErrorContains(t, <-answer, "the agent is no longer trusted")
	close(release)
	assert.Eventually(t, func() bool { return ended.Load() == 1 }, 10*time.Second, time.Millisecond)
}
