package agentclient_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// caller returns a client that shows itself to the agent as conf says.
func caller(t *testing.T, h *host, conf *tls.Config) *http.Client {
	transport := &http.Transport{TLSClientConfig: conf, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return h.ln.Dial(ctx, network, address)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

type result struct {
	status int
	header http.Header
	body   string
}

// call is a call of the director.
func call(t *testing.T, h *host, method, path, body string) result {
	t.Helper()
	return callAs(t, caller(t, h, callerConf(t, h.director, dcvix.DirectorCommonName, directorName)), method, path, body)
}

func callAs(t *testing.T, client *http.Client, method, path, body string) result {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://ws1.lab.example:8446"+path, strings.NewReader(body))
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	client.CloseIdleConnections()
	return result{status: resp.StatusCode, header: resp.Header, body: string(got)}
}

func TestRoutesAnswerAsTheWireSays(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method, path, body string
		faults             dcvclitest.Faults
		status             int
		want               string // in the body
	}{
		"health":                      {method: "GET", path: "/v1/health", status: 200, want: `{"status":"healthy"}`},
		"sessions":                    {method: "GET", path: "/v1/sessions", status: 200, want: `"id":"old","owner":"ada"`},
		"sessions while DCV is down":  {method: "GET", path: "/v1/sessions", faults: dcvclitest.Faults{Down: true}, status: 500, want: "DCV on this host: list sessions: "},
		"stats":                       {method: "GET", path: "/v1/stats", status: 200, want: `"stats":{"hostname":"ws1.lab.example"`},
		"create":                      {method: "POST", path: "/v1/sessions", body: `{"userId":"bob","sessionType":"virtual","sessionId":"new"}`, status: 201, want: `{"sessionID":"new"}`},
		"create with a capital":       {method: "POST", path: "/v1/sessions", body: `{"userId":"bob","sessionType":"Virtual","sessionId":"new"}`, status: 201, want: `{"sessionID":"new"}`},
		"create what is there":        {method: "POST", path: "/v1/sessions", body: `{"userId":"ada","sessionType":"virtual","sessionId":"new"}`, status: 201, want: `{"sessionID":"old"}`},
		"create under a taken id":     {method: "POST", path: "/v1/sessions", body: `{"userId":"bob","sessionType":"virtual","sessionId":"old"}`, status: 409, want: "a session of this id exists"},
		"create while DCV is down":    {method: "POST", path: "/v1/sessions", body: `{"userId":"bob","sessionType":"virtual","sessionId":"new"}`, faults: dcvclitest.Faults{Down: true}, status: 500, want: "DCV on this host"},
		"create that comes to naught": {method: "POST", path: "/v1/sessions", body: `{"userId":"bob","sessionType":"virtual","sessionId":"new"}`, faults: dcvclitest.Faults{LoseCreated: true}, status: 500, want: "no session came to exist"},
		"create of a bad type":        {method: "POST", path: "/v1/sessions", body: `{"userId":"bob","sessionType":"ssh","sessionId":"new"}`, status: 400, want: "sessionType"},
		"create for an option":        {method: "POST", path: "/v1/sessions", body: `{"userId":"--help","sessionType":"virtual","sessionId":"new"}`, status: 400, want: "userId"},
		"create with an option as id": {method: "POST", path: "/v1/sessions", body: `{"userId":"bob","sessionType":"virtual","sessionId":"-rf"}`, status: 400, want: "sessionId"},
		"create without an id":        {method: "POST", path: "/v1/sessions", body: `{"userId":"bob","sessionType":"virtual"}`, status: 400, want: "sessionId"},
		"create with garbage":         {method: "POST", path: "/v1/sessions", body: `{"userId":`, status: 400, want: "not the JSON of a session"},
		"create with too much":        {method: "POST", path: "/v1/sessions", body: `{"userId":"` + strings.Repeat("x", 70<<10), status: 413, want: "longer than"},
		"close":                       {method: "DELETE", path: "/v1/sessions/old", status: 200, want: `{}`},
		"close of its owner":          {method: "DELETE", path: "/v1/sessions/old?owner=ada", status: 200, want: `{}`},
		"close of another's":          {method: "DELETE", path: "/v1/sessions/old?owner=bob", status: 404, want: "no such session"},
		"close what is not there":     {method: "DELETE", path: "/v1/sessions/nothing", status: 404, want: "no such session"},
		"close what is foreign":       {method: "DELETE", path: "/v1/sessions/bad%20id", status: 404, want: "no such session"},
		"close an option":             {method: "DELETE", path: "/v1/sessions/--help", status: 404, want: "no such session"},
		"close while DCV is down":     {method: "DELETE", path: "/v1/sessions/old", faults: dcvclitest.Faults{Down: true}, status: 500, want: "DCV on this host"},
		"config":                      {method: "POST", path: "/v1/config", body: `{"config":[{"section":"display","key":"quality","value":"(30, 80)"}]}`, status: 200, want: `{}`},
		"config while DCV is down":    {method: "POST", path: "/v1/config", body: `{"config":[{"section":"display","key":"quality","value":"(30, 80)"}]}`, faults: dcvclitest.Faults{Down: true}, status: 500, want: "DCV on this host: set display/quality: "},
		"config of nothing":           {method: "POST", path: "/v1/config", body: `{"config":[]}`, status: 400, want: "has 0 settings"},
		"config of too many":          {method: "POST", path: "/v1/config", body: `{"config":[` + strings.Repeat(`{"section":"a","key":"b","value":"1"},`, 64) + `{"section":"a","key":"b","value":"1"}]}`, status: 400, want: "has 65 settings"},
		"config with garbage":         {method: "POST", path: "/v1/config", body: `x`, status: 400, want: "not the JSON of settings"},
		"config with too much":        {method: "POST", path: "/v1/config", body: strings.Repeat(" ", 70<<10), status: 413, want: "longer than"},
		"config with a large value":   {method: "POST", path: "/v1/config", body: `{"config":[{"section":"a","key":"b","value":"` + strings.Repeat("1", 4097) + `"}]}`, status: 400, want: "has 4097 bytes"},
		"config of an option":         {method: "POST", path: "/v1/config", body: `{"config":[{"section":"--help","key":"b","value":"1"}]}`, status: 400, want: "section"},
		"config of a path":            {method: "POST", path: "/v1/config", body: `{"config":[{"section":"a/../b","key":"b","value":"1"}]}`, status: 400, want: "section"},
		"config of a bad key":         {method: "POST", path: "/v1/config", body: `{"config":[{"section":"a","key":"b=c","value":"1"}]}`, status: 400, want: "key"},
		"config with a line break":    {method: "POST", path: "/v1/config", body: `{"config":[{"section":"a","key":"b","value":"1\n2"}]}`, status: 400, want: "no setting has"},
		"wrong method of config":      {method: "GET", path: "/v1/config", status: 405, want: "takes POST only"},
		"unknown path":                {method: "GET", path: "/v1/nothing", status: 404, want: "nothing at this path"},
		"the root":                    {method: "GET", path: "/", status: 404, want: "nothing at this path"},
		"wrong method":                {method: "PUT", path: "/v1/sessions", status: 405, want: "takes GET, POST only"},
		"wrong method of a session":   {method: "GET", path: "/v1/sessions/old", status: 405, want: "takes DELETE only"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHost(t, newDirector(t), nil)
				putSession(t, h, dcvclitest.Session{ID: "old", Owner: "ada", Type: "virtual"})
				putSession(t, h, dcvclitest.Session{ID: "bad id", Owner: "eve", Type: "virtual"})
				h.director.approved = true
				h.start()
				synctest.Wait()
				setFaults(t, h, tt.faults)
				got := call(t, h, tt.method, tt.path, tt.body)
				assert.Equal(t, tt.status, got.status, got.body)
				assert.Contains(t, got.body, tt.want)
				if got.status >= 400 {
					assert.Equal(t, "text/plain; charset=utf-8", got.header.Get("Content-Type"))
					assert.Equal(t, 1, strings.Count(got.body, "\n"), "one sentence: %q", got.body)
				} else {
					assert.Equal(t, "application/json", got.header.Get("Content-Type"))
					assert.True(t, json.Valid([]byte(got.body)))
				}
				assert.Equal(t, got.status == 405, got.header.Get("Allow") != "")
				h.stop()
			})
		})
	}
}

func TestOneBadSettingLeavesTheOthersAsTheyAre(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		h := enrolled(t, newDirector(t), hourly)
		good := `{"section":"display","key":"quality","value":"(30, 80)"}`
		got := call(t, h, http.MethodPost, dcvix.PathConfig, `{"config":[`+good+`,{"section":"log","key":"Level","value":"1"}]}`)
		assert.Equal(t, http.StatusBadRequest, got.status)
		state, err := h.dcv.State()
		require.NoError(t, err)
		assert.Empty(t, state.Config)
		got = call(t, h, http.MethodPost, dcvix.PathConfig, `{"config":[`+good+`]}`)
		assert.Equal(t, http.StatusOK, got.status)
		state, err = h.dcv.State()
		require.NoError(t, err)
		assert.Equal(t, map[string]string{"display/quality": "(30, 80)"}, state.Config)
		h.stop()
	})
}

func TestParallelCreatesGiveOneSession(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		h := enrolled(t, newDirector(t), nil)
		setFaults(t, h, dcvclitest.Faults{Slow: 200 * time.Millisecond})
		conf := callerConf(t, h.director, dcvix.DirectorCommonName, directorName)
		const callers = 50
		ids := make(chan string, callers)
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				got := callAs(t, caller(t, h, conf), http.MethodPost, dcvix.PathSessions,
					`{"userId":"ada","sessionType":"virtual","sessionId":"s`+strconv.Itoa(i)+`"}`)
				assert.Equal(t, http.StatusCreated, got.status, got.body)
				ids <- got.body
			})
		}
		wg.Wait()
		close(ids)
		first := <-ids
		for id := range ids {
			assert.Equal(t, first, id)
		}
		state, err := h.dcv.State()
		require.NoError(t, err)
		assert.Len(t, state.Sessions, 1)
		h.stop()
	})
}

func TestOnlyTheDirectorIsLetIn(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, h *host) *tls.Config{
		"nobody in particular": func(_ *testing.T, h *host) *tls.Config {
			return &tls.Config{RootCAs: h.director.ca.Pool(), ServerName: "ws1.lab.example"}
		},
		"another agent": func(t *testing.T, h *host) *tls.Config {
			other := enrolled(t, h.director, func(c *agentclient.Config) { c.Hostname = directorName })
			other.stop()
			pair, err := tls.LoadX509KeyPair(filepath.Join(other.cfg.StateDir, agentclient.CertFile), filepath.Join(other.cfg.StateDir, agentclient.KeyFile))
			require.NoError(t, err)
			assert.Contains(t, pair.Leaf.DNSNames, directorName)
			return &tls.Config{RootCAs: h.director.ca.Pool(), ServerName: "ws1.lab.example", Certificates: []tls.Certificate{pair}}
		},
		"another leaf of the CA with the director's name": func(t *testing.T, h *host) *tls.Config {
			return callerConf(t, h.director, "intranet", directorName)
		},
		"another leaf of an enterprise CA with the director's common name but not the name that is dialled": func(t *testing.T, h *host) *tls.Config {
			return callerConf(t, h.director, dcvix.DirectorCommonName, "other.example")
		},
		"a director of another CA": func(t *testing.T, h *host) *tls.Config {
			conf := callerConf(t, h.director, "", "")
			conf.Certificates = []tls.Certificate{catest.Issue(t, catest.New(t), dcvix.DirectorCommonName, directorName)}
			return conf
		},
		"a director whose certificate ran out": func(t *testing.T, h *host) *tls.Config {
			return reissued(t, h.director, expiredNow)
		},
		"a director whose certificate is for servers alone": func(t *testing.T, h *host) *tls.Config {
			return reissued(t, h.director, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
		},
	}
	for name, conf := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				h := enrolled(t, d, hourly)
				refused(t, h, conf(t, h))
				assert.Equal(t, http.StatusOK, call(t, h, http.MethodGet, "/v1/health", "").status, "the real one is")
				h.stop()
			})
		})
	}
}

func TestRefusalsOfCallersThatOurCAKnowsAreSaidOnceAMinute(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d, stranger := newDirector(t), newDirector(t)
		h := enrolled(t, d, hourly)
		unknown := callerConf(t, stranger, dcvix.DirectorCommonName, directorName)
		unknown.RootCAs = d.ca.Pool()
		refused(t, h, unknown)
		assert.Zero(t, h.log.count("a caller was refused"), "strangers are no news")
		for range 5 {
			refused(t, h, callerConf(t, d, dcvix.AgentCommonName+"x", directorName))
		}
		assert.Equal(t, 1, h.log.count("a caller was refused"))
		assert.Contains(t, h.log.String(), "and not the director")
		time.Sleep(time.Minute)
		refused(t, h, callerConf(t, d, dcvix.DirectorCommonName, "intranet.example"))
		assert.Equal(t, 2, h.log.count("a caller was refused"))
		assert.Contains(t, h.log.String(), "does not name "+directorName+": add that to server_names of the director")
		h.stop()
	})
}

// refused checks that the agent lets nobody in who shows itself so.
func refused(t *testing.T, h *host, conf *tls.Config) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://ws1.lab.example"+dcvix.PathHealth, nil)
	require.NoError(t, err)
	resp, err := caller(t, h, conf).Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	require.Error(t, err)
}

func expiredNow(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }

// reissued is the director's certificate with a change.
func reissued(t *testing.T, d *director, change func(*x509.Certificate)) *tls.Config {
	t.Helper()
	key, err := ca.ReadKeyFile(filepath.Join(d.dir, ca.KeyFile))
	require.NoError(t, err)
	pair := catest.Issue(t, d.ca, dcvix.DirectorCommonName, directorName)
	template := *pair.Leaf
	change(&template)
	der, err := x509.CreateCertificate(rand.Reader, &template, d.ca.Certificate(), pair.Leaf.PublicKey, key)
	require.NoError(t, err)
	pair.Certificate, pair.Leaf = [][]byte{der}, nil
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: d.ca.Pool(), ServerName: "ws1.lab.example"}
}

func TestNothingListensBeforeEnrolment(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		var listened atomic.Bool
		h := newHost(t, d, nil)
		listen := h.cfg.Listen
		h.cfg.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
			listened.Store(true)
			assert.Equal(t, ":8446", address)
			return listen(ctx, network, address)
		}
		h.start()
		time.Sleep(time.Hour)
		assert.False(t, listened.Load())
		d.with(func(d *director) { d.approved = true })
		time.Sleep(time.Minute)
		assert.True(t, listened.Load())
		h.stop()
	})
}

func TestPortInUseEndsTheAgent(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		d.approved = true
		h := newHost(t, d, func(c *agentclient.Config) {
			c.Listen = func(context.Context, string, string) (net.Listener, error) { return nil, net.ErrClosed }
		})
		agent, err := agentclient.New(h.cfg)
		require.NoError(t, err)
		err = agent.Run(t.Context())
		require.ErrorIs(t, err, net.ErrClosed)
		assert.ErrorContains(t, err, "listen for the director on :8446")
	})
}
