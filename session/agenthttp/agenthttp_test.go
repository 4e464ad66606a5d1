package agenthttp_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/agenthttp"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// A host is an agent's end: an HTTPS server that wants the director's certificate.
type host struct {
	*httptest.Server
	agent session.Agent
	conns atomic.Int32 // opened so far
}

// newHost starts an agent that answers with handle; its recorded name resolves to
// loopback everywhere.
func newHost(t *testing.T, a *ca.Authority, name dcvix.Hostname, handle http.HandlerFunc) *host {
	t.Helper()
	id := sessiontest.NewAgentID()
	pair := catest.Issue(t, a, dcvix.AgentCommonName+string(id), string(name))
	h := &host{agent: session.Agent{ID: id, Hostname: name, KeyHash: sha256.Sum256(pair.Leaf.RawSubjectPublicKeyInfo)}}
	h.serve(t, a, pair, handle)
	return h
}

func (h *host) serve(t *testing.T, a *ca.Authority, pair tls.Certificate, handle http.HandlerFunc) {
	t.Helper()
	h.Server = httptest.NewUnstartedServer(handle)
	h.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.Pool()}
	h.Config.ErrorLog = log.New(io.Discard, "", 0)
	h.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			h.conns.Add(1)
		}
	}
	h.StartTLS()
	t.Cleanup(h.Close)
	_, port, err := net.SplitHostPort(h.Listener.Addr().String())
	require.NoError(t, err)
	h.agent.Port, err = strconv.Atoi(port)
	require.NoError(t, err)
}

func newCaller(t *testing.T, a *ca.Authority, change ...func(*agenthttp.Config)) *agenthttp.Caller {
	t.Helper()
	cfg := agenthttp.Config{TLS: &tls.Config{
		RootCAs: a.Pool(), Certificates: []tls.Certificate{catest.Issue(t, a, dcvix.DirectorCommonName, "localhost")},
	}}
	for _, c := range change {
		c(&cfg)
	}
	c, err := agenthttp.New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestNewNeedsToKnowWhomToTrust(t *testing.T) {
	for _, cfg := range []agenthttp.Config{{}, {TLS: &tls.Config{}}} {
		_, err := agenthttp.New(cfg)
		require.EqualError(t, err, "agenthttp: Config needs TLS with RootCAs")
	}
}

func TestTheCallsAreThoseOfTheContract(t *testing.T) {
	a := catest.New(t)
	var got []string
	h := newHost(t, a, "ws1.localhost", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, strings.TrimSpace(strings.Join([]string{r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), string(body)}, " ")))
		assert.Equal(t, dcvix.DirectorCommonName, r.TLS.PeerCertificates[0].Subject.CommonName)
		assert.True(t, strings.HasPrefix(r.Host, "ws1.localhost:"), r.Host)
		switch {
		case r.URL.Path == dcvix.PathConfig:
			answers(http.StatusOK, "{}")(w, r)
		case r.Method == http.MethodPost:
			answers(http.StatusCreated, `{"sessionID":"s1"}`)(w, r)
		case r.Method == http.MethodGet:
			answers(http.StatusOK, `{"sessions":[{"id":"s1"}],"stats":{"hostname":"ws1"},"tags":["linux"],"future":1}`)(w, r)
		}
	})
	c := newCaller(t, a)

	id, err := c.CreateSession(t.Context(), h.agent, dcvix.AgentCreateSession{UserID: "alice", SessionType: dcvix.SessionVirtual, SessionID: "s1"})
	require.NoError(t, err)
	assert.Equal(t, dcvix.SessionID("s1"), id)
	update, err := c.Report(t.Context(), h.agent)
	require.NoError(t, err)
	assert.Equal(t, []string{"linux"}, update.Tags)
	assert.Equal(t, dcvix.SessionID("s1"), update.Sessions[0].ID)
	require.NoError(t, c.CloseSession(t.Context(), h.agent, "alice", "s1"))
	require.NoError(t, c.SetConfig(t.Context(), h.agent, []dcvix.Setting{{Section: "display", Key: "quality", Value: "(30, 80)"}}))

	assert.Equal(t, []string{
		`POST /v1/sessions application/json {"userId":"alice","sessionType":"virtual","sessionId":"s1"}`,
		`GET /v1/stats`, `DELETE /v1/sessions/s1?owner=alice`,
		`POST /v1/config application/json {"config":[{"section":"display","key":"quality","value":"(30, 80)"}]}`,
	}, got)
	assert.EqualValues(t, 1, h.conns.Load(), "one connection serves them all")
}

func TestOnlyTheAgentItselfIsTalkedTo(t *testing.T) {
	a := catest.New(t)
	id := sessiontest.NewAgentID()
	right := catest.Issue(t, a, dcvix.AgentCommonName+string(id), "ws1.localhost")
	tests := map[string]struct {
		pair tls.Certificate
		says string
	}{
		"another key under the same id": {catest.Issue(t, a, dcvix.AgentCommonName+string(id), "ws1.localhost"), "another key than the pinned one"},
		"another agent with that name":  {catest.Issue(t, a, dcvix.AgentCommonName+string(sessiontest.NewAgentID()), "ws1.localhost"), "answers for the agent of ws1.localhost"},
		"the director":                  {catest.Issue(t, a, dcvix.DirectorCommonName, "ws1.localhost"), "answers for the agent of ws1.localhost"},
		"another CA":                    {catest.Issue(t, catest.New(t), dcvix.AgentCommonName+string(id), "ws1.localhost"), "certificate"},
		"another host name":             {catest.Issue(t, a, dcvix.AgentCommonName+string(id), "ws2.localhost"), "ws1.localhost"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var called atomic.Bool
			h := &host{agent: session.Agent{ID: id, Hostname: "ws1.localhost", KeyHash: sha256.Sum256(right.Leaf.RawSubjectPublicKeyInfo)}}
			h.serve(t, a, tt.pair, func(http.ResponseWriter, *http.Request) { called.Store(true) })
			trusting := func(c *agenthttp.Config) { c.TLS.InsecureSkipVerify = true } // a config of elsewhere
			for _, c := range []*agenthttp.Caller{newCaller(t, a), newCaller(t, a, trusting)} {
				_, err := c.Report(t.Context(), h.agent)
				require.ErrorIs(t, err, session.ErrAgentFailed)
				require.ErrorContains(t, err, tt.says)
				assert.False(t, called.Load(), "not a byte of the request reaches it")
			}
		})
	}
}

func TestARememberedHandshakeIsNoWayAroundThePin(t *testing.T) {
	a := catest.New(t)
	h := newHost(t, a, "ws1.localhost", answers(http.StatusOK, `{}`))
	c := newCaller(t, a, func(c *agenthttp.Config) { c.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(8) })
	_, err := c.Report(t.Context(), h.agent)
	require.NoError(t, err)
	c.Close() // the next call opens a connection anew, and resumes
	changed := h.agent
	changed.KeyHash = session.KeyHash{1}
	_, err = c.Report(t.Context(), changed)
	assert.ErrorContains(t, err, "another key than the pinned one")
}

func TestWhereAnAgentIsLookedFor(t *testing.T) {
	a := catest.New(t)
	nowhere := func(context.Context, string) ([]string, error) { return nil, &net.DNSError{IsNotFound: true} }
	tests := map[string]struct {
		name    dcvix.Hostname
		address string
		lookup  func(context.Context, string) ([]string, error)
		want    []string // dialled hosts, in order; the last one answers unless it fails
		fails   string
	}{
		"where its name leads":                    {"ws1.lab", "192.0.2.9", func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }, []string{"127.0.0.1"}, ""},
		"at the next address of its name":         {"ws1.lab", "", func(context.Context, string) ([]string, error) { return []string{"192.0.2.1", "127.0.0.1"}, nil }, []string{"192.0.2.1", "127.0.0.1"}, ""},
		"where it was heard from, without a name": {"ws1.lab", "127.0.0.1", nowhere, []string{"127.0.0.1"}, ""},
		"nowhere": {"ws1.lab", "", nowhere, nil, "ws1.lab does not resolve and its agent has not been heard from"},
		"on this machine, whatever resolvers know":  {"ws1.localhost", "192.0.2.9", nowhere, []string{"127.0.0.1"}, ""},
		"not where it was heard from, with a name":  {"ws1.lab", "127.0.0.1", func(context.Context, string) ([]string, error) { return []string{"192.0.2.1"}, nil }, []string{"192.0.2.1"}, "unreachable"},
		"an IPv6 address is written with brackets":  {"ws1.lab", "2001:db8::1", nowhere, []string{"2001:db8::1"}, "unreachable"},
		"a name that only looks like localhost":     {"notlocalhost", "", nowhere, nil, "does not resolve"},
		"a resolver that fails is like one without": {"ws1.lab", "127.0.0.1", func(context.Context, string) ([]string, error) { return nil, errors.New("SERVFAIL") }, []string{"127.0.0.1"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, a, tt.name, answers(http.StatusOK, `{}`))
			h.agent.Address = tt.address
			var dialled []string
			c := newCaller(t, a, func(c *agenthttp.Config) {
				c.Lookup = tt.lookup
				c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
					ip, port, err := net.SplitHostPort(address)
					assert.NoError(t, err)
					assert.Equal(t, strconv.Itoa(h.agent.Port), port)
					dialled = append(dialled, ip)
					if ip != "127.0.0.1" {
						return nil, errors.New("unreachable")
					}
					return new(net.Dialer).DialContext(ctx, network, address)
				}
			})
			_, err := c.Report(t.Context(), h.agent)
			assert.Equal(t, tt.want, dialled)
			if tt.fails != "" {
				require.ErrorIs(t, err, session.ErrAgentFailed)
				require.ErrorContains(t, err, tt.fails)
				return
			}
			require.NoError(t, err)
		})
	}
}

func TestAnAgentThatDoesNotSayItsPort(t *testing.T) {
	a := catest.New(t)
	for port, want := range map[int]string{0: "127.0.0.1:8446", 9999: "127.0.0.1:9999"} {
		var dialled []string
		c := newCaller(t, a, func(c *agenthttp.Config) {
			c.Port = port
			c.Lookup = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
			c.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
				dialled = append(dialled, address)
				return nil, errors.New("unreachable")
			}
		})
		_, err := c.Report(t.Context(), session.Agent{ID: "a1", Hostname: "ws1.lab"})
		require.ErrorContains(t, err, "unreachable")
		assert.Equal(t, []string{want}, dialled)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	huge := `{"tags":["` + strings.Repeat("a", 5<<20) + `"]}`
	tests := map[string]http.HandlerFunc{
		"no JSON":         answers(http.StatusOK, "<html>"),
		"an empty body":   answers(http.StatusOK, ""),
		"another shape":   answers(http.StatusOK, `[]`),
		"more than 4 MiB": answers(http.StatusOK, huge),
		"an error":        answers(http.StatusInternalServerError, "dcv: no licence"),
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example/", http.StatusFound)
		},
		"nothing there":            answers(http.StatusNotFound, ""),
		"a connection that is cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"half a body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"tags":`)
		},
		"a session id that is none": answers(http.StatusCreated, `{"sessionID":"../x"}`),
		"no session id":             answers(http.StatusCreated, `{}`),
	}
	a := catest.New(t)
	for name, handle := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, a, "ws1.localhost", handle)
			c := newCaller(t, a)
			_, err := c.CreateSession(t.Context(), h.agent, dcvix.AgentCreateSession{UserID: "alice", SessionType: dcvix.SessionVirtual, SessionID: "s1"})
			require.ErrorIs(t, err, session.ErrAgentFailed)
			require.NotErrorIs(t, err, session.ErrNotFound, "a creation is never not found: that is said of hosts")
			assert.Less(t, len(err.Error()), 2000)
			if strings.Contains(name, "session id") {
				return
			}
			_, err = c.Report(t.Context(), h.agent)
			require.ErrorIs(t, err, session.ErrAgentFailed)
		})
	}
}

func TestASessionThatTheHostDoesNotHave(t *testing.T) {
	a := catest.New(t)
	h := newHost(t, a, "ws1.localhost", answers(http.StatusNotFound, "no such session"))
	require.ErrorIs(t, newCaller(t, a).CloseSession(t.Context(), h.agent, "alice", "s1"), session.ErrNotFound)
	failing := newHost(t, a, "ws1.localhost", answers(http.StatusInternalServerError, "dcv failed"))
	err := newCaller(t, a).CloseSession(t.Context(), failing.agent, "alice", "s1")
	require.ErrorIs(t, err, session.ErrAgentFailed)
	assert.ErrorContains(t, err, `status 500: "dcv failed"`)
}

func TestAHostThatSwallowsEverythingCostsOnlyItsTime(t *testing.T) {
	a := catest.New(t)
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts, says nothing
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, silent.Close()) })
	_, port, err := net.SplitHostPort(silent.Addr().String())
	require.NoError(t, err)
	mute := session.Agent{ID: "a1", Hostname: "ws1.localhost"}
	mute.Port, err = strconv.Atoi(port)
	require.NoError(t, err)
	over := make(chan struct{})
	slow := newHost(t, a, "ws2.localhost", func(http.ResponseWriter, *http.Request) { <-over })
	half := newHost(t, a, "ws3.localhost", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "{}")
		_ = http.NewResponseController(w).Flush()
		<-over // not until the caller has left: then the answer would be a whole one
	})
	t.Cleanup(func() { close(over) })
	deaf := func(c *agenthttp.Config) {
		c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	}
	for name, tt := range map[string]struct {
		agent session.Agent
		how   func(*agenthttp.Config)
	}{
		"no answer to a connection": {mute, deaf},
		"none to a handshake":       {mute, func(*agenthttp.Config) {}},
		"none to a request":         {slow.agent, func(*agenthttp.Config) {}},
		"half a one":                {half.agent, func(*agenthttp.Config) {}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCaller(t, a, tt.how)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			begun := time.Now()
			_, err := c.Report(ctx, tt.agent)
			require.ErrorIs(t, err, session.ErrAgentTimeout)
			assert.Less(t, time.Since(begun), 5*time.Second)
		})
	}
}

func TestACallerThatLeavesDoesNotBlameTheAgent(t *testing.T) {
	a := catest.New(t)
	ctx, leave := context.WithCancel(t.Context())
	h := newHost(t, a, "ws1.localhost", func(_ http.ResponseWriter, r *http.Request) {
		leave()
		<-r.Context().Done()
	})
	_, err := newCaller(t, a).Report(ctx, h.agent)
	require.ErrorIs(t, err, session.ErrAgentTimeout)
	require.NotErrorIs(t, err, session.ErrAgentFailed)
	assert.ErrorIs(t, err, context.Canceled)
}

// Two agents of one name, as when a host was reinstalled and replaced.
func TestTheConnectionOfOneAgentIsNeverUsedForAnother(t *testing.T) {
	a := catest.New(t)
	says := func(tag string) http.HandlerFunc { return answers(http.StatusOK, `{"tags":["`+tag+`"]}`) }
	old, now := newHost(t, a, "ws1.localhost", says("old")), newHost(t, a, "ws1.localhost", says("new"))
	c := newCaller(t, a)
	for range 3 {
		for tag, h := range map[string]*host{"old": old, "new": now} {
			update, err := c.Report(t.Context(), h.agent)
			require.NoError(t, err)
			assert.Equal(t, []string{tag}, update.Tags)
		}
	}
	assert.EqualValues(t, 1, old.conns.Load(), "each keeps its own")
	assert.EqualValues(t, 1, now.conns.Load())
	impostor := now.agent // the old host's port under the new one's identity
	impostor.ID, impostor.Port = sessiontest.NewAgentID(), old.agent.Port
	_, err := c.Report(t.Context(), impostor)
	assert.ErrorIs(t, err, session.ErrAgentFailed)
}
