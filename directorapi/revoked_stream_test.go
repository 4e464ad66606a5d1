package directorapi_test

import (
	"bytes"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// A stream sends reports as fast as it can over connections that are kept, until
// it is stopped, whatever it hears.
type stream struct {
	accepted, refused atomic.Int64
	late              atomic.Int64 // accepted although they began after the revocation
	revoked           atomic.Bool
	stop              chan struct{}
	running           sync.WaitGroup

	mu    sync.Mutex
	conns []*watchedConn // all that were opened
}

func (h *host) stream(t *testing.T, connections int, sessions ...dcvix.Session) *stream {
	t.Helper()
	s := &stream{stop: make(chan struct{})}
	body := reporting(t, h.name, sessions...)
	for i := range connections {
		c, opened := h.keptAlive(t, []string{"HTTP/1.1", "HTTP/2.0"}[i%2])
		s.running.Go(func() {
			for {
				select {
				case <-s.stop:
					return
				default:
				}
				after := s.revoked.Load()
				resp, err := h.update(t, c, bytes.NewReader(body))
				s.keep(opened)
				switch {
				case err != nil || resp.StatusCode != http.StatusOK:
					s.refused.Add(1)
					time.Sleep(time.Millisecond) // so that it does not run out of ports
				case after:
					s.late.Add(1)
				default:
					s.accepted.Add(1)
				}
			}
		})
	}
	return s
}

func (s *stream) keep(opened <-chan *watchedConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(opened) > 0 {
		s.conns = append(s.conns, <-opened)
	}
}

// The bound is 5 s; what is promised to an admin who waits for the answer is more:
// from then on nothing is accepted or offered any more.
func TestRevocationEndsAllThatAnAgentHasWhileItsReportsStream(t *testing.T) {
	agents := new(sessiontest.FakeAgents)
	s := directorapitest.NewServer(t, directorapitest.WithBroker(func(c *session.Config) { c.Agents = agents }))
	h, other := approved(t, s, "ws1"), approved(t, s, "ws2")
	require.Equal(t, http.StatusOK, other.report(t, dcvix.Session{ID: "s2", Owner: "alice", Type: "virtual"}).status)
	alice := loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice)
	root := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	streaming := h.stream(t, 6, dcvix.Session{ID: "s1", Owner: "alice", Type: "virtual"})
	directorapitest.Await(t, "reports stream", func() bool { return streaming.accepted.Load() > 60 })
	const connect = dcvix.PathUserConnectionToken + "?serverId=ws1&sessionId=s1"
	var token dcvix.ConnectionTokenResponse
	alice.get(t, connect).json(t, &token)
	require.NotEmpty(t, token.Token)
	calls := agents.Calls(h.guid)

	require.NoError(t, s.AdminClient().Revoke(t.Context(), h.guid))
	streaming.revoked.Store(true)

	for range 5 {
		begun := streaming.refused.Load()
		directorapitest.Await(t, "reports are refused", func() bool { return streaming.refused.Load() > begun+20 })
		for _, list := range []reply{alice.get(t, dcvix.PathUserSessions), root.get(t, dcvix.PathSessions), root.get(t, dcvix.PathServers)} {
			require.NotContains(t, list.body, "ws1", "none of its sessions is offered")
			require.Contains(t, list.body, "ws2")
		}
		require.Equal(t, http.StatusForbidden, alice.get(t, connect).status)
		_, _, said := verify(t, s, dcvix.PathAuthTokenVerify, "s1", token.Token)
		require.Equal(t, refusal, said, "a token for it is worth nothing")
		r := alice.post(t, dcvix.PathUserSessions, dcvix.CreateSessionRequest{ServerID: "ws1", SessionType: "virtual"})
		require.GreaterOrEqual(t, r.status, http.StatusForbidden, r.body)
		r = root.send(t, http.MethodDelete, dcvix.Path(dcvix.PathSession, "s1")+"?serverId=ws1", nil)
		require.Equal(t, http.StatusNotFound, r.status, r.body)
	}
	assert.Equal(t, calls, agents.Calls(h.guid), "the director does not talk to it any more")
	assert.Zero(t, streaming.late.Load(), "no report was accepted that began after the answer to the admin")
	close(streaming.stop)
	streaming.running.Wait()
	for _, c := range streaming.conns {
		closedSoon(t, c)
	}
}
