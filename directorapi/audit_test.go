package directorapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// audited starts a director that writes to the returned audit. The clock is as
// far ahead as the counter says.
func audited(t *testing.T, opts ...directorapitest.Option) (*directorapitest.Server, *sessiontest.AuditLog, *atomic.Int64) {
	t.Helper()
	audit, ahead := new(sessiontest.AuditLog), new(atomic.Int64)
	opts = append(opts, directorapitest.WithAPI(func(c *directorapi.Config) {
		c.Audit = audit
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}))
	return directorapitest.NewServer(t, opts...), audit, ahead
}

func records(t *testing.T, l session.AuditLog) []session.AuditRecord {
	t.Helper()
	all, err := l.Read(t.Context(), session.AuditQuery{Limit: 1 << 20})
	require.NoError(t, err)
	return all
}

// last checks the newest record against the answer that it belongs to.
func last(t *testing.T, l session.AuditLog, r reply) session.AuditRecord {
	t.Helper()
	all := records(t, l)
	require.NotEmpty(t, all)
	got := all[len(all)-1]
	assert.Equal(t, r.header.Get("X-Request-Id"), got.RequestID)
	assert.Equal(t, "127.0.0.1", got.Address)
	assert.WithinDuration(t, time.Now(), got.Time, time.Minute)
	return got
}

// said is what a record says, in short.
func said(r session.AuditRecord) string {
	return fmt.Sprintf("%s %s by %s %s", r.Action, r.Outcome, r.Role, r.Actor)
}

func TestWhoDidWhatIsOnRecord(t *testing.T) {
	s, audit, _ := audited(t, directorapitest.WithBroker(func(c *session.Config) { c.Agents = new(sessiontest.FakeAgents) }))
	ws1 := approved(t, s, "ws1")
	require.Equal(t, http.StatusOK, ws1.report(t).status)
	alice := loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice)
	root := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	open := func(c *caller, path, owner, id string) reply {
		return c.post(t, path, dcvix.CreateSessionRequest{UserID: owner, ServerID: "ws1", SessionType: "virtual", SessionID: id})
	}
	var mine dcvix.CreateSessionResponse
	steps := []struct {
		do   func() reply
		want string
	}{
		{func() reply {
			return anybody(s).post(t, dcvix.PathUserLogin, dcvix.LoginRequest{UserID: "alice", Password: directorapitest.Password})
		}, "login ok by user alice"},
		{func() reply {
			return anybody(s).post(t, dcvix.PathUserLogin, dcvix.LoginRequest{UserID: "alice", Password: "guess"})
		}, "login refused by user alice"},
		{func() reply {
			return anybody(s).post(t, dcvix.PathAdminLogin, dcvix.LoginRequest{UserID: "root", Password: directorapitest.Password})
		}, "login ok by admin root"},
		{func() reply {
			return anybody(s).post(t, dcvix.PathAdminLogin, dcvix.LoginRequest{UserID: "bob", Password: directorapitest.Password})
		}, "login refused by admin bob"},
		{func() reply {
			r := open(alice, dcvix.PathUserSessions, "", "")
			r.json(t, &mine)
			return r
		}, "session.open ok by user alice"},
		{func() reply {
			return alice.get(t, dcvix.PathUserConnectionToken+"?sessionId="+string(mine.SessionID)+"&serverId=ws1")
		}, "session.connect ok by user alice"},
		{func() reply {
			return alice.send(t, http.MethodDelete, strings.Replace(dcvix.PathSession, "{id}", string(mine.SessionID), 1), nil)
		}, "session.close ok by user alice"},
		{func() reply {
			return alice.send(t, http.MethodDelete, strings.Replace(dcvix.PathSession, "{id}", "none", 1), nil)
		}, "session.close refused by user alice"},
		{func() reply {
			return alice.post(t, dcvix.PathUserSessions, dcvix.CreateSessionRequest{ServerID: "ws9", SessionType: "virtual"})
		}, "session.open refused by user alice"},
		{func() reply { return open(root, dcvix.PathSessions, "bob", "s7") }, "session.open ok by admin root"},
		{func() reply { return alice.post(t, dcvix.PathLogout, nil) }, "logout ok by user alice"},
	}
	for _, step := range steps {
		before := len(records(t, audit))
		r := step.do()
		got := last(t, audit, r)
		assert.Equal(t, step.want, said(got), "%d %s", r.status, r.body)
		assert.Equal(t, r.status < 300, got.Outcome == session.AuditOK)
		assert.Len(t, records(t, audit), before+1, step.want)
	}
	all := records(t, audit)
	assert.Equal(t, "s7", all[len(all)-2].Target)
	assert.Equal(t, "virtual session for bob on ws1", all[len(all)-2].New)
}

func TestWhatAgentsDoIsOnRecord(t *testing.T) {
	s, audit, _ := audited(t)
	root := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	h, other := newHost(t, s, "ws1"), newHost(t, s, "ws2")
	by := func(path string, h *host) func() reply {
		return func() reply { return root.post(t, strings.Replace(path, "{guid}", string(h.guid), 1), nil) }
	}
	register := func(h *host) func() reply { return func() reply { return h.register(t) } }
	renamed := *h
	renamed.name = "ws3"
	thief := *h
	thief.key = newKey(t)
	steps := []struct {
		do   func() reply
		want string // "" means that nothing is written
	}{
		{register(h), "agent.register ok by agent " + string(h.guid)},
		{register(h), ""},
		{by(dcvix.PathAdminAgentApprove, h), "agent.approve ok by admin root"},
		{by(dcvix.PathAdminAgentApprove, h), "agent.approve refused by admin root"},
		{register(h), "agent.certify ok by agent " + string(h.guid)},
		{func() reply { return h.caller().post(t, dcvix.PathAgentRenew, dcvix.RenewRequest{CSR: h.csr(t)}) }, "agent.certify ok by agent " + string(h.guid)},
		{register(&thief), "agent.conflict refused by agent " + string(h.guid)},
		{register(&thief), ""},
		{by(dcvix.PathAdminAgentRevoke, h), "agent.revoke ok by admin root"},
		{register(h), "agent.register refused by agent " + string(h.guid)},
		{by(dcvix.PathAdminAgentReactivate, h), "agent.reactivate ok by admin root"},
		{register(other), "agent.register ok by agent " + string(other.guid)},
		{by(dcvix.PathAdminAgentDeny, other), "agent.deny ok by admin root"},
		{register(other), ""},
	}
	for i, step := range steps {
		before := len(records(t, audit))
		r := step.do()
		if step.want == "" {
			assert.Len(t, records(t, audit), before, "step %d", i)
			continue
		}
		assert.Equal(t, step.want, said(last(t, audit, r)), "step %d: %d %s", i, r.status, r.body)
		assert.Len(t, records(t, audit), before+1, "step %d", i)
	}
	revoked, err := audit.Read(t.Context(), session.AuditQuery{Action: session.AuditAgentRevoke, Target: string(h.guid)})
	require.NoError(t, err)
	require.Len(t, revoked, 1)
	assert.Contains(t, revoked[0].Old, "registered ws1 with key ")
	assert.Contains(t, revoked[0].New, "revoked ws1 with key ")

	require.Equal(t, http.StatusOK, renamed.register(t).status)
	all := records(t, audit)
	assert.Equal(t, session.AuditAgentRenameWish, all[len(all)-2].Action)
	assert.Equal(t, "ws1 to ws3", all[len(all)-2].Old+" to "+all[len(all)-2].New)
}

func TestWhatCannotBePutOnRecordIsNotGranted(t *testing.T) {
	s, audit, _ := audited(t, directorapitest.WithBroker(func(c *session.Config) { c.Agents = new(sessiontest.FakeAgents) }))
	ws1, ws2 := approved(t, s, "ws1"), newHost(t, s, "ws2")
	require.Equal(t, http.StatusOK, ws1.report(t).status)
	require.Equal(t, http.StatusForbidden, ws2.register(t).status)
	alice := loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice)
	root := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	on := func(path string, h *host) string { return strings.Replace(path, "{guid}", string(h.guid), 1) }
	audit.Fail(errors.New("the disk is full at /secret/path"))

	for name, r := range map[string]reply{
		"login":        anybody(s).post(t, dcvix.PathUserLogin, dcvix.LoginRequest{UserID: "alice", Password: directorapitest.Password}),
		"session open": alice.post(t, dcvix.PathUserSessions, dcvix.CreateSessionRequest{ServerID: "ws1", SessionType: "virtual"}),
		"certificate":  ws1.register(t),
		"approve":      root.post(t, on(dcvix.PathAdminAgentApprove, ws2), nil),
	} {
		assert.Equal(t, http.StatusInternalServerError, r.status, name)
		assert.Empty(t, r.header.Get("Set-Cookie"), name)
		assert.Equal(t, "The director could not put this on record: its log says why, under the request id.", r.body, name)
	}
	assert.Equal(t, http.StatusUnauthorized, anybody(s).post(t, dcvix.PathUserLogin, dcvix.LoginRequest{UserID: "alice", Password: "x"}).status)
	assert.Equal(t, http.StatusOK, root.post(t, on(dcvix.PathAdminAgentRevoke, ws1), nil).status, "what takes away stands")
	assert.Equal(t, http.StatusOK, alice.post(t, dcvix.PathLogout, nil).status)
}

func TestAThousandBadLoginsMakeFewLines(t *testing.T) {
	s, audit, ahead := audited(t)
	c := anybody(s)
	c.http.Transport = &http.Transport{TLSClientConfig: s.TLS()}
	bad := func() {
		r := c.post(t, dcvix.PathUserLogin, dcvix.LoginRequest{UserID: "alice", Password: "guess"})
		require.Contains(t, []int{http.StatusUnauthorized, http.StatusTooManyRequests}, r.status)
	}
	for range 1000 {
		bad()
	}
	require.Len(t, records(t, audit), 1)

	ahead.Store(int64(61 * time.Second))
	bad()

	all := records(t, audit)
	require.Len(t, all, 2)
	assert.Equal(t, 0, all[0].Count)
	assert.Equal(t, 999, all[1].Count)
	assert.Equal(t, "alice", all[1].Actor)
	assert.Equal(t, session.AuditRefused, all[1].Outcome)
}

func TestManyDifferentRefusalsAreCountedTogether(t *testing.T) {
	count := directorapi.CountRefusals(t, 10_000, time.Now())
	assert.Equal(t, 4097, count.Lines, "one for each that is told apart, one for all others")
	assert.Equal(t, 4097, count.Held)
	assert.Equal(t, []int{10_000 - 4097}, count.Due, "after a minute")
	assert.Zero(t, count.HeldLater, "after two")
}

func TestNoSecretIsOnRecord(t *testing.T) {
	s, audit, _ := audited(t, directorapitest.WithBroker(func(c *session.Config) { c.RegistrationToken = "let me in" }))
	alice := loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice)
	anybody(s).post(t, dcvix.PathUserLogin, dcvix.LoginRequest{UserID: "alice", Password: "hunter2", OTP: "987654"})
	h := newHost(t, s, "ws1")
	h.token = "wrong token"
	require.Equal(t, http.StatusUnauthorized, h.register(t).status)
	require.Equal(t, http.StatusOK, alice.post(t, dcvix.PathLogout, nil).status)

	all := records(t, audit)
	text, err := json.Marshal(all)
	require.NoError(t, err)
	require.Len(t, all, 4)
	for _, secret := range []string{directorapitest.Password, "hunter2", "987654", "wrong token", "let me in", "v4.local", alice.cookie} {
		assert.NotContains(t, string(text), secret)
	}
}

func TestCountsAreWrittenAlsoWhenTheGuessingStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		audit := new(sessiontest.AuditLog)
		s := directorapi.WithAudit(t, audit)
		for range 3 {
			directorapi.Refuse(t, s, "alice")
		}
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- s.Run(ctx) }()
		time.Sleep(2 * time.Minute)
		all := records(t, audit)
		require.Len(t, all, 2)
		assert.Equal(t, 2, all[1].Count)

		directorapi.Refuse(t, s, "bob")
		directorapi.Refuse(t, s, "bob")
		stop()
		require.NoError(t, <-ran)
		all = records(t, audit)
		require.Len(t, all, 4, "what is left is written at the end")
		assert.Equal(t, 1, all[3].Count)
	})
}
