package directorapi_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

func TestWhereARequestComesFrom(t *testing.T) {
	proxies := prefixes(t, "10.0.0.0/24", "2001:db8:1::/48")
	const xff, std = "X-Forwarded-For", "Forwarded"
	tests := map[string]struct {
		peer   string
		header map[string][]string
		want   string // "" when the headers contradict each other
	}{
		"nobody in front":                  {"198.51.100.7:1", nil, "198.51.100.7"},
		"a stranger who claims":            {"198.51.100.7:1", map[string][]string{xff: {"127.0.0.1"}, std: {"for=10.0.0.1"}}, "198.51.100.7"},
		"a proxy that says nothing":        {"10.0.0.1:1", nil, "10.0.0.1"},
		"a proxy":                          {"10.0.0.1:1", map[string][]string{xff: {"198.51.100.7"}}, "198.51.100.7"},
		"a proxy over IPv6":                {"[2001:db8:1::9]:1", map[string][]string{xff: {"2001:db8:2::1"}}, "2001:db8:2::1"},
		"a proxy as IPv4 in IPv6":          {"[::ffff:10.0.0.1]:1", map[string][]string{xff: {"::ffff:198.51.100.7"}}, "198.51.100.7"},
		"what the client wrote before":     {"10.0.0.1:1", map[string][]string{xff: {"127.0.0.1, 198.51.100.7"}}, "198.51.100.7"},
		"in a header of its own":           {"10.0.0.1:1", map[string][]string{xff: {"127.0.0.1", "198.51.100.7"}}, "198.51.100.7"},
		"two proxies":                      {"10.0.0.1:1", map[string][]string{xff: {"127.0.0.1, 198.51.100.7, 10.0.0.2"}}, "198.51.100.7"},
		"proxies alone":                    {"10.0.0.1:1", map[string][]string{xff: {"10.0.0.3, 10.0.0.2"}}, "10.0.0.3"},
		"with a port":                      {"10.0.0.1:1", map[string][]string{xff: {"198.51.100.7:51877"}}, "198.51.100.7"},
		"IPv6 with a port":                 {"10.0.0.1:1", map[string][]string{xff: {"[2001:db8:2::1]:51877"}}, "2001:db8:2::1"},
		"IPv6 with a zone":                 {"10.0.0.1:1", map[string][]string{xff: {"fe80::1%eth0"}}, "fe80::1"},
		"empty parts":                      {"10.0.0.1:1", map[string][]string{xff: {", 198.51.100.7 ,\t,", ""}}, "198.51.100.7"},
		"garbage":                          {"10.0.0.1:1", map[string][]string{xff: {"198.51.100.7, unknown"}}, "10.0.0.1"},
		"garbage before":                   {"10.0.0.1:1", map[string][]string{xff: {"<script>, 198.51.100.7"}}, "198.51.100.7"},
		"garbage behind a proxy":           {"10.0.0.1:1", map[string][]string{xff: {"198.51.100.7, x, 10.0.0.2"}}, "10.0.0.2"},
		"a bad port":                       {"10.0.0.1:1", map[string][]string{xff: {"198.51.100.7:99999"}}, "10.0.0.1"},
		"open brackets":                    {"10.0.0.1:1", map[string][]string{xff: {"[2001:db8::1"}}, "10.0.0.1"},
		"more than anybody has in front":   {"10.0.0.1:1", map[string][]string{xff: {"198.51.100.7" + strings.Repeat(",10.0.0.2", 40)}}, "10.0.0.2"},
		"Forwarded":                        {"10.0.0.1:1", map[string][]string{std: {`for=127.0.0.1, for=198.51.100.7;proto=https;by=10.0.0.1`}}, "198.51.100.7"},
		"Forwarded, quoted":                {"10.0.0.1:1", map[string][]string{std: {`By=10.0.0.1; For="[2001:db8:2::1]:4711"`}}, "2001:db8:2::1"},
		"Forwarded, hidden":                {"10.0.0.1:1", map[string][]string{std: {`for=_secret`}}, "10.0.0.1"},
		"Forwarded, without for":           {"10.0.0.1:1", map[string][]string{std: {`proto=https`}}, "10.0.0.1"},
		"Forwarded, twice in one":          {"10.0.0.1:1", map[string][]string{std: {`for=127.0.0.1;for=198.51.100.7`}}, "10.0.0.1"},
		"Forwarded, an open quote before":  {"10.0.0.1:1", map[string][]string{std: {`for="127.0.0.1`, `for=198.51.100.7`}}, "198.51.100.7"},
		"Forwarded, an open quote":         {"10.0.0.1:1", map[string][]string{std: {`for="198.51.100.7`}}, "10.0.0.1"},
		"both the same":                    {"10.0.0.1:1", map[string][]string{xff: {"198.51.100.7"}, std: {"for=198.51.100.7"}}, "198.51.100.7"},
		"both, and they differ":            {"10.0.0.1:1", map[string][]string{xff: {"198.51.100.7"}, std: {"for=127.0.0.1"}}, ""},
		"both, and one names nobody":       {"10.0.0.1:1", map[string][]string{xff: {"198.51.100.7"}, std: {"for=unknown"}}, ""},
		"a peer that has no address":       {"@", map[string][]string{xff: {"127.0.0.1"}}, "invalid IP"},
		"a client in a network of proxies": {"10.0.0.1:1", map[string][]string{xff: {"198.51.100.7, 10.0.0.200"}}, "198.51.100.7"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := directorapi.Origin(proxies, tt.peer, tt.header)
			if tt.want == "" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, got.String())
		})
	}
}

// behind is a director with a proxy in front at 10.0.0.1, and the gateway 10.9.9.9.
func behind(t *testing.T) *directorapitest.Server {
	t.Helper()
	s, _, _ := audited(t, directorapitest.WithAPI(func(c *directorapi.Config) {
		c.TrustedProxies, c.Gateways = prefixes(t, "10.0.0.1"), prefixes(t, "10.9.9.9", "10.0.0.1")
	}))
	return s
}

func TestNobodySpoofsPastTheGatewayList(t *testing.T) {
	s := behind(t)
	approved(t, s, "ws1").report(t, dcvix.Session{ID: "s1", Owner: "alice", Type: "virtual"})
	resolve := func(from string, header ...string) int {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Add(header[i], header[i+1])
		}
		return ask(t, s, from, dcvix.PathResolveSession+"?sessionId=s1&transport=HTTP", "", h).Code
	}
	assert.Equal(t, 200, resolve("10.9.9.9"))
	assert.Equal(t, 200, resolve("10.0.0.1", "X-Forwarded-For", "10.9.9.9"))
	assert.Equal(t, 403, resolve("198.51.100.7", "X-Forwarded-For", "10.9.9.9"))
	assert.Equal(t, 403, resolve("198.51.100.7", "Forwarded", "for=10.9.9.9"))
	assert.Equal(t, 403, resolve("198.51.100.7", "X-Real-Ip", "10.9.9.9"))
	assert.Equal(t, 403, resolve("10.0.0.1", "X-Forwarded-For", "10.9.9.9, 198.51.100.7"), "what the client wrote is before what the proxy did")
	assert.Equal(t, 403, resolve("10.0.0.1", "X-Forwarded-For", "10.9.9.9", "X-Forwarded-For", "198.51.100.7"))
	// A proxy that sets one of the headers passes on the other: the client's.
	assert.Equal(t, 400, resolve("10.0.0.1", "X-Forwarded-For", "198.51.100.7", "Forwarded", "for=10.9.9.9"))
	assert.Equal(t, 400, resolve("10.0.0.1", "X-Forwarded-For", "10.9.9.9", "Forwarded", "for=198.51.100.7"))
	assert.Equal(t, 400, resolve("10.0.0.1", "X-Forwarded-For", "198.51.100.7", "Forwarded", "nonsense"), "else the proxy itself would be taken for the gateway that it is too")
}

func TestThrottleAndAuditGoByTheAddressBehindAProxy(t *testing.T) {
	s, audit, _ := audited(t, directorapitest.WithAPI(func(c *directorapi.Config) { c.TrustedProxies = prefixes(t, "10.0.0.1") }))
	login := func(from, password string) int {
		body := string(directorapitest.JSON(t, dcvix.LoginRequest{UserID: directorapitest.Alice, Password: password}))
		return ask(t, s, "10.0.0.1", dcvix.PathUserLogin, body, http.Header{"X-Forwarded-For": {from}, "Content-Type": {"application/json"}}).Code
	}
	for range 7 {
		login("198.51.100.7", "guess")
	}
	assert.Equal(t, 429, login("198.51.100.7", directorapitest.Password))
	assert.Equal(t, 429, login("192.0.2.1, 198.51.100.7", directorapitest.Password), "another first part is the same address")
	assert.Equal(t, 200, login("198.51.100.8", directorapitest.Password), "others behind the proxy are not concerned")
	all := records(t, audit)
	assert.Equal(t, "198.51.100.7", all[0].Address)
	assert.Equal(t, "198.51.100.8", all[len(all)-1].Address)
}

// FuzzForwarded looks for headers that make somebody out of a client that the
// client chose: whatever is before what the proxy added counts for nothing.
func FuzzForwarded(f *testing.F) {
	proxies := prefixes(f, "10.0.0.0/24")
	for _, seed := range []string{"127.0.0.1", `for="[::1]:1"`, `for="a, b";by=c`, ",,,", `"`, "[", "10.0.0.2, 10.0.0.3", "for=10.0.0.2;", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, client string) {
		want := netip.MustParseAddr("198.51.100.7")
		for _, header := range []map[string][]string{
			{"X-Forwarded-For": {client + ", 198.51.100.7"}},
			{"X-Forwarded-For": {client, "198.51.100.7, 10.0.0.2"}},
			{"Forwarded": {client + ", for=198.51.100.7"}},
			{"Forwarded": {client, `for="198.51.100.7:99";proto=https`}},
			{"X-Forwarded-For": {"198.51.100.7"}, "Forwarded": {client}},
			{"Forwarded": {"for=198.51.100.7"}, "X-Forwarded-For": {client}},
		} {
			got, err := directorapi.Origin(proxies, "10.0.0.1:1", header)
			if err == nil {
				require.Equal(t, want, got, "%q", header)
			}
		}
	})
}
