package directorapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// waiting notes agents as pending, without certificates, and returns their ids.
func waiting(t *testing.T, s *directorapitest.Server, names ...string) []dcvix.AgentID {
	t.Helper()
	ids := make([]dcvix.AgentID, len(names))
	for i, name := range names {
		ids[i] = sessiontest.NewAgentID()
		_, err := s.Broker.Register(t.Context(), session.Registration{
			ID: ids[i], KeyHash: session.KeyHash{byte(i)}, Hostname: dcvix.Hostname(name), Address: fmt.Sprintf("10.0.%d.%d", i/250, i%250),
		})
		require.ErrorIs(t, err, session.ErrPending)
	}
	return ids
}

func TestManyApprovalsInOneCallAreAnsweredOneByOne(t *testing.T) {
	s, audit, _ := audited(t)
	admin := s.AdminClient()
	held := approved(t, s, "ws1")
	revoked := approved(t, s, "ws0")
	require.NoError(t, admin.Revoke(t.Context(), revoked.guid))
	ids := waiting(t, s, "ws1", "ws2", "director.lab", "ws3")
	unknown := sessiontest.NewAgentID()
	before := len(records(t, audit))

	got, err := admin.ApproveMany(t.Context(), []dcvix.AgentID{ids[3], ids[0], unknown, ids[1], "../x", ids[2], revoked.guid, ids[3], held.guid})

	require.NoError(t, err)
	want := []struct {
		id     dcvix.AgentID
		status int
		says   string
	}{
		{ids[3], 200, ""},
		{ids[0], 409, "The registered agent ws1 has this name (key "},
		{unknown, 404, "There is no such thing here."},
		{ids[1], 200, ""},
		{"../x", 404, "There is no such thing here."},
		{ids[2], 409, "This host name is the director's own: give the host another one."},
		{revoked.guid, 404, "The agent is not in a state for this: look at the list again."},
		{ids[3], 404, "The agent is not in a state for this: look at the list again."},
		{held.guid, 404, "The agent is not in a state for this: look at the list again."},
	}
	require.Len(t, got, len(want))
	for i, w := range want {
		assert.Equal(t, w.id, got[i].GUID)
		assert.Equal(t, w.status, got[i].Status, "%d: %s", i, got[i].Detail)
		assert.True(t, strings.HasPrefix(got[i].Detail, w.says) && (w.says == "") == (got[i].Detail == ""), got[i].Detail)
	}
	assert.Equal(t, dcvix.AgentRegistered, agentOf(t, s, ids[1]).State)
	assert.Equal(t, dcvix.AgentRegistered, agentOf(t, s, held.guid).State, "nobody was replaced")
	all := records(t, audit)[before:]
	outcomes := map[session.AuditOutcome]int{}
	for _, r := range all {
		if r.Action == session.AuditAgentApprove {
			outcomes[r.Outcome]++
			assert.Equal(t, "root", r.Actor)
		}
	}
	assert.Equal(t, map[session.AuditOutcome]int{session.AuditOK: 2, session.AuditRefused: 6}, outcomes, "one each, but for what is no GUID")
}

func TestOfAgentsWithOneNameTheFirstInTheCallGetsIt(t *testing.T) {
	s := directorapitest.NewServer(t)
	admin := s.AdminClient()
	for round := range 20 {
		name := fmt.Sprintf("ws%d", round)
		ids := waiting(t, s, name, name, name)
		ids[0], ids[2] = ids[2], ids[0]
		got, err := admin.ApproveMany(t.Context(), ids)
		require.NoError(t, err)
		require.Equal(t, []int{200, 409, 409}, []int{got[0].Status, got[1].Status, got[2].Status}, "round %d", round)
	}
	assert.Len(t, s.Broker.Agents(dcvix.AgentRegistered), 20)
}

func TestAThousandApprovalsInOneCall(t *testing.T) {
	s, audit, _ := audited(t)
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("ws%d", i)
	}
	ids := waiting(t, s, names...)
	got, err := s.AdminClient().ApproveMany(t.Context(), ids)
	require.NoError(t, err)
	for i, r := range got {
		require.Equal(t, dcvix.ApproveResult{GUID: ids[i], Status: 200}, r)
	}
	targets := map[string]bool{}
	for _, r := range records(t, audit) {
		if r.Action == session.AuditAgentApprove && r.Outcome == session.AuditOK {
			targets[r.Target] = true
		}
	}
	assert.Len(t, targets, 1000)
}

func TestACallNames1To10000Agents(t *testing.T) {
	s := directorapitest.NewServer(t)
	admin := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	for n, want := range map[int]int{0: 400, 1: 200, 10_000: 200, 10_001: 400} {
		ids := make([]dcvix.AgentID, n)
		for i := range ids {
			ids[i] = sessiontest.NewAgentID()
		}
		r := admin.post(t, dcvix.PathAdminAgentsApprove, dcvix.ApproveManyRequest{GUIDs: ids})
		assert.Equal(t, want, r.status, "%d agents", n)
		if want == 400 {
			assert.Equal(t, "The request names 1 to 10000 agents.", r.body)
		}
	}
	assert.Equal(t, 400, admin.send(t, "POST", dcvix.PathAdminAgentsApprove, nil).status, "no body")
}

func TestAnApprovalAmongManyThatIsNotOnRecordIsAFailure(t *testing.T) {
	s, audit, _ := audited(t)
	admin := s.AdminClient()
	ids := waiting(t, s, "ws1", "ws2")
	audit.Fail(errors.New("the disk is full at /secret/path"))
	got, err := admin.ApproveMany(t.Context(), ids)
	require.NoError(t, err)
	for _, r := range got {
		assert.Equal(t, 500, r.Status)
		assert.Equal(t, "The director could not put this on record: its log says why, under the request id.", r.Detail)
	}
}

// A panicking audit is a fault of the director's own.
type panicking struct{ sessiontest.AuditLog }

func (p *panicking) Append(ctx context.Context, r session.AuditRecord) error {
	if r.Action == session.AuditAgentApprove {
		panic("a fault")
	}
	return p.AuditLog.Append(ctx, r)
}

func TestAFaultInOneApprovalOfManyDoesNotEndTheDirector(t *testing.T) {
	s := directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) { c.Audit = new(panicking) }))
	got, err := s.AdminClient().ApproveMany(t.Context(), waiting(t, s, "ws1", "ws2"))
	require.NoError(t, err)
	assert.Equal(t, []int{500, 500}, []int{got[0].Status, got[1].Status})
}

func TestATakenNameShowsBothAgentsToTheAdmin(t *testing.T) {
	s := directorapitest.NewServer(t)
	held, asks := approved(t, s, "ws1"), newHost(t, s, "ws1")
	require.Equal(t, http.StatusOK, held.report(t).status)
	asks.register(t)
	fingerprint := func(h *host) string {
		key, err := ca.KeyFingerprint(h.key.Public())
		require.NoError(t, err)
		return key.String()
	}
	form := "2006-01-02 15:04 MST"
	want := fmt.Sprintf("The registered agent ws1 has this name (key %s, last seen %s), and this one is another (key %s, never seen, known since %s): "+
		"compare both, then approve with replace, or revoke one.",
		fingerprint(held), agentOf(t, s, held.guid).LastSeenAt.Format(form), fingerprint(asks), agentOf(t, s, asks.guid).CreatedAt.Format(form))
	admin := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	path := dcvix.Path(dcvix.PathAdminAgentApprove, string(asks.guid))

	plain := admin.post(t, path, nil)
	assert.Equal(t, http.StatusConflict, plain.status)
	assert.Equal(t, want, plain.body)

	err := s.AdminClient().Approve(t.Context(), asks.guid, dcvix.ApproveRequest{})
	assert.EqualError(t, err, want, "as a problem, whole")
	var refusal *dcvix.Error
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, dcvix.CodeConflict, refusal.Code)
}

func TestDenialsAreListedAndForgotten(t *testing.T) {
	var asked atomic.Int64 // how often; each time a second has gone
	begin := time.Now()
	s, audit, _ := audited(t, directorapitest.WithBroker(func(c *session.Config) {
		c.Now = func() time.Time { return begin.Add(time.Duration(asked.Add(1)) * time.Second) }
	}))
	admin := s.AdminClient()
	first, second := newHost(t, s, "ws1"), newHost(t, s, "ws2")
	for _, h := range []*host{first, second} {
		h.register(t)
		require.NoError(t, admin.Deny(t.Context(), h.guid))
	}
	caller := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)

	var denials []dcvix.Denial
	caller.get(t, dcvix.PathAdminDenials).json(t, &denials)
	require.Len(t, denials, 2)
	assert.Equal(t, []dcvix.AgentID{second.guid, first.guid}, []dcvix.AgentID{denials[0].GUID, denials[1].GUID})
	key, err := ca.KeyFingerprint(second.key.Public())
	require.NoError(t, err)
	assert.Equal(t, key.String(), denials[0].Fingerprint)
	assert.WithinDuration(t, time.Now(), denials[0].DeniedAt.Time, time.Hour)

	r := caller.send(t, http.MethodDelete, dcvix.Path(dcvix.PathAdminDenial, string(first.guid)), nil)
	assert.Equal(t, http.StatusOK, r.status)
	got := last(t, audit, r)
	assert.Equal(t, "agent.forget-denial ok by admin root", said(got))
	assert.Equal(t, string(first.guid), got.Target)
	assert.Contains(t, got.Old, "denied with key ")
	for _, id := range []string{string(first.guid), string(sessiontest.NewAgentID()), "x"} {
		assert.Equal(t, http.StatusNotFound, caller.send(t, http.MethodDelete, dcvix.Path(dcvix.PathAdminDenial, id), nil).status)
	}
	first.register(t)
	assert.Equal(t, dcvix.AgentPending, agentOf(t, s, first.guid).State, "it may ask again")
	left, err := admin.Denials(t.Context())
	require.NoError(t, err)
	assert.Len(t, left, 1)
}
