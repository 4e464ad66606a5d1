package directorapi_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/memory"
)

// keptOpen is a caller that uses its connections again.
func keptOpen(s *directorapitest.Server) *caller {
	return &caller{director: s, http: &http.Client{Transport: &http.Transport{TLSClientConfig: s.TLS(), MaxIdleConnsPerHost: 64}}}
}

// A crowd is many hosts whose requests are ready to be sent.
type crowd struct {
	director *directorapitest.Server
	hosts    []*host
	bodies   [][]byte
}

// newCrowd makes the keys of n hosts, half of them Ed25519 and half P-256, with
// all processors.
func newCrowd(t *testing.T, s *directorapitest.Server, n int, token string) *crowd {
	t.Helper()
	c := &crowd{director: s, hosts: make([]*host, n), bodies: make([][]byte, n)}
	var group errgroup.Group
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() (err error) {
			h := &host{director: s, guid: dcvix.AgentID(uuid.NewString()), name: fmt.Sprintf("ws%d.lab", i)}
			if _, h.key, err = ed25519.GenerateKey(rand.Reader); i%2 == 0 {
				h.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			}
			if err != nil {
				return err
			}
			csr, err := ca.NewCSR(h.key, ca.Identity{CommonName: dcvix.AgentCommonName + string(h.guid)})
			if err != nil {
				return err
			}
			c.hosts[i] = h
			c.bodies[i], err = json.Marshal(dcvix.RegisterRequest{CSR: csr, GUID: h.guid, Hostname: h.name, RegistrationToken: token})
			return err
		})
	}
	require.NoError(t, group.Wait())
	return c
}

// A told is what one of the crowd heard.
type told struct {
	status     int
	retryAfter string
	body       []byte
}

// register sends all requests at once, each over a connection of its own, or all
// over a few that are kept.
func (c *crowd) register(t *testing.T, own bool) []told {
	t.Helper()
	answers, begin := make([]told, len(c.hosts)), make(chan struct{})
	shared := keptOpen(c.director).http
	defer shared.CloseIdleConnections()
	group, ctx := errgroup.WithContext(t.Context())
	if !own {
		group.SetLimit(64)
		close(begin)
	}
	for i, body := range c.bodies {
		group.Go(func() (err error) {
			if !own {
				answers[i], err = send(ctx, shared, c.director.URL, body)
				return err
			}
			client := anybody(c.director).http
			<-begin
			for range 5 { // as agents do: on a busy machine a handshake may take longer than the director waits
				if answers[i], err = send(ctx, client, c.director.URL, body); err == nil {
					return nil
				}
			}
			return err
		})
	}
	if own {
		close(begin)
	}
	require.NoError(t, group.Wait())
	return answers
}

func send(ctx context.Context, client *http.Client, url string, body []byte) (told, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+dcvix.PathAgentRegister, bytes.NewReader(body))
	if err != nil {
		return told{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return told{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return told{resp.StatusCode, resp.Header.Get("Retry-After"), text}, err
}

// count tells how many heard what.
func count(answers []told) map[int]int {
	heard := make(map[int]int)
	for _, a := range answers {
		heard[a.status]++
	}
	return heard
}

// heap is what is in use after what is not was let go of.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what had a finaliser
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// perAgent is a generous bound of what the director holds of an agent, in bytes:
// its entry in the index and in the memory store, its names and its mark as a
// newcomer. About 3 KiB are usual; a connection that is not let go of has more
// than 16.
const perAgent = 12 << 10

// quiet is a director without a log, for many agents from one address.
func quiet(t *testing.T, store session.Store, perAddress int, token string) *directorapitest.Server {
	t.Helper()
	silent := slog.New(slog.DiscardHandler)
	return directorapitest.NewServer(t, directorapitest.WithBroker(func(c *session.Config) {
		c.Store, c.PendingPerAddress, c.RegistrationToken, c.Logger = store, perAddress, token, silent
	}), directorapitest.WithAPI(func(c *directorapi.Config) { c.Logger = silent }))
}

func TestAThousandAgentsAtOnce(t *testing.T) {
	const n = 1000
	store := new(memory.Store)
	s := quiet(t, store, n, "")
	admin := s.AdminClient()
	c := newCrowd(t, s, n, "")
	memoryBefore, running := heap(), runtime.NumGoroutine()

	require.Equal(t, map[int]int{http.StatusForbidden: n}, count(c.register(t, true)), "none is lost")
	inStep(t, s, store, c, dcvix.AgentPending)
	require.Equal(t, map[int]int{http.StatusForbidden: n}, count(c.register(t, false)), "none is doubled")
	inStep(t, s, store, c, dcvix.AgentPending)

	var group errgroup.Group
	group.SetLimit(32)
	for _, h := range c.hosts {
		group.Go(func() error { return admin.Approve(t.Context(), h.guid, dcvix.ApproveRequest{}) })
	}
	require.NoError(t, group.Wait())
	inStep(t, s, store, c, dcvix.AgentRegistered)

	c.fetch(t)
	inStep(t, s, store, c, dcvix.AgentRegistered)

	admin.Close()
	directorapitest.Await(t, "all connections and what served them have ended", func() bool { return runtime.NumGoroutine() <= running })
	grown := int64(heap()) - int64(memoryBefore)
	t.Logf("%d bytes an agent", grown/n)
	assert.Less(t, grown, int64(n*perAgent))
	runtime.KeepAlive(c)
}

// fetch has all registered hosts of the crowd ask for their certificates at once.
func (c *crowd) fetch(t *testing.T) {
	t.Helper()
	answers := c.register(t, true)
	require.Equal(t, map[int]int{http.StatusOK: len(c.hosts)}, count(answers))
	serials := make(map[string]bool)
	for i, a := range answers {
		serials[c.hosts[i].verified(t, a.body)] = true
	}
	assert.Len(t, serials, len(c.hosts), "all serial numbers are different")
}

// inStep checks that index and store hold each of the crowd once, under its own
// name and key.
func inStep(t *testing.T, s *directorapitest.Server, store session.Store, c *crowd, state dcvix.AgentState) {
	t.Helper()
	stored, err := store.Agents(t.Context())
	require.NoError(t, err)
	index := make(map[dcvix.AgentID]session.Agent, len(c.hosts))
	for _, a := range s.Broker.Agents("") {
		index[a.ID] = a.Agent
	}
	require.Len(t, stored, len(c.hosts))
	require.Len(t, index, len(c.hosts))
	for _, a := range stored {
		a.LastSeenAt, a.Address = index[a.ID].LastSeenAt, index[a.ID].Address // written some seconds later
		require.Empty(t, cmp.Diff(a, index[a.ID]))
	}
	for _, h := range c.hosts {
		a := index[h.guid]
		key, err := ca.KeyFingerprint(h.key.Public())
		require.NoError(t, err)
		require.Equal(t, state, a.State)
		require.Equal(t, h.name, string(a.Hostname))
		require.Equal(t, key, ca.Fingerprint(a.KeyHash))
	}
}

// verified checks the certificate in an answer and returns its serial number.
func (h *host) verified(t *testing.T, answer []byte) string {
	t.Helper()
	var got dcvix.RegisterResponse
	require.NoError(t, json.Unmarshal(answer, &got))
	chain, err := ca.ParseCerts([]byte(got.Certificate))
	require.NoError(t, err)
	leaf := chain[0]
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: h.name, Roots: h.director.CA.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	require.NoError(t, err)
	require.Equal(t, dcvix.AgentCommonName+string(h.guid), leaf.Subject.CommonName)
	require.Equal(t, []string{h.name}, leaf.DNSNames)
	require.Equal(t, h.key.Public(), leaf.PublicKey)
	return leaf.SerialNumber.Text(16)
}

func TestTwoThousandHostsBehindOneAddress(t *testing.T) {
	const n = 2000
	t.Run("with the token", func(t *testing.T) {
		store := new(memory.Store)
		s := quiet(t, store, 0, "sesame")
		c := newCrowd(t, s, n, "sesame")
		assert.Equal(t, map[int]int{http.StatusForbidden: n}, count(c.register(t, false)))
		inStep(t, s, store, c, dcvix.AgentPending)
	})
	t.Run("without one", func(t *testing.T) {
		store := new(memory.Store)
		s, audit, ahead := audited(t, directorapitest.WithBroker(func(c *session.Config) {
			c.Store, c.Logger = store, slog.New(slog.DiscardHandler)
		}), directorapitest.WithAPI(func(c *directorapi.Config) { c.Logger = slog.New(slog.DiscardHandler) }))
		c := newCrowd(t, s, n, "")
		answers := c.register(t, false)
		assert.Equal(t, map[int]int{http.StatusForbidden: 60, http.StatusTooManyRequests: n - 60}, count(answers))
		for _, a := range answers {
			assert.Equal(t, a.status == http.StatusTooManyRequests, a.retryAfter != "")
		}
		stored, err := store.Agents(t.Context())
		require.NoError(t, err)
		assert.Len(t, stored, 60)
		assert.Len(t, s.Broker.Agents(""), 60)
		require.Len(t, records(t, audit), 61, "60 that were noted, and one line for those that were not")
		ahead.Add(int64(61 * time.Second))
		require.Equal(t, http.StatusTooManyRequests, newHost(t, s, "ws").register(t).status)
		counted := 0
		for _, r := range records(t, audit)[60:] {
			counted += max(1, r.Count)
		}
		assert.Equal(t, n-60, counted, "each is counted; the last one when its minute is over")
	})
}
