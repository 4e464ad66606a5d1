package directorapi_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
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

func kindsOf(o dcvix.Overview) []string {
	var kinds []string
	for _, a := range o.Attention {
		kinds = append(kinds, a.Kind)
	}
	return kinds
}

// The console's first page counts on lists that are empty and not null.
func TestWhereNothingNeedsAPersonTheListsAreEmpty(t *testing.T) {
	l := newListed(t, 1)
	l.Policy.Set(t, `[{"id":"root","admin":true}]`, `[]`)
	r := l.get(t, dcvix.PathAdminOverview)
	require.Equal(t, http.StatusOK, r.status, r.body)
	for _, list := range []string{"attention", "certificates", "licences"} {
		assert.Contains(t, r.body, `"`+list+`":[]`)
	}
}

func TestTheOverviewIsOneAnswerWithATag(t *testing.T) {
	l := newListed(t, 3)
	l.Policy.Set(t, `[{"id":"root","admin":true}]`, `[{"id":"cad","workstations":["ws0","ws1","ws9"]}]`)
	first := l.get(t, dcvix.PathAdminOverview)
	require.Equal(t, http.StatusOK, first.status, first.body)
	var o dcvix.Overview
	first.json(t, &o)
	assert.Equal(t, dcvix.Version, o.Version)
	assert.Equal(t, ca.FingerprintOf(l.CA.Certificate()).String(), o.CA.Fingerprint)
	assert.WithinDuration(t, l.CA.Certificate().NotAfter, o.CA.EndsAt.Time, 0)
	assert.Equal(t, dcvix.HostCounts{Total: 3, Ready: 3}, o.Hosts)
	assert.Equal(t, &dcvix.PoolUse{ID: "cad", Hosts: 3, Used: 2, Free: 2}, o.BusiestPool, "an automatic console makes room")
	assert.Equal(t, []string{"policy-problems"}, kindsOf(o))
	assert.Equal(t, 1, o.AttentionTotal)
	for range 5 {
		again := l.get(t, dcvix.PathAdminOverview, "If-None-Match", first.header.Get("Etag"))
		if again.status == http.StatusOK { // a quarter of an hour ended meanwhile
			var later dcvix.Overview
			again.json(t, &later)
			require.NotEqual(t, o.History.Begin, later.History.Begin, again.body)
			return
		}
		assert.Equal(t, http.StatusNotModified, again.status)
	}
	require.NoError(t, l.Broker.Drain(t.Context(), session.Actor{User: "root", Admin: true}, "ws2", ""))
	changed := l.get(t, dcvix.PathAdminOverview, "If-None-Match", first.header.Get("Etag"))
	require.Equal(t, http.StatusOK, changed.status)
	changed.json(t, &o)
	assert.Equal(t, 1, o.Hosts.Drained)
}

func TestTheMostPressingComesFirst(t *testing.T) {
	s := directorapitest.NewServer(t)
	s.Policy.Set(t, `[{"id":"root","admin":true},{"id":"alice","workstations":["nowhere"]}]`, "")
	held := sessiontest.Join(t, s.Broker, "ws1")
	_, err := s.Broker.Register(t.Context(), session.Registration{ID: held.ID, KeyHash: session.KeyHash{7}, Hostname: "ws1"})
	require.ErrorIs(t, err, session.ErrKeyMismatch)
	key := session.KeyHash{1, 2, 3}
	for _, name := range []dcvix.Hostname{"late", "early"} {
		_, err := s.Broker.Register(t.Context(), session.Registration{ID: sessiontest.NewAgentID(), KeyHash: key, Hostname: name})
		require.ErrorIs(t, err, session.ErrPending)
		time.Sleep(2 * time.Millisecond) // so that they are not of one millisecond
	}
	licensed := sessiontest.Join(t, s.Broker, "ws2")
	require.NoError(t, s.Broker.Report(t.Context(), licensed, "127.0.0.1", dcvix.AgentUpdate{
		Stats: dcvix.Stats{Hostname: "ws2"}, Licence: &dcvix.Licence{Products: []dcvix.LicensedProduct{{Product: "dcv", ExpiresAt: dcvix.Time{Time: time.Now()}}}},
	}))
	admin := s.AdminClient()
	o, err := admin.Overview(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"key-conflict", "licence-ends", "agent-pending", "agent-pending", "host-offline", "policy-problems"}, kindsOf(o))
	var severities []dcvix.Severity
	for _, a := range o.Attention {
		severities = append(severities, a.Severity)
	}
	assert.Equal(t, []dcvix.Severity{"critical", "critical", "warning", "warning", "warning", "warning"}, severities, "a licence that has ended presses more than an agent that waits")
	assert.Equal(t, ca.Fingerprint(held.KeyHash).String(), o.Attention[0].Fingerprint, "the key on record")
	assert.Equal(t, dcvix.Hostname("late"), o.Attention[2].ServerID, "it has waited for the longest")
	assert.Equal(t, ca.Fingerprint(key).String(), o.Attention[2].Fingerprint)
	assert.Equal(t, []string{"approve", "deny"}, o.Attention[2].Acts)
	again, err := admin.Overview(t.Context())
	require.NoError(t, err)
	assert.Equal(t, o.Attention, again.Attention)
}

func TestTheAttentionOfAnOverviewIsBounded(t *testing.T) {
	s := directorapitest.NewServer(t)
	for i := range 150 {
		_, err := s.Broker.Register(t.Context(), session.Registration{
			ID: sessiontest.NewAgentID(), KeyHash: session.KeyHash{byte(i)}, Hostname: dcvix.Hostname(fmt.Sprintf("ws%d", i)), Address: fmt.Sprintf("10.0.0.%d", i),
		})
		require.ErrorIs(t, err, session.ErrPending)
	}
	o, err := s.AdminClient().Overview(t.Context())
	require.NoError(t, err)
	assert.Len(t, o.Attention, dcvix.MaxOverview)
	assert.GreaterOrEqual(t, o.AttentionTotal, 150)
	assert.Equal(t, 150, o.Agents.Pending)
}

func TestTheOverviewNamesCertificatesThatEnd(t *testing.T) {
	leaf := &x509.Certificate{Raw: []byte("x"), NotAfter: time.Now().Add(2 * 24 * time.Hour)}
	s, _, ahead := audited(t, directorapitest.WithAPI(func(c *directorapi.Config) {
		c.ServerCertificate = func() *x509.Certificate { return leaf }
	}))
	h := approved(t, s, "ws1")
	h.report(t)
	ends := func() []string {
		o, err := s.AdminClient().Overview(t.Context())
		require.NoError(t, err)
		var found []string
		for _, c := range o.Certificates {
			found = append(found, string(c.ServerID))
		}
		assert.Equal(t, len(found), len(slices.DeleteFunc(kindsOf(o), func(k string) bool { return k != "certificate-ends" })))
		return found
	}
	assert.Equal(t, []string{""}, ends(), "that of the director")
	leaf = &x509.Certificate{Raw: []byte("x"), NotAfter: time.Now().Add(20 * 24 * time.Hour)}
	assert.Empty(t, ends())
	ahead.Store(int64(ca.AgentLifetime - 13*time.Hour))
	leaf = &x509.Certificate{Raw: []byte("x"), NotAfter: time.Now().Add(100 * 24 * time.Hour)}
	assert.Empty(t, ends(), "an agent of the 0.1 generation renews in the last day")
	ahead.Store(int64(ca.AgentLifetime - 11*time.Hour))
	assert.Equal(t, []string{"ws1"}, ends())
	ahead.Store(int64(time.Until(s.CA.Certificate().NotAfter) - 20*24*time.Hour))
	o, err := s.AdminClient().Overview(t.Context())
	require.NoError(t, err)
	assert.Contains(t, kindsOf(o), "ca-ends")
}

func TestOfTheCertificatesOfAnAgentTheOneThatLastsLongestCounts(t *testing.T) {
	now := time.Now()
	assert.Equal(t, now.Add(2), directorapi.CertificateEnd(now, now.Add(2), now.Add(1)))
}

func TestTheCertificateOfARevokedAgentIsForgotten(t *testing.T) {
	s, _, ahead := audited(t)
	h := approved(t, s, "ws1")
	require.Equal(t, http.StatusOK, h.report(t).status)
	require.Equal(t, 1, s.API.RememberedCertificates())
	require.NoError(t, s.Broker.Revoke(t.Context(), h.guid))
	ahead.Store(int64(ca.AgentLifetime))
	o, err := s.AdminClient().Overview(t.Context())
	require.NoError(t, err)
	assert.Empty(t, o.Certificates)
	assert.Zero(t, s.API.RememberedCertificates())
}

func TestTheOverviewTellsOfAnAuditThatCannotBeWritten(t *testing.T) {
	s, audit, _ := audited(t)
	admin := s.AdminClient()
	troubled := func() bool {
		o, err := admin.Overview(t.Context())
		require.NoError(t, err)
		return slices.Contains(kindsOf(o), "audit-trouble")
	}
	assert.False(t, troubled())
	audit.Fail(errors.New("disk full"))
	require.Error(t, s.Anonymous().AdminLogin(t.Context(), dcvix.LoginRequest{UserID: directorapitest.Root, Password: directorapitest.Password}))
	assert.True(t, troubled())
	audit.Fail(nil)
	s.AdminClient()
	assert.False(t, troubled())
}
