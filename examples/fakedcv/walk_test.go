package fakedcv_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/agentclient/agentclienttest"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

// hostName is below localhost, so that what the director tells a viewer to
// connect to is this machine. The policy of directorapitest says ws1, its first
// label.
const hostName = "ws1.localhost"

// A fleet is a director with one host that is in service.
type fleet struct {
	*directorapitest.Server

	agent *agentclienttest.Agent
	dcv   *dcvclitest.DCV // what the agent's dcv command and the DCV server share
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{Server: directorapitest.NewServer(t)}
	dcv, err := dcvclitest.New(dcvclitest.Config{})
	require.NoError(t, err)
	f.dcv = dcv
	port := f.serveDCV(t)
	f.agent = f.Agent(agentclienttest.WithHostname(hostName), agentclienttest.WithDCV(dcv),
		agentclienttest.WithConfig(func(c *agentclient.Config) {
			c.DCVPort = port
			c.UpdateInterval = 50 * time.Millisecond // 30 s where nobody waits for the result
		}))
	return f
}

// serveDCV runs the DCV server of the host, whose dcv.conf names the director as
// its auth-token-verifier, and returns its port.
func (f *fleet) serveDCV(t *testing.T) int {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server, err := dcvclitest.NewServer(dcvclitest.ServerConfig{
		Name: hostName, DCV: f.dcv, Listener: ln,
		VerifierURL: f.URL + dcvix.PathAuthTokenVerify, VerifierCA: f.CA.Pool(),
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	return ln.Addr().(*net.TCPAddr).Port
}

// desktop asks for a virtual session on ws1.
func desktop(t *testing.T, user *client.Client) dcvix.CreateSessionResponse {
	t.Helper()
	s, err := user.CreateSession(t.Context(), dcvix.CreateSessionRequest{ServerID: "ws1", SessionType: "virtual"})
	require.NoError(t, err)
	return s
}

// target asks where a session is and for a token that opens it, as a launcher
// does before it starts the viewer.
func target(t *testing.T, user *client.Client, id dcvix.SessionID) dcvclitest.Target {
	t.Helper()
	at, err := user.ConnectionToken(t.Context(), id, "ws1")
	require.NoError(t, err)
	return dcvclitest.Target{Host: string(at.Host), Port: at.Port, Session: string(at.SessionID), Token: at.Token}
}

// refused checks that the DCV server lets nobody in.
func refused(t *testing.T, to dcvclitest.Target) {
	t.Helper()
	_, err := dcvclitest.Dial(t.Context(), to)
	require.ErrorIs(t, err, dcvclitest.ErrRefused)
}

// hasCode checks that the director refuses with that code.
func hasCode(t *testing.T, err error, code dcvix.ErrorCode) {
	t.Helper()
	said := (*dcvix.Error)(nil)
	require.ErrorAs(t, err, &said)
	assert.Equal(t, code, said.Code)
}

func TestFromLoginToDesktopAndBack(t *testing.T) {
	f := newFleet(t)
	alice, admin := f.Client(directorapitest.Alice), f.AdminClient()

	servers, err := alice.Servers(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"ws1", "ws2"}, servers, "what the policy gives her")
	first, again := desktop(t, alice), desktop(t, alice)
	assert.False(t, first.Reused)
	assert.True(t, again.Reused)
	assert.Equal(t, first.SessionID, again.SessionID)

	to := target(t, alice, first.SessionID)
	viewer, err := dcvclitest.Dial(t.Context(), to)
	require.NoError(t, err)
	assert.Equal(t, [...]string{"alice", string(first.SessionID), "virtual", hostName},
		[...]string{viewer.User, viewer.Session, viewer.Type, viewer.Host})

	directorapitest.Await(t, "the admin sees her connection", func() bool {
		all, err := admin.Sessions(t.Context())
		require.NoError(t, err)
		require.Len(t, all, 1)
		assert.Equal(t, first.SessionID, all[0].ID)
		return all[0].NumOfConnections == 1
	})

	require.NoError(t, alice.CloseSession(t.Context(), first.SessionID, ""))
	<-viewer.Done()
	assert.NotEmpty(t, viewer.Reason())
	refused(t, to)
	mine, err := alice.UserSessions(t.Context())
	require.NoError(t, err)
	assert.Empty(t, mine)
}

func TestNobodyElseGetsIn(t *testing.T) {
	f := newFleet(t)
	alice, bob := f.Client(directorapitest.Alice), f.Client(directorapitest.Bob)
	hers, his := desktop(t, alice), desktop(t, bob)
	to, other := target(t, alice, hers.SessionID), target(t, bob, his.SessionID)

	wrong := to
	wrong.Token = to.Token[:len(to.Token)-4] + "AAAA"
	refused(t, wrong)
	theft := to
	theft.Token = other.Token // good, of another person
	refused(t, theft)
	moved := to
	moved.Session = other.Session // hers, for another desktop
	refused(t, moved)
	_, err := bob.ConnectionToken(t.Context(), hers.SessionID, "ws1")
	hasCode(t, err, dcvix.CodeForbidden)
	hasCode(t, bob.CloseSession(t.Context(), hers.SessionID, ""), dcvix.CodeNotFound)

	viewer, err := dcvclitest.Dial(t.Context(), to)
	require.NoError(t, err, "all of that took nothing from its owner")
	viewer.Close()
}

func TestRevokedHostIsOutOfService(t *testing.T) {
	f := newFleet(t)
	alice, admin := f.Client(directorapitest.Alice), f.AdminClient()
	opened := desktop(t, alice)
	to := target(t, alice, opened.SessionID)

	require.NoError(t, admin.Revoke(t.Context(), f.agent.GUID()))

	all, err := admin.Sessions(t.Context())
	require.NoError(t, err)
	assert.Empty(t, all)
	mine, err := alice.UserSessions(t.Context())
	require.NoError(t, err)
	assert.Empty(t, mine)
	refused(t, to)
	_, err = alice.CreateSession(t.Context(), dcvix.CreateSessionRequest{ServerID: "ws1", SessionType: "virtual"})
	hasCode(t, err, dcvix.CodeForbidden)
	_, err = alice.ConnectionToken(t.Context(), opened.SessionID, "ws1")
	hasCode(t, err, dcvix.CodeForbidden)
	state, err := f.dcv.State()
	require.NoError(t, err)
	assert.Len(t, state.Sessions, 1, "nobody ended her work, it is only out of reach")

	require.NoError(t, admin.Reactivate(t.Context(), f.agent.GUID()))
	back := desktop(t, alice)
	assert.Equal(t, opened.SessionID, back.SessionID)
	assert.True(t, back.Reused)
}
