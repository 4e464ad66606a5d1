package agentclient_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/directorapi/standalone"
)

// A site is a real director with its folder and its SQLite file, in a bubble.
type site struct {
	t      *testing.T
	dir    string
	log    *logbook
	months bool // see newSiteForMonths

	mu     sync.Mutex // guards what follows
	ln     *listener
	server *standalone.Server
	end    func()
}

func newSite(t *testing.T) *site { return makeSite(t, false) }

// newSiteForMonths returns a director that does not look at its policy files and
// certificates every few seconds: a month of that takes long.
func newSiteForMonths(t *testing.T) *site { return makeSite(t, true) }

func makeSite(t *testing.T, months bool) *site {
	s := &site{t: t, dir: t.TempDir(), log: &logbook{}, months: months}
	policy := filepath.Join(s.dir, standalone.PolicyFolder)
	require.NoError(t, os.MkdirAll(policy, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(policy, "users.json"), []byte(`[{"id":"root","admin":true}]`), 0o600))
	s.start()
	t.Cleanup(s.stop)
	return s
}

// start opens the director that is in the folder, or makes one.
func (s *site) start() {
	server, err := standalone.Open(s.t.Context(), s.dir, standalone.Options{
		Authenticator: authtest.Static{Passwords: map[dcvix.Username]auth.Secret{"root": "secret"}},
		Names:         []string{directorName},
		Pages:         fstest.MapFS{"index.html": {}},
		Logger:        slog.New(slog.NewTextHandler(io.MultiWriter(s.log, s.t.Output()), nil)),
	})
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	ln := newListener()
	var running sync.WaitGroup
	if s.months {
		running.Go(func() { assert.NoError(s.t, server.Broker().Run(ctx)) })
		running.Go(func() { assert.NoError(s.t, server.Server.Run(ctx)) })
	} else {
		running.Go(func() { assert.NoError(s.t, server.Run(ctx)) })
	}
	running.Go(func() { assert.NoError(s.t, server.Serve(ctx, ln, server)) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.server, s.ln = server, ln
	s.end = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		assert.NoError(s.t, server.Close())
	})
}

func (s *site) stop() {
	s.mu.Lock()
	end := s.end
	s.mu.Unlock()
	end()
}

// lose removes files of the stopped director; a pattern matches none or many.
func (s *site) lose(patterns ...string) {
	s.t.Helper()
	removeAll(s.t, s.dir, patterns...)
}

func removeAll(t *testing.T, dir string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		found, err := filepath.Glob(filepath.Join(dir, p))
		require.NoError(t, err)
		require.NotEmpty(t, found, p)
		for _, file := range found {
			require.NoError(t, os.Remove(file))
		}
	}
}

func (s *site) dial(ctx context.Context, network, address string) (net.Conn, error) {
	s.mu.Lock()
	ln := s.ln
	s.mu.Unlock()
	return ln.Dial(ctx, network, address)
}

func (s *site) fingerprint() string { return ca.FingerprintOf(s.server.CA().Certificate()).String() }

// admin returns a client that is logged in as an admin, to be closed.
func (s *site) admin() (admin *client.Client, done func()) {
	s.t.Helper()
	c, err := client.New(client.Config{URL: "https://" + directorName, Transport: &http.Transport{
		DialContext: s.dial, TLSClientConfig: &tls.Config{RootCAs: s.server.CA().Pool()},
	}})
	require.NoError(s.t, err)
	require.NoError(s.t, c.AdminLogin(s.t.Context(), dcvix.LoginRequest{UserID: "root", Password: "secret"}))
	return c, c.Close
}

// agents returns the register as an admin sees it, all of it for "".
func (s *site) agents(state dcvix.AgentState) []dcvix.Agent {
	s.t.Helper()
	admin, done := s.admin()
	defer done()
	agents, err := admin.Agents(s.t.Context(), state)
	require.NoError(s.t, err)
	return agents
}

// approveAll approves the agents that wait, in one call; it returns how many.
func (s *site) approveAll() int {
	s.t.Helper()
	admin, done := s.admin()
	defer done()
	waiting, err := admin.Agents(s.t.Context(), dcvix.AgentPending)
	require.NoError(s.t, err)
	ids := make([]dcvix.AgentID, 0, len(waiting))
	for _, a := range waiting {
		ids = append(ids, a.GUID)
	}
	results, err := admin.ApproveMany(s.t.Context(), ids)
	require.NoError(s.t, err)
	for _, r := range results {
		require.Equal(s.t, http.StatusOK, r.Status, r.Detail)
	}
	return len(results)
}

// host starts an agent of that name, which nobody has approved yet. It reports
// seldom: a report is a handshake.
func (s *site) host(name string, change func(*agentclient.Config)) *host {
	s.t.Helper()
	h := newHost(s.t, nil, func(c *agentclient.Config) {
		c.Hostname, c.UpdateInterval = name, time.Hour
		if s.months {
			c.UpdateInterval = 12 * time.Hour
		}
		c.AgentPort = 1025 // where nobody listens outside the bubble
	})
	h.cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if h.off.Load() {
			return nil, errNoNetwork
		}
		return s.dial(ctx, network, address)
	}
	if change != nil {
		change(&h.cfg)
	}
	return h.start()
}

// enrolled starts agents of these names and has an admin approve them.
func (s *site) enrolled(names ...string) []*host {
	s.t.Helper()
	hosts := make([]*host, 0, len(names))
	for _, name := range names {
		hosts = append(hosts, s.host(name, nil))
	}
	synctest.Wait()
	require.Equal(s.t, len(names), s.approveAll())
	time.Sleep(30 * time.Second)
	for _, h := range hosts {
		require.Equal(s.t, agentclient.Enrolled, h.Status().State, "seen within 30 s: %s", h.log)
		require.NotZero(s.t, h.Status().LastReport)
	}
	return hosts
}

// stopAll ends agents and then the director.
func (s *site) stopAll(hosts ...*host) {
	for _, h := range hosts {
		h.stop()
	}
	s.stop()
}

// entry returns what the register says of an agent.
func (s *site) entry(id dcvix.AgentID) dcvix.Agent {
	s.t.Helper()
	for _, a := range s.agents("") {
		if a.GUID == id {
			return a
		}
	}
	s.t.Fatalf("the director does not know %s", id)
	return dcvix.Agent{}
}
