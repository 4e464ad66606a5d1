package client_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/client"
)

// TestRequestsAreThoseOfTheContract holds what goes out against the rows of the
// wire, to the letter.
func TestRequestsAreThoseOfTheContract(t *testing.T) {
	tests := map[string]struct {
		call func(context.Context, *client.Client) error
		line string // method and request URI
		body string
	}{
		"health": {
			func(ctx context.Context, c *client.Client) error { _, err := c.Health(ctx); return err },
			"GET /v1/health", "",
		},
		"what a login asks for": {
			func(ctx context.Context, c *client.Client) error { _, err := c.LoginOptions(ctx); return err },
			"GET /v1/user/login", "",
		},
		"login": {
			func(ctx context.Context, c *client.Client) error {
				return c.Login(ctx, dcvix.LoginRequest{UserID: "alice", Password: `p"w`, OTP: "1"})
			},
			"POST /v1/user/login", `{"userID":"alice","password":"p\"w","otp":"1"}`,
		},
		"login, second step": {
			func(ctx context.Context, c *client.Client) error {
				return c.Login(ctx, dcvix.LoginRequest{UserID: "a", Password: "p", OTP: "1", Challenge: "c"})
			},
			"POST /v1/user/login", `{"userID":"a","password":"p","otp":"1","challenge":"c"}`,
		},
		"login of an admin": {
			func(ctx context.Context, c *client.Client) error {
				return c.AdminLogin(ctx, dcvix.LoginRequest{UserID: "root"})
			},
			"POST /v1/admin/login", `{"userID":"root","password":"","otp":""}`,
		},
		"logout": {
			func(ctx context.Context, c *client.Client) error { return c.Logout(ctx) },
			"POST /v1/logout", "",
		},
		"servers": {
			func(ctx context.Context, c *client.Client) error { _, err := c.Servers(ctx); return err },
			"GET /v1/user/servers", "",
		},
		"a session": {
			func(ctx context.Context, c *client.Client) error {
				_, err := c.CreateSession(ctx, dcvix.CreateSessionRequest{ServerID: "ws1", SessionType: "Console", UserID: "alice"})
				return err
			},
			"POST /v1/user/sessions", `{"serverId":"ws1","sessionType":"Console","userId":"alice"}`,
		},
		"a session for somebody": {
			func(ctx context.Context, c *client.Client) error {
				_, err := c.AdminCreateSession(ctx, dcvix.CreateSessionRequest{ServerID: "ws1", SessionType: "virtual", UserID: "bob", SessionID: "x"})
				return err
			},
			"POST /v1/sessions", `{"serverId":"ws1","sessionType":"virtual","userId":"bob","sessionId":"x"}`,
		},
		"a connection token": {
			func(ctx context.Context, c *client.Client) error {
				_, err := c.ConnectionToken(ctx, "dcvix_1", "ws1.lab.example")
				return err
			},
			"GET /v1/user/connectiontoken?serverId=ws1.lab.example&sessionId=dcvix_1", "",
		},
		"a setting": {
			func(ctx context.Context, c *client.Client) error {
				return c.SetConfig(ctx, "ws 1", dcvix.Setting{Section: "display", Key: "quality", Value: "(30, 80)"})
			},
			"POST /v1/user/servers/ws%201/config", `{"config":[{"section":"display","key":"quality","value":"(30, 80)"}]}`,
		},
		"where a session is": {
			func(ctx context.Context, c *client.Client) error {
				_, err := c.ResolveSession(ctx, "console-ws1", dcvix.TransportQUIC)
				return err
			},
			"POST /resolveSession?sessionId=console-ws1&transport=QUIC", "",
		},
		"a close": {
			func(ctx context.Context, c *client.Client) error { return c.CloseSession(ctx, "a/../b?", "ws 1&") },
			"DELETE /v1/sessions/a%2F..%2Fb%3F?serverId=ws+1%26", "",
		},
		"a close anywhere": {
			func(ctx context.Context, c *client.Client) error { return c.CloseSession(ctx, "console", "") },
			"DELETE /v1/sessions/console", "",
		},
		"agents": {
			func(ctx context.Context, c *client.Client) error {
				_, err := c.Agents(ctx, dcvix.AgentPending)
				return err
			},
			"GET /v1/admin/agents?state=pending", "",
		},
		"all agents": {
			func(ctx context.Context, c *client.Client) error { _, err := c.Agents(ctx, ""); return err },
			"GET /v1/admin/agents", "",
		},
		"an approval": {
			func(ctx context.Context, c *client.Client) error {
				return c.Approve(ctx, goodGUID, dcvix.ApproveRequest{Replace: true, Aliases: []dcvix.Hostname{"a"}})
			},
			"POST /v1/admin/agents/" + goodGUID + "/approve", `{"replace":true,"aliases":["a"]}`,
		},
		"approvals": {
			func(ctx context.Context, c *client.Client) error {
				_, err := c.ApproveMany(ctx, []dcvix.AgentID{goodGUID, "x"})
				return err
			},
			"POST /v1/admin/agents/approve", `{"guids":["` + goodGUID + `","x"]}`,
		},
		"denials": {
			func(ctx context.Context, c *client.Client) error { _, err := c.Denials(ctx); return err },
			"GET /v1/admin/denials", "",
		},
		"what the policy gives": {
			func(ctx context.Context, c *client.Client) error {
				_, err := c.PolicyAccess(ctx, "a&b", []string{"cad", "x y"})
				return err
			},
			"GET /v1/admin/policy/access?group=cad&group=x+y&user=a%26b", "",
		},
		"a denial that is forgotten": {
			func(ctx context.Context, c *client.Client) error { return c.ForgetDenial(ctx, goodGUID) },
			"DELETE /v1/admin/denials/" + goodGUID, "",
		},
		"a denial": {
			func(ctx context.Context, c *client.Client) error { return c.Deny(ctx, goodGUID) },
			"POST /v1/admin/agents/" + goodGUID + "/deny", "",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var line, body string
			var header http.Header
			c, err := client.New(client.Config{URL: "https://d/", Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				line, header = r.Method+" "+r.URL.RequestURI(), r.Header
				if r.Body != nil {
					content, err := io.ReadAll(r.Body)
					require.NoError(t, err)
					body = string(content)
				}
				rec := httptest.NewRecorder()
				rec.Header().Set("Content-Type", "application/json")
				_, _ = rec.WriteString("null")
				return rec.Result(), nil
			})})
			require.NoError(t, err)
			_ = tt.call(t.Context(), c) // "null" is no answer to some; only the request counts here
			assert.Equal(t, tt.line, line)
			assert.Equal(t, tt.body, body)
			assert.Contains(t, header.Get("Accept"), "application/problem+json")
			assert.Equal(t, tt.body != "", header.Get("Content-Type") == "application/json")
			assert.Empty(t, header.Get("Cookie"), "nobody has logged in")
		})
	}
}

func TestTheCookieGoesToTheDirectorOnly(t *testing.T) {
	ca := newAuthority(t, "test CA")
	var stolen atomic.Int32
	thief := serve(t, ca.leaf(t, nil), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stolen.Add(1)
	}))
	srv := serve(t, ca.leaf(t, nil), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == dcvix.PathUserLogin {
			http.SetCookie(w, &http.Cookie{Name: "other", Value: "x"})
			http.SetCookie(w, &http.Cookie{Name: dcvix.CookieName, Value: "secret"})
			return
		}
		assert.Equal(t, dcvix.CookieName+"=secret", r.Header.Get("Cookie"))
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
	}))
	c, err := client.New(client.Config{URL: srv.URL, TLS: &tls.Config{RootCAs: ca.pool(), MinVersion: tls.VersionTLS12}})
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.Login(t.Context(), alice))
	_, err = c.Servers(t.Context())
	require.ErrorIs(t, err, client.ErrNotDirector)
	assert.Zero(t, stolen.Load())
	c.Close()
	assert.False(t, c.LoggedIn(), "Close forgets the login")
}

func TestAProxyCarriesTheConnection(t *testing.T) {
	ca := newAuthority(t, "test CA")
	srv := serve(t, ca.leaf(t, nil), wire(t, false))
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.Host)
		tunnel(t, w, srv.Listener.Addr().String())
	}))
	defer proxy.Close()
	u, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	c, err := client.New(client.Config{
		URL: "https://director.example:8445", CAFingerprint: client.Fingerprint(ca.cert),
		Proxy: http.ProxyURL(u),
	})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Health(t.Context())
	require.NoError(t, err, "the name is the director's, whoever carries the connection")
	assert.Equal(t, "CONNECT director.example:8445", asked.Load())
}

// tunnel answers a CONNECT and copies both ways until either side ends.
func tunnel(t *testing.T, w http.ResponseWriter, address string) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		t.Error("the connection cannot be taken over")
		return
	}
	to, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	from, buffered, err := hijacker.Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(to, bufio.NewReader(buffered))
		_ = to.Close()
	}()
	go func() {
		_, _ = io.Copy(from, to)
		_ = from.Close()
	}()
}
