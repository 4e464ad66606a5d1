package directorapi_test

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"strconv"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/agentclient/agentclienttest"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
)

func loopback(t *testing.T) (net.Listener, int) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l, l.Addr().(*net.TCPAddr).Port
}

// running runs a DCV server or a gateway until the test ends.
func running(t *testing.T, r interface{ Run(context.Context) error }) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
}

// workstation starts a DCV host whose console belongs to owner: a DCV server that
// asks the director about tokens, and an agent.
func workstation(t *testing.T, s *directorapitest.Server, name, owner string) *dcvclitest.DCV {
	t.Helper()
	dcv, err := dcvclitest.New(dcvclitest.Config{})
	require.NoError(t, err)
	_, err = dcv.Run(t.Context(), "create-session", "--type=console", "--owner="+owner, "console")
	require.NoError(t, err)
	listener, port := loopback(t)
	trusted := x509.NewCertPool()
	trusted.AddCert(s.CA.Certificate())
	server, err := dcvclitest.NewServer(dcvclitest.ServerConfig{
		Name: name, DCV: dcv, Listener: listener, VerifierURL: s.URL + dcvix.PathAuthTokenVerify, VerifierCA: trusted,
	})
	require.NoError(t, err)
	running(t, server)
	s.Agent(agentclienttest.WithHostname(name), agentclienttest.WithDCV(dcv), agentclienttest.WithConfig(func(c *agentclient.Config) { c.DCVPort = port }))
	return dcv
}

// A launcher of the 0.1 generation sets the quality, asks for a session and then
// for the token; the viewer goes through a gateway to the host that was meant,
// though both have a session "console" of the same owner.
func TestALauncherGetsThroughAGatewayToTheRightConsole(t *testing.T) {
	listener, port := loopback(t)
	s, audit, _ := audited(t, withGateways(t), directorapitest.WithAPI(func(c *directorapi.Config) {
		c.GatewayEndpoint, c.VerifierSource = net.JoinHostPort("gw1.localhost", strconv.Itoa(port)), directorapi.SourceEnforce
	}))
	trusted := x509.NewCertPool()
	trusted.AddCert(s.CA.Certificate())
	_, directorPort, err := net.SplitHostPort(s.URL[len("https://"):])
	require.NoError(t, err)
	gateway, err := dcvclitest.NewGateway(dcvclitest.GatewayConfig{
		Name: "gw1.localhost", Listener: listener, Resolver: &dcvclitest.Resolver{URL: "https://localhost:" + directorPort, CA: trusted},
	})
	require.NoError(t, err)
	running(t, gateway)
	hosts := map[string]*dcvclitest.DCV{"ws1": workstation(t, s, "ws1.localhost", "alice"), "ws2": workstation(t, s, "ws2.localhost", "alice")}

	alice := loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice)
	for name, dcv := range hosts {
		r := alice.post(t, "/v1/user/servers/"+name+"/config", map[string]any{
			"config": []map[string]string{{"section": "display", "key": "quality", "value": "(30, 80)"}},
		})
		require.Equal(t, http.StatusOK, r.status, r.body)
		state, err := dcv.State()
		require.NoError(t, err)
		assert.Equal(t, "(30, 80)", state.Config["display/quality"])

		r = alice.post(t, dcvix.PathUserSessions, map[string]string{"serverId": name, "sessionType": "Console", "userId": "alice"})
		require.Equal(t, http.StatusOK, r.status, r.body)
		var created dcvix.CreateSessionResponse
		r.json(t, &created)
		assert.Equal(t, dcvix.SessionID("console"), created.SessionID)

		r = alice.get(t, dcvix.PathUserConnectionToken+"?sessionId=console&serverId="+name+"&userId=alice")
		require.Equal(t, http.StatusOK, r.status, r.body)
		var way dcvix.ConnectionTokenResponse
		r.json(t, &way)
		to := dcvclitest.Target{Host: string(way.Host), Port: way.Port, Session: string(way.SessionID), Token: way.Token}
		conn, err := dcvclitest.Dial(t.Context(), to)
		require.NoError(t, err)
		assert.Equal(t, []string{"alice", "console", name + ".localhost"}, []string{conn.User, conn.Session, conn.Host})
		conn.Close()

		to.Session = "console" // two hosts have one: the gateway is not told which
		_, err = dcvclitest.Dial(t.Context(), to)
		require.ErrorIs(t, err, dcvclitest.ErrRefused)
	}
	pushed, err := audit.Read(t.Context(), session.AuditQuery{Action: session.AuditSettingsPush})
	require.NoError(t, err)
	require.Len(t, pushed, 2)
	assert.Equal(t, "display/quality = (30, 80)", pushed[0].New)
	assert.Equal(t, session.AuditOK, pushed[0].Outcome)
}

func TestWhoMayPushSettingsAndWhatComesOfIt(t *testing.T) {
	s, audit, _ := audited(t)
	dcv := workstation(t, s, "ws1", "alice")
	workstation(t, s, "ws2", "mallory") // alice may use it, and somebody else is there
	quality := dcvix.ConfigRequest{Config: []dcvix.Setting{{Section: "display", Key: "quality", Value: "(30, 80)"}}}
	verifier := dcvix.ConfigRequest{Config: []dcvix.Setting{{Section: "security", Key: "auth-token-verifier", Value: "''"}}}
	tests := map[string]struct {
		who    string
		server string
		body   any
		want   int
		record string // "" means none
	}{
		"the quality":              {directorapitest.Alice, "ws1", quality, 200, "settings.push ok by user alice"},
		"on a host of others":      {directorapitest.Mallory, "ws1", quality, 403, "settings.push refused by user mallory"},
		"on a host that is none":   {directorapitest.Alice, "ws9", quality, 403, "settings.push refused by user alice"},
		"on no host that is known": {directorapitest.Bob, "ws9", quality, 404, "settings.push refused by user bob"},
		"what is not listed":       {directorapitest.Alice, "ws1", verifier, 403, "settings.push refused by user alice"},
		"while another is there":   {directorapitest.Alice, "ws2", quality, 200, ""},
		"nothing":                  {directorapitest.Alice, "ws1", dcvix.ConfigRequest{}, 400, ""},
		"no list":                  {directorapitest.Alice, "ws1", map[string]string{"config": "x"}, 400, ""},
		"a path":                   {directorapitest.Alice, "..%2Fws1", quality, 403, "settings.push refused by user alice"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			who, before := loggedIn(t, s, dcvix.PathUserLogin, tt.who), len(records(t, audit))+1
			r := who.post(t, "/v1/user/servers/"+tt.server+"/config", tt.body)
			assert.Equal(t, tt.want, r.status, r.body)
			fresh := records(t, audit)[before-1:]
			if tt.record == "" {
				assert.Empty(t, fresh)
			} else if len(fresh) > 0 { // one like it may be on record and this one counted
				assert.Equal(t, tt.record, said(last(t, audit, r)))
			}
		})
	}
	state, err := dcv.State()
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"display/quality": "(30, 80)"}, state.Config)

	require.NoError(t, dcv.Update(func(s *dcvclitest.State) error { s.Faults.Down = true; return nil }))
	err = s.Client(directorapitest.Alice).SetConfig(t.Context(), "ws1", quality.Config...)
	var refused *dcvix.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, http.StatusBadGateway, refused.Status)
}

func TestBasePath(t *testing.T) {
	s := directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) {
		c.BasePath = "/remote/desktops"
		c.UI = fstest.MapFS{"index.html": {Data: []byte("portal")}, "admin/index.html": {Data: []byte("console")}}
	}))
	h := approved(t, s, "ws1")
	require.Equal(t, http.StatusOK, h.report(t, dcvix.Session{ID: "s1", Owner: "alice", Type: "virtual"}).status, "agents know no prefix")
	for path, want := range map[string]string{"/remote/desktops/": "portal", "/remote/desktops/admin/": "console", "/": "portal"} {
		assert.Equal(t, want, anybody(s).get(t, path).body, path)
	}
	c := anybody(s)
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for path, want := range map[string]string{"/remote/desktops": "/remote/desktops/", "/remote/desktops/admin": "admin/"} {
		assert.Equal(t, want, c.get(t, path).header.Get("Location"), path)
	}
	for _, path := range []string{"/remote/desktopsv1/health", "/remote/v1/health", "/remote/desktops/v1/nothing", "/remote/desktops/remote/desktops/v1/health"} {
		assert.Equal(t, http.StatusNotFound, c.get(t, path).status, path)
	}
	// A launcher keeps the prefix of its director's URL; the cookie is for all paths.
	below := directorapitest.NewClient(t, s, "/remote/desktops")
	require.NoError(t, below.Login(t.Context(), dcvix.LoginRequest{UserID: directorapitest.Alice, Password: directorapitest.Password}))
	token, err := below.ConnectionToken(t.Context(), "s1", "ws1")
	require.NoError(t, err)
	r := c.post(t, "/remote/desktops"+dcvix.PathUserLogin, dcvix.LoginRequest{UserID: directorapitest.Alice, Password: directorapitest.Password})
	assert.Contains(t, r.header.Get("Set-Cookie"), "Path=/;")
	for _, prefix := range []string{"", "/remote/desktops"} {
		_, _, body := verify(t, s, prefix+dcvix.PathAuthTokenVerify+"/", "s1", token.Token)
		assert.Contains(t, body, "yes", prefix)
	}
	_, err = below.ResolveSession(t.Context(), "s1", "")
	require.ErrorContains(t, err, "connection gateways", "it is found, and no gateway is listed")
	assert.Less(t, time.Until(token.ExpiresAt.Time), time.Hour+time.Minute)
}
