package directorapi_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
)

// controlRoutes are those that the control half serves, with their parameters
// filled in.
func controlRoutes() map[string]bool {
	const guid = "/9f8c7d6e-1b2a-4c3d-8e4f-0a1b2c3d4e5f"
	return map[string]bool{
		"GET " + dcvix.PathHealth: true, "GET " + dcvix.PathCA: true,
		"GET " + dcvix.PathAdminAgents: true, "POST " + dcvix.PathAdminAgentsApprove: true,
		"POST " + dcvix.PathAdminAgents + guid + "/approve": true, "POST " + dcvix.PathAdminAgents + guid + "/deny": true,
		"POST " + dcvix.PathAdminAgents + guid + "/revoke": true, "POST " + dcvix.PathAdminAgents + guid + "/reactivate": true,
		"POST /v1/admin/servers" + guid + "/drain": true, "POST /v1/admin/servers" + guid + "/undrain": true,
		"POST " + dcvix.PathAdminExplain: true,
		"GET " + dcvix.PathAdminDenials:  true, "DELETE " + dcvix.PathAdminDenials + guid: true,
		"GET " + dcvix.PathAdminPolicyAccess: true, "GET " + dcvix.PathAdminPolicyReach: true,
	}
}

func everyRoute() map[string]directorapi.RouteInfo {
	all := make(map[string]directorapi.RouteInfo)
	for _, r := range directorapi.Routes() {
		r.Path = dcvix.Path(r.Path, "9f8c7d6e-1b2a-4c3d-8e4f-0a1b2c3d4e5f")
		all[r.Method+" "+r.Path] = r
	}
	return all
}

func logger(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// serveControl serves the control half on a listener and returns a client that
// dials there, whatever the URL says.
func serveControl(t *testing.T, ln net.Listener, server *http.Server) *http.Client {
	t.Helper()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(ln) // ends with Close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, ln.Addr().Network(), ln.Addr().String())
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DialTLSContext: dial, DisableKeepAlives: true}}
}

func listenOn(t *testing.T, network, address string) net.Listener {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), network, address)
	require.NoError(t, err)
	return ln
}

// operator returns who asks over the socket of a director.
func operator(t *testing.T, s *directorapitest.Server) *http.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "dcvix") //nolint:usetesting // its path may be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return serveControl(t, listenOn(t, "unix", filepath.Join(dir, "s")), directorapi.ControlServer(s.API.Control(), logger(t)))
}

// locally asks the control half for something.
func locally(t *testing.T, c *http.Client, method, path, body string) reply {
	t.Helper()
	who := &caller{director: &directorapitest.Server{URL: "http://local"}, http: c}
	return who.send(t, method, path, []byte(body))
}

func TestTheControlHalfServesTheOperatorsRoutesAlone(t *testing.T) {
	s := directorapitest.NewServer(t)
	c := operator(t, s)
	routes := controlRoutes()
	for name, r := range everyRoute() {
		t.Run(name, func(t *testing.T) {
			got := locally(t, c, r.Method, r.Path, "{")
			assert.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, got.status, "it knows no login")
			if routes[name] {
				assert.NotEqual(t, "There is nothing at this address.", got.body)
			} else {
				assert.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, got.status)
			}
		})
	}
	for name := range routes {
		assert.Contains(t, everyRoute(), name)
	}
}

// TestOverTCPNobodyIsTheOperator tries every way by which the routes of the control
// half might be reached over a network without a login, also by a slip of whoever
// mounts it.
func TestOverTCPNobodyIsTheOperator(t *testing.T) {
	s := directorapitest.NewServer(t)
	pending := newHost(t, s, "ws1")
	pending.register(t)
	slip := func(server *http.Server) *http.Client {
		return serveControl(t, listenOn(t, "tcp", "127.0.0.1:0"), server)
	}
	behindTLS := httptest.NewUnstartedServer(s.API.Control())
	behindTLS.StartTLS()
	t.Cleanup(behindTLS.Close)
	doors := map[string]struct {
		http *http.Client
		url  string
	}{
		"the director's own listener":                {anybody(s).http, s.URL},
		"the control half on a control server":       {slip(directorapi.ControlServer(s.API.Control(), logger(t))), "http://local"},
		"the control half on a server for strangers": {slip(directorapi.HTTPServer(s.API.Control(), nil, logger(t))), "http://local"},
		"the control half behind TLS":                {behindTLS.Client(), behindTLS.URL},
	}
	admin := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	for door, d := range doors {
		for name, r := range everyRoute() {
			if !controlRoutes()[name] || r.Access == "none" && d.url == s.URL {
				continue
			}
			c := &caller{director: &directorapitest.Server{URL: d.url}, http: d.http, header: map[string]string{
				"X-Forwarded-For": "local", "X-Real-Ip": "local", "Forwarded": "for=local",
			}}
			path := strings.Replace(r.Path, "9f8c7d6e-1b2a-4c3d-8e4f-0a1b2c3d4e5f", string(pending.guid), 1)
			assert.Equal(t, http.StatusUnauthorized, c.send(t, r.Method, path, nil).status, "%s %s", door, name)
			if d.url != s.URL {
				c.cookie = admin.cookie
				assert.Equal(t, http.StatusUnauthorized, c.send(t, r.Method, path, nil).status, "%s %s with a cookie", door, name)
			}
		}
	}
	assert.Equal(t, dcvix.AgentPending, agentOf(t, s, pending.guid).State)
}

func TestWhatTheOperatorDoesIsOnRecordUnderTheNameOfTheSystem(t *testing.T) {
	s, audit, _ := audited(t)
	me, err := user.Current()
	require.NoError(t, err)
	name := me.Username
	if runtime.GOOS != "linux" {
		name = "operator"
	}
	c := operator(t, s)
	h, denied := newHost(t, s, "ws1"), newHost(t, s, "ws2")
	h.register(t)
	denied.register(t)
	steps := []struct{ method, path, body, want string }{
		{"POST", dcvix.Path(dcvix.PathAdminAgentApprove, string(h.guid)), "", "agent.approve ok by admin " + name},
		{"POST", dcvix.Path(dcvix.PathAdminAgentApprove, string(h.guid)), "", "agent.approve refused by admin " + name},
		{"POST", dcvix.Path(dcvix.PathAdminAgentRevoke, string(h.guid)), "", "agent.revoke ok by admin " + name},
		{"POST", dcvix.Path(dcvix.PathAdminAgentReactivate, string(h.guid)), "", "agent.reactivate ok by admin " + name},
		{"POST", dcvix.Path(dcvix.PathAdminAgentDeny, string(denied.guid)), "", "agent.deny ok by admin " + name},
		{"DELETE", dcvix.Path(dcvix.PathAdminDenial, string(denied.guid)), "", "agent.forget-denial ok by admin " + name},
		{"POST", dcvix.PathAdminAgentsApprove, `{"guids":["` + string(denied.guid) + `"]}`, "agent.approve refused by admin " + name},
	}
	for _, step := range steps {
		r := locally(t, c, step.method, step.path, step.body)
		all := records(t, audit)
		got := all[len(all)-1]
		assert.Equal(t, step.want, said(got), r.body)
		assert.Equal(t, "local", got.Address)
		assert.Equal(t, r.header.Get("X-Request-Id"), got.RequestID)
	}
}

// handed is a transport to a handler in this process, with the context of an
// operator.
type handed struct {
	to   http.Handler
	name string
}

func (h handed) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.to.ServeHTTP(w, r.WithContext(directorapi.WithOperator(r.Context(), h.name)))
	return w.Result(), nil
}

func TestAnOperatorWithinTheProcess(t *testing.T) {
	for name, want := range map[string]string{"alice": "alice", "": "operator"} {
		s, audit, _ := audited(t)
		h := newHost(t, s, "ws1")
		h.register(t)
		c, err := client.New(client.Config{URL: "https://local", Transport: handed{s.API.Control(), name}})
		require.NoError(t, err)
		require.NoError(t, c.Approve(t.Context(), h.guid, dcvix.ApproveRequest{}))
		all := records(t, audit)
		assert.Equal(t, session.AuditRole("admin"), all[len(all)-1].Role)
		assert.Equal(t, want, all[len(all)-1].Actor)
	}
}
