package sessiontest_test

import (
	"context"
	"errors"
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

func TestFakeAgentsBehaveAsTheyAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f sessiontest.FakeAgents
		a := session.Agent{ID: "a1", Hostname: "ws1"}
		req := dcvix.AgentCreateSession{UserID: "alice", SessionType: dcvix.SessionVirtual, SessionID: "s1"}
		id, err := f.CreateSession(t.Context(), a, req)
		require.NoError(t, err)
		assert.Equal(t, dcvix.SessionID("s1"), id)
		req.SessionID = "s2"
		id, err = f.CreateSession(t.Context(), a, req)
		require.NoError(t, err)
		assert.Equal(t, dcvix.SessionID("s1"), id, "the one the user has")
		_, err = f.CreateSession(t.Context(), a, dcvix.AgentCreateSession{UserID: "bob", SessionID: "s1"})
		require.ErrorIs(t, err, session.ErrAgentFailed)
		update, err := f.Report(t.Context(), a)
		require.NoError(t, err)
		assert.Equal(t, f.Sessions("a1"), update.Sessions)
		assert.Equal(t, "ws1", update.Stats.Hostname)

		setting := dcvix.Setting{Section: "display", Key: "quality", Value: "(30, 80)"}
		require.NoError(t, f.SetConfig(t.Context(), a, []dcvix.Setting{setting}))
		assert.Equal(t, []dcvix.Setting{setting}, f.Settings("a1"))

		boom := errors.New("boom")
		f.Behave("a1", sessiontest.Behaviour{Err: boom, Delay: time.Second})
		begun := time.Now()
		err = f.CloseSession(t.Context(), a, "alice", "s1")
		require.ErrorIs(t, err, boom)
		require.ErrorIs(t, err, session.ErrAgentFailed)
		assert.Equal(t, time.Second, time.Since(begun))

		f.Behave("a1", sessiontest.Behaviour{Hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = f.Report(ctx, a)
		require.ErrorIs(t, err, session.ErrAgentTimeout)

		f.Behave("a1", sessiontest.Behaviour{})
		require.NoError(t, f.CloseSession(t.Context(), a, "alice", "s1"))
		require.ErrorIs(t, f.CloseSession(t.Context(), a, "alice", "s1"), session.ErrNotFound)
		assert.Equal(t, sessiontest.Calls{Create: 3, Close: 3, Report: 2, SetConfig: 1}, f.Calls("a1"))
		assert.Zero(t, f.Calls("a2"), "hosts have nothing in common")
	})
}

func TestAFailingStoreIsAStoreAsLongAsItDoesNotFail(t *testing.T) {
	sessiontest.TestStore(t, func(testing.TB) session.Store { return &sessiontest.FailingStore{Store: new(memory.Store)} })
}

func TestAFailingStoreFailsBeforeItChangesAnything(t *testing.T) {
	inner := new(memory.Store)
	s := &sessiontest.FailingStore{Store: inner}
	sessiontest.PutAgent(t, s, session.Agent{ID: "a1"})
	require.NoError(t, s.RevokeToken(t.Context(), session.Revocation{TokenID: "t1", Until: time.UnixMilli(1)}))
	boom := errors.New("boom")
	s.FailWith(boom)
	change := func(a []*session.Agent) error { a[0].Port = 1; return nil }
	_, agentsErr := s.Agents(t.Context())
	_, tokensErr := s.RevokedTokens(t.Context())
	for name, err := range map[string]error{
		"Agents": agentsErr, "RevokedTokens": tokensErr,
		"ChangeAgents": s.ChangeAgents(t.Context(), change, "a1"),
		"SeeAgents":    s.SeeAgents(t.Context(), []session.Seen{{ID: "a1", At: time.UnixMilli(1)}}),
		"RevokeToken":  s.RevokeToken(t.Context(), session.Revocation{TokenID: "t2"}),
		"ForgetTokens": s.ForgetTokens(t.Context(), time.UnixMilli(2)),
	} {
		assert.ErrorIs(t, err, boom, name)
	}
	all, err := inner.Agents(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []session.Agent{{ID: "a1"}}, all)
	tokens, err := inner.RevokedTokens(t.Context())
	require.NoError(t, err)
	assert.Len(t, tokens, 1)
}
