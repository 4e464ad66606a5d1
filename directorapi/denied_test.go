package directorapi_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/memory"
)

// retries lets a host ask again and says whether that made an entry.
func (h *host) retries(t *testing.T, c *caller) bool {
	t.Helper()
	r := c.post(t, dcvix.PathAgentRegister, dcvix.RegisterRequest{CSR: h.csr(t), GUID: h.guid, Hostname: h.name})
	require.Equal(t, http.StatusForbidden, r.status, r.body)
	require.JSONEq(t, `{"error":"pending approval"}`, r.body, "it hears what it heard before")
	_, known := h.director.Broker.Agent(h.guid)
	return known
}

// An agent of the 0.1 generation asks every minute, one of ours every 30 s.
func TestADeniedAgentThatRetriesForAnHourMakesNoEntryAndNoRecord(t *testing.T) {
	clock := new(atomic.Int64)
	clock.Store(time.Now().UnixNano())
	store := new(memory.Store)
	s, audit, _ := audited(t, directorapitest.WithBroker(func(c *session.Config) {
		c.Store, c.Now = store, func() time.Time { return time.Unix(0, clock.Load()) }
	}))
	h := newHost(t, s, "ws1")
	require.Equal(t, http.StatusForbidden, h.register(t).status)
	require.NoError(t, s.AdminClient().Deny(t.Context(), h.guid))
	c, lines, ask := keptOpen(s), len(records(t, audit)), 30*time.Second

	for range time.Hour / ask {
		clock.Add(int64(ask))
		require.False(t, h.retries(t, c))
	}
	stored, err := store.Agents(t.Context())
	require.NoError(t, err)
	assert.Empty(t, stored)
	assert.Len(t, records(t, audit), lines, "who waits changes nothing")
	thief := h.withKey(newKey(t))
	assert.True(t, thief.retries(t, c), "the denial is of a GUID and a key: another key is another agent")
	require.NoError(t, s.AdminClient().Deny(t.Context(), h.guid))

	clock.Add(int64(24*time.Hour - time.Second))
	assert.False(t, thief.retries(t, c))
	clock.Add(int64(time.Second))
	assert.True(t, thief.retries(t, c), "a day is over")
}

func TestAThousandAndOneDenialsLetGoOfTheOldest(t *testing.T) {
	clock := new(atomic.Int64)
	clock.Store(time.Now().UnixNano())
	store := new(memory.Store)
	s := directorapitest.NewServer(t, directorapitest.WithBroker(func(c *session.Config) {
		c.Store, c.PendingPerAddress, c.Now = store, 2000, func() time.Time { return time.Unix(0, clock.Load()) }
	}))
	c, admin, client := newCrowd(t, s, 1001, ""), s.AdminClient(), keptOpen(s).http
	retries := func(i int) (known bool) {
		answer, err := send(t.Context(), client, s.URL, c.bodies[i])
		require.NoError(t, err)
		require.Equal(t, http.StatusForbidden, answer.status)
		_, known = s.Broker.Agent(c.hosts[i].guid)
		return known
	}
	for i, h := range c.hosts {
		clock.Add(int64(time.Second))
		require.True(t, retries(i))
		require.NoError(t, admin.Deny(t.Context(), h.guid))
	}

	remembered, err := store.Denials(t.Context())
	require.NoError(t, err)
	assert.Len(t, remembered, 1000)
	for i := 1; i < len(c.hosts); i++ {
		require.False(t, retries(i))
	}
	assert.True(t, retries(0))
}
