package directorapi_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
)

func prefixes(t testing.TB, list ...string) []netip.Prefix {
	t.Helper()
	all, err := directorapi.ParsePrefixes(list)
	require.NoError(t, err)
	return all
}

// withGateways lets loopback and those ask where sessions are.
func withGateways(t testing.TB, list ...string) directorapitest.Option {
	t.Helper()
	all := prefixes(t, append(list, "127.0.0.1")...)
	return directorapitest.WithAPI(func(c *directorapi.Config) { c.Gateways = all })
}

// ask sends a request without a network, from an address that a test chooses.
func ask(t testing.TB, s *directorapitest.Server, from, target, body string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
	if header != nil {
		r.Header = header
	}
	r.RemoteAddr = net.JoinHostPort(from, "40000")
	w := httptest.NewRecorder()
	s.API.ServeHTTP(w, r)
	return w
}

func TestTheResolverSpeaksTheFormOfGatewaysAndTheOldOne(t *testing.T) {
	s := directorapitest.NewServer(t, withGateways(t))
	h := approved(t, s, "ws1")
	h.report(t, dcvix.Session{ID: "s1", Owner: "alice", Type: "virtual"}, dcvix.Session{ID: "console", Owner: "bob", Type: "console"})
	const noID, noTransport, none = "The request names no session: send sessionId.", `The transport is "HTTP" or "QUIC".`, "There is no such session."
	const answer = `{"SessionId":"s1","TransportProtocol":"QUIC","DcvServerEndpoint":"ws1","Port":8443,"WebUrlPath":"/"}`
	const old = `{"sessionId":"s1","transportProtocol":"HTTP","dcvServerEndpoint":"ws1","port":"8443","webUrlPath":"/"}`
	tests := map[string]struct {
		query, body string
		want        int
		says        string
	}{
		"as gateways ask":         {query: "sessionId=s1&transport=QUIC&clientIpAddress=198.51.100.24", want: 200, says: answer},
		"without a client":        {query: "sessionId=s1&transport=QUIC", want: 200, says: answer},
		"an odd client":           {query: "sessionId=s1&transport=QUIC&clientIpAddress=%00", want: 200, says: answer},
		"with a body besides":     {query: "sessionId=s1&transport=QUIC", body: "{", want: 200, says: answer},
		"as 0.1 was asked":        {body: `{"sessionId":"s1","transport":"HTTP","clientIpAddress":"198.51.100.24"}`, want: 200, says: old},
		"by id and host":          {query: "sessionId=s1-ws1&transport=QUIC", want: 200, says: answer},
		"nothing":                 {want: 400, says: noID},
		"no id":                   {query: "transport=HTTP", want: 400, says: noID},
		"no id in the body":       {body: `{"transport":"HTTP"}`, want: 400, says: noID},
		"no transport":            {query: "sessionId=s1", want: 400, says: noTransport},
		"no transport in a body":  {body: `{"sessionId":"s1"}`, want: 400, says: noTransport},
		"another transport":       {query: "sessionId=s1&transport=SCTP", want: 400, says: noTransport},
		"a body that is no JSON":  {body: "sessionId=s1", want: 400, says: "The request is not JSON: check it and send it again."},
		"an id that is a number":  {body: `{"sessionId":7}`, want: 400, says: `The field "sessionId" of the request cannot be a number.`},
		"no such session":         {query: "sessionId=s9&transport=HTTP", want: 404, says: none},
		"no such session, 0.1":    {body: `{"sessionId":"s9","transport":"HTTP"}`, want: 404, says: none},
		"no such host":            {query: "sessionId=s1-ws9&transport=HTTP", want: 404, says: none},
		"an id that is a path":    {query: "sessionId=..%2Fs1&transport=HTTP", want: 404, says: none},
		"a long id":               {query: "sessionId=" + strings.Repeat("a", 10_000) + "&transport=HTTP", want: 404, says: none},
		"a body beyond the limit": {body: `{"sessionId":"` + strings.Repeat("a", 64<<10) + `"}`, want: 413, says: "The request is too large."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := anybody(s).send(t, http.MethodPost, dcvix.PathResolveSession+"?"+tt.query, []byte(tt.body))
			assert.Equal(t, tt.want, got.status)
			assert.Equal(t, tt.says, strings.TrimSpace(got.body))
		})
	}
	assert.Equal(t, 405, anybody(s).get(t, dcvix.PathResolveSession+"?sessionId=s1&transport=HTTP").status)
	got, err := s.Anonymous().ResolveSession(t.Context(), "s1", "")
	require.NoError(t, err)
	assert.Equal(t, dcvix.ResolvedSession{SessionID: "s1", TransportProtocol: "HTTP", DCVServerEndpoint: "ws1", Port: 8443, WebURLPath: "/"}, got)
}

func TestOnlyGatewaysAreToldWhereSessionsAre(t *testing.T) {
	for name, tt := range map[string]struct {
		list   []string
		from   string
		listed bool
	}{
		"nobody is listed":     {nil, "127.0.0.1", false},
		"an address":           {[]string{"10.0.0.7"}, "10.0.0.7", true},
		"another one":          {[]string{"10.0.0.7"}, "10.0.0.8", false},
		"in a network":         {[]string{"10.0.0.0/24", "2001:db8::/48"}, "2001:db8::1", true},
		"outside the networks": {[]string{"10.0.0.0/24", "2001:db8::/48"}, "10.0.1.1", false},
		"IPv4 as IPv6":         {[]string{"10.0.0.0/24"}, "::ffff:10.0.0.9", true},
		"listed as IPv6":       {[]string{"::ffff:10.0.0.9"}, "10.0.0.9", true},
		"with a zone":          {[]string{"fe80::1"}, "fe80::1%eth0", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) { c.Gateways = prefixes(t, tt.list...) }))
			h := approved(t, s, "ws1")
			h.report(t, dcvix.Session{ID: "s1", Owner: "alice", Type: "virtual"})
			for id, want := range map[string]int{"s1": http.StatusOK, "s9": http.StatusNotFound, "": http.StatusBadRequest} {
				if !tt.listed {
					want = http.StatusForbidden // whatever is asked, nothing leaks
				}
				w := ask(t, s, tt.from, dcvix.PathResolveSession+"?transport=HTTP&sessionId="+id, "", nil)
				assert.Equal(t, want, w.Code, "%q: %s", id, w.Body)
			}
		})
	}
}

func TestAnIDOnSeveralHostsIsSaidInTheLogAndOtherFailuresAreCounted(t *testing.T) {
	logged := new(bytes.Buffer)
	s, audit, ahead := audited(t, withGateways(t), directorapitest.WithAPI(func(c *directorapi.Config) {
		c.Logger = slog.New(slog.NewTextHandler(logged, nil))
	}))
	for _, name := range []string{"ws1", "ws2"} {
		h := approved(t, s, name)
		h.report(t, dcvix.Session{ID: "console", Owner: "alice", Type: "console"})
	}
	before := len(records(t, audit))
	const from, other = "127.0.0.1", "203.0.113.9"
	resolve := func(address, id string) int {
		return ask(t, s, address, dcvix.PathResolveSession+"?transport=HTTP&sessionId="+url.QueryEscape(id), "", nil).Code
	}
	for i := range 100 {
		assert.Equal(t, 404, resolve(from, "guess-"+string(rune('a'+i%26))))
		assert.Equal(t, 404, resolve(from, "console"))
		assert.Equal(t, 403, resolve(other, "console"))
		assert.Equal(t, 200, resolve(from, "console-ws2"), "and a good one is not kept waiting")
	}
	assert.Equal(t, 1, strings.Count(logged.String(), "several hosts have a session of this id"), "%s", logged)
	assert.Equal(t, 3, strings.Count(logged.String(), "request refused"), "%s", logged)
	fresh := records(t, audit)[before:]
	require.Len(t, fresh, 3)
	for _, r := range fresh {
		assert.Equal(t, session.AuditSessionResolve, r.Action)
		assert.Equal(t, session.AuditRefused, r.Outcome)
		assert.Empty(t, r.Role)
	}
	ahead.Add(int64(time.Minute))
	resolve(from, "guess")
	counts := map[string]int{}
	for _, r := range records(t, audit)[before+3:] {
		counts[r.Address+" "+r.Target] = r.Count
	}
	assert.Equal(t, map[string]int{from + " ": 99, from + " console": 99, other + " ": 99}, counts)
}

func TestAConnectionTokenLeadsToTheGateway(t *testing.T) {
	for endpoint, host := range map[string]string{"gw.lab.example:9443": "gw.lab.example", "192.0.2.7:9443": "192.0.2.7", "[2001:db8::7]:9443": "2001:db8::7"} {
		s := directorapitest.NewServer(t, withGateways(t), directorapitest.WithAPI(func(c *directorapi.Config) { c.GatewayEndpoint = endpoint }))
		const unique = "dcvix_0b6f8a52-6c1e-4c39-8d0a-3f1f1f0a9b11"
		approved(t, s, "ws1").report(t, dcvix.Session{ID: "console", Owner: "alice", Type: "console"})
		approved(t, s, "ws2").report(t, dcvix.Session{ID: "console", Owner: "alice", Type: "console"}, dcvix.Session{ID: unique, Owner: "alice", Type: "virtual"})
		for asked, want := range map[[2]string]string{{"console", "ws1"}: "console-ws1", {"console", "ws2"}: "console-ws2", {unique, ""}: unique} {
			got, err := s.Client(directorapitest.Alice).ConnectionToken(t.Context(), dcvix.SessionID(asked[0]), asked[1])
			require.NoError(t, err)
			assert.Equal(t, []any{dcvix.Hostname(host), 9443, "/", dcvix.SessionID(want)}, []any{got.Host, got.Port, got.WebURLPath, got.SessionID})
			at, err := s.Anonymous().ResolveSession(t.Context(), string(got.SessionID), dcvix.TransportQUIC)
			require.NoError(t, err)
			assert.Equal(t, asked[0], string(at.SessionID), "the gateway is told the real one")
			_, _, body := verify(t, s, dcvix.PathAuthTokenVerify, asked[0], got.Token)
			assert.Contains(t, body, "yes")
		}
	}
}

func TestWhatSaysWhoIsWhoIsCheckedAtTheStart(t *testing.T) {
	for says, change := range map[string]func(*directorapi.Config){
		`"gw" is not host:port`:      func(c *directorapi.Config) { c.GatewayEndpoint = "gw" },
		`"gw:0" is not host:port`:    func(c *directorapi.Config) { c.GatewayEndpoint = "gw:0" },
		`"a_b:1" is not host:port`:   func(c *directorapi.Config) { c.GatewayEndpoint = "a_b:1" },
		`"/v1/x" is no base path`:    func(c *directorapi.Config) { c.BasePath = "/v1/x" },
		`"/a/" is no base path`:      func(c *directorapi.Config) { c.BasePath = "/a/" },
		`"/../a" is no base path`:    func(c *directorapi.Config) { c.BasePath = "/../a" },
		`"desktops" is no base path`: func(c *directorapi.Config) { c.BasePath = "desktops" },
		`VerifierSource "x" is none`: func(c *directorapi.Config) { c.VerifierSource = "x" },
	} {
		directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) {
			bad := *c
			bad.Broker = new(session.Broker)
			change(&bad)
			_, err := directorapi.New(bad)
			require.ErrorContains(t, err, says)
		}))
	}
	for bad, says := range map[string]string{
		"gw.example": "names are not looked up", "10.0.0.1/8": "write 10.0.0.0/8", "::ffff:10.0.0.0/104": "write it as IPv4",
		"fe80::1%eth0": "neither an IP address nor a network", "10.0.0.256": "neither", "": "neither",
	} {
		_, err := directorapi.ParsePrefixes([]string{"10.0.0.1", bad})
		require.ErrorContains(t, err, says, bad)
	}
}

// FuzzResolve asks with any query and any body: nothing fails, and what is answered
// is one of the two forms with a session that is there.
func FuzzResolve(f *testing.F) {
	s := directorapitest.NewServer(f, withGateways(f), directorapitest.WithAPI(func(c *directorapi.Config) { c.Logger = slog.New(slog.DiscardHandler) }))
	f.Add("sessionId=s1&transport=QUIC&clientIpAddress=198.51.100.24", "")
	f.Add("", `{"sessionId":"s1","transport":"HTTP"}`)
	f.Add("sessionId=%ff-%00&transport=http", `[`)
	f.Add(";&=%zz", `{"sessionId":{}}`)
	f.Fuzz(func(t *testing.T, query, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, dcvix.PathResolveSession, strings.NewReader(body))
		r.URL.RawQuery, r.RemoteAddr = query, "127.0.0.1:1"
		w := httptest.NewRecorder()
		s.API.ServeHTTP(w, r)
		require.Contains(t, []int{400, 404, 413}, w.Code, "there are no sessions: %s", w.Body)
		require.Less(t, w.Body.Len(), 200)
		require.False(t, json.Valid(w.Body.Bytes()), "a sentence")
	})
}
