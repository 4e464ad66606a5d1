package dcvclitest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// directory is a session resolver of a test, over TLS, that keeps what it was
// asked.
type directory struct {
	url string
	ca  *x509.CertPool

	mu       sync.Mutex
	requests []string // method and address
	headers  http.Header
	client   bool // whether the gateway showed a certificate
}

// resolving starts a resolver that answers as answer does.
func resolving(t *testing.T, answer http.HandlerFunc) *directory {
	t.Helper()
	d := &directory{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		d.requests = append(d.requests, r.Method+" "+r.RequestURI)
		d.headers = r.Header.Clone()
		d.client = len(r.TLS.PeerCertificates) > 0
		d.mu.Unlock()
		answer(w, r)
	}))
	authority := catest.New(t)
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{catest.Issue(t, authority, "resolver", "localhost")},
		ClientAuth:   tls.RequestClientCert, MinVersion: tls.VersionTLS12,
	}
	server.Config.ErrorLog = slog.NewLogLogger(testLogger(t).Handler(), slog.LevelDebug)
	server.StartTLS()
	t.Cleanup(server.Close)
	d.ca = authority.Pool()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	d.url = "https://localhost:" + port // gateways take no addresses
	return d
}

func (d *directory) asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests
}

// found answers with the documented form.
func found(session, host string, port int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"SessionId": session, "TransportProtocol": r.URL.Query().Get("transport"), "DcvServerEndpoint": host, "Port": port, "WebUrlPath": "/",
		})
	}
}

// gatewayTo runs a gateway until the test ends and returns its port.
func gatewayTo(t *testing.T, cfg dcvclitest.GatewayConfig) int {
	t.Helper()
	cfg.Name, cfg.Listener, cfg.Logger = "gw1.localhost", listen(t), testLogger(t)
	gateway, err := dcvclitest.NewGateway(cfg)
	require.NoError(t, err)
	serving(t, gateway)
	return cfg.Listener.Addr().(*net.TCPAddr).Port
}

func through(t *testing.T, port int, session, token string) (*dcvclitest.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return dcvclitest.Dial(ctx, dcvclitest.Target{Host: "gw1.localhost", Port: port, Session: session, Token: token})
}

// TestAGatewayTakesAClientToItsSession goes the whole way: the client knows an id
// that only the resolver understands, the server asks its verifier, and the end of
// the session reaches the client.
func TestAGatewayTakesAClientToItsSession(t *testing.T) {
	server := start(t, dcvclitest.ServerConfig{VerifierURL: tokens(t)})
	resolver := resolving(t, found("s", "ws1.localhost", server.port))
	port := gatewayTo(t, dcvclitest.GatewayConfig{Resolver: &dcvclitest.Resolver{URL: resolver.url, CA: resolver.ca}})

	conn, err := through(t, port, "opaque/1", "token-of-alice")
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	assert.Equal(t, []string{"alice", "s", "ws1.localhost"}, []string{conn.User, conn.Session, conn.Host})
	assert.Equal(t, []string{"POST /resolveSession?sessionId=opaque%2F1&transport=HTTP&clientIpAddress=127.0.0.1"}, resolver.asked())
	assert.Equal(t, http.Header{"Accept": {"application/json"}, "Content-Length": {"0"}}, resolver.headers)
	state, err := server.dcv.State()
	require.NoError(t, err)
	require.Len(t, state.Sessions[0].Connections, 1)
	assert.Equal(t, "gw1.localhost", state.Sessions[0].Connections[0].Gateway)

	page := httptest.NewRecorder()
	other, err := dcvclitest.NewServer(dcvclitest.ServerConfig{Name: "ws1", DCV: server.dcv})
	require.NoError(t, err)
	other.ServeHTTP(page, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/fake/sessions", nil))
	assert.Regexp(t, `"alice from 127\.0\.0\.1:[0-9]+, the gateway gw1\.localhost"`, page.Body)

	require.NoError(t, newCLI(t, server.dcv, "linux").Close(t.Context(), "s"))
	select {
	case <-conn.Done():
		assert.Equal(t, "the session was closed", conn.Reason())
	case <-time.After(20 * time.Second):
		t.Fatal("the connection goes on")
	}
}

func TestAClientThatLeavesAGatewayLeavesTheServer(t *testing.T) {
	server := start(t, dcvclitest.ServerConfig{VerifierURL: tokens(t)})
	resolver := resolving(t, found("s", "127.0.0.1", server.port))
	port := gatewayTo(t, dcvclitest.GatewayConfig{
		Resolver: &dcvclitest.Resolver{URL: resolver.url + "/a/path/", CA: resolver.ca}, HidesClients: true,
	})
	conn, err := through(t, port, "s", "token-of-alice")
	require.NoError(t, err)
	assert.Equal(t, []string{"POST /a/path/resolveSession?sessionId=s&transport=HTTP"}, resolver.asked())
	conn.Close()
	assert.Eventually(t, func() bool {
		state, err := server.dcv.State()
		return err == nil && len(state.Sessions[0].Connections) == 0 && !state.Sessions[0].LastDisconnectionTime.IsZero()
	}, 10*time.Second, 5*time.Millisecond)
}

func TestAGatewayLetsNobodyInByItself(t *testing.T) {
	server := start(t, dcvclitest.ServerConfig{VerifierURL: tokens(t)})
	tests := map[string]struct {
		answer http.HandlerFunc
		token  string
		want   string
	}{
		"a bad token":          {answer: found("s", "ws1.localhost", server.port), token: "guess", want: "The token was not accepted."},
		"another user":         {answer: found("s", "ws1.localhost", server.port), token: "token-of-bob", want: "may not enter"},
		"an unknown session":   {answer: http.NotFound, want: "is not available"},
		"no server there":      {answer: found("s", "ws1.localhost", 1), want: "cannot reach the DCV server"},
		"another form":         {answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) }, want: "cannot find out"},
		"a session of another": {answer: found("t", "ws1.localhost", server.port), want: "The session t is not available."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.token == "" {
				tt.token = "token-of-alice"
			}
			resolver := resolving(t, tt.answer)
			port := gatewayTo(t, dcvclitest.GatewayConfig{Resolver: &dcvclitest.Resolver{URL: resolver.url, CA: resolver.ca}})
			_, err := through(t, port, "s", tt.token)
			require.ErrorIs(t, err, dcvclitest.ErrRefused)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// TestAnAnswerIsTakenInTheDocumentedFormAlone changes one thing of a good answer
// at a time.
func TestAnAnswerIsTakenInTheDocumentedFormAlone(t *testing.T) {
	const good = `{"SessionId":"console","TransportProtocol":"QUIC","DcvServerEndpoint":"ws-17.lab.test","Port":8443,"WebUrlPath":"/"}`
	replaced := func(old, with string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, with, 1)
	}
	tests := map[string]struct {
		body   string
		status int
		want   string // "" means that it is taken
	}{
		"as documented":          {body: good},
		"a key more":             {body: replaced(`{`, `{"sessionId":"x",`)},
		"an address":             {body: replaced("ws-17.lab.test", "2001:db8::7")},
		"camelCase keys":         {body: strings.NewReplacer("SessionId", "sessionId", "Port", "port").Replace(good), want: `has no SessionId but ["DcvServerEndpoint"`},
		"a missing path":         {body: replaced(`,"WebUrlPath":"/"`, ``), want: "has no WebUrlPath"},
		"a path without a slash": {body: replaced(`"/"`, `"x"`), want: "WebUrlPath"},
		"a port in quotes":       {body: replaced(`8443`, `"8443"`), want: `Port "8443", which is of another type`},
		"a port with a fraction": {body: replaced(`8443`, `8443.5`), want: "another type"},
		"no port":                {body: replaced(`8443`, `null`), want: "another type"},
		"port 0":                 {body: replaced(`8443`, `0`), want: "Port 0"},
		"port 65536":             {body: replaced(`8443`, `65536`), want: "Port 65536"},
		"another transport":      {body: replaced("QUIC", "HTTP"), want: "TransportProtocol"},
		"a transport in small":   {body: replaced("QUIC", "quic"), want: "TransportProtocol"},
		"an empty session":       {body: replaced("console", ""), want: "empty"},
		"a number for a session": {body: replaced(`"console"`, `7`), want: "another type"},
		"a URL for a host":       {body: replaced("ws-17.lab.test", "https://ws-17.lab.test"), want: "no host"},
		"a list":                 {body: "[" + good + "]", want: "read the answer"},
		"no JSON":                {body: "console", want: "read the answer"},
		"null":                   {body: "null", want: "has no SessionId"},
		"status 201":             {body: good, status: 201, want: "status 201"},
		"status 400":             {body: good, status: 400, want: "status 400"},
		"status 302":             {body: good, status: 302, want: "status 302"},
		"an endless answer":      {body: strings.Repeat(" ", 1<<20) + good, want: "read the answer"},
		"a session nobody has":   {status: 404, want: "knows no such session"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			resolver := resolving(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(max(tt.status, 200))
				_, _ = io.WriteString(w, tt.body)
			})
			got, err := (&dcvclitest.Resolver{URL: resolver.url, CA: resolver.ca}).Resolve(t.Context(), "s", dcvclitest.TransportQUIC, netip.MustParseAddr("2001:db8::1"))
			assert.Equal(t, []string{"POST /resolveSession?sessionId=s&transport=QUIC&clientIpAddress=2001%3Adb8%3A%3A1"}, resolver.asked())
			if tt.want != "" {
				require.ErrorContains(t, err, tt.want)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "console", got.SessionID)
			assert.Equal(t, 8443, got.Port)
		})
	}
}

func TestAGatewayChecksItsResolver(t *testing.T) {
	resolver := resolving(t, found("s", "ws1.localhost", 1))
	other := catest.New(t)
	certificate := catest.Issue(t, other, "gw1")
	ask := func(r dcvclitest.Resolver) error {
		r.URL = resolver.url
		_, err := r.Resolve(t.Context(), "s", dcvclitest.TransportHTTP, netip.Addr{})
		return err
	}
	require.NoError(t, ask(dcvclitest.Resolver{CA: resolver.ca}))
	assert.False(t, resolver.client)
	require.NoError(t, ask(dcvclitest.Resolver{NoTLSStrict: true, Certificate: &certificate}))
	assert.True(t, resolver.client)
	require.ErrorContains(t, ask(dcvclitest.Resolver{}), "certificate")
	require.ErrorContains(t, ask(dcvclitest.Resolver{CA: other.Pool()}), "certificate")
}

func TestAResolverThatHangsIsGivenUp(t *testing.T) {
	resolver := resolving(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	_, err := (&dcvclitest.Resolver{URL: resolver.url, CA: resolver.ca, Timeout: 50 * time.Millisecond}).
		Resolve(t.Context(), "s", dcvclitest.TransportHTTP, netip.Addr{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestNewGatewaySaysWhatIsMissing(t *testing.T) {
	good := &dcvclitest.Resolver{URL: "https://director.lab.test"}
	for name, cfg := range map[string]dcvclitest.GatewayConfig{
		"a name":       {Resolver: good},
		"a resolver":   {Name: "gw1"},
		"a URL":        {Name: "gw1", Resolver: &dcvclitest.Resolver{}},
		"no query":     {Name: "gw1", Resolver: &dcvclitest.Resolver{URL: "https://director.lab.test/?x=1"}},
		"another one":  {Name: "gw1", Resolver: &dcvclitest.Resolver{URL: "ftp://director.lab.test"}},
		"a name in it": {Name: "gw1", Resolver: &dcvclitest.Resolver{URL: "https://192.0.2.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dcvclitest.NewGateway(cfg)
			require.Error(t, err)
		})
	}
	gateway, err := dcvclitest.NewGateway(dcvclitest.GatewayConfig{Name: "gw1", Resolver: good})
	require.NoError(t, err)
	require.ErrorContains(t, gateway.Run(t.Context()), "Listener")
	_, err = good.Resolve(t.Context(), "", dcvclitest.TransportHTTP, netip.Addr{})
	require.Error(t, err)
	_, err = good.Resolve(t.Context(), "s", "UDP", netip.Addr{})
	require.Error(t, err)
}

func TestAGatewayServesThePageAndNoSessions(t *testing.T) {
	resolver := resolving(t, http.NotFound)
	port := gatewayTo(t, dcvclitest.GatewayConfig{Resolver: &dcvclitest.Resolver{URL: resolver.url, CA: resolver.ca}})
	browser := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer browser.CloseIdleConnections()
	for path, want := range map[string]int{"/node7?authToken=x": 200, "/viewer.js": 200, "/fake/sessions": 404} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d%s", port, path), nil)
		require.NoError(t, err)
		answer, err := browser.Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.Equal(t, want, answer.StatusCode, path)
	}
	_, err := through(t, port, "s", "any")
	require.ErrorContains(t, err, "The session s is not available.")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("https://127.0.0.1:%d/fake/connect", port), nil)
	require.NoError(t, err)
	answer, err := browser.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	assert.Equal(t, http.StatusBadRequest, answer.StatusCode)
	assert.Len(t, resolver.asked(), 1, "a client without a token is not worth a question")
}
