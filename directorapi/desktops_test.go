package directorapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

const (
	poolUsers = `[{"id":"alice","workstations":["ws1"],"pools":["gpu"]},{"id":"bob","workstations":["ws9","ALLOW_CUSTOM"],"pools":["gpu"]},{"id":"root","admin":true}]`
	poolPools = `[{"id":"gpu","workstations":["ws2","ws3"]},{"id":"secret","workstations":["ws4"]}]`
)

// pooled starts a director with ws1, and the pool gpu of ws2 and ws3. Agents do what
// they are told at once.
func pooled(t *testing.T, opts ...directorapitest.Option) (*directorapitest.Server, *sessiontest.AuditLog, map[string]*host) {
	t.Helper()
	fake := directorapitest.WithBroker(func(c *session.Config) { c.Agents = new(sessiontest.FakeAgents) })
	s, audit, _ := audited(t, append([]directorapitest.Option{fake}, opts...)...)
	s.Policy.Set(t, poolUsers, poolPools)
	hosts := make(map[string]*host)
	for _, name := range []string{"ws1", "ws2", "ws3"} {
		hosts[name] = approved(t, s, name)
		require.Equal(t, http.StatusOK, hosts[name].report(t).status)
	}
	return s, audit, hosts
}

func console(owner string) dcvix.Session {
	return dcvix.Session{ID: "work", Owner: dcvix.Username(owner), Type: dcvix.SessionConsole, Status: "created"}
}

func TestASessionInAPoolSaysWhereItIs(t *testing.T) {
	s, audit, _ := pooled(t)
	alice := loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice)
	want := dcvix.CreateSessionRequest{PoolID: "GPU", SessionType: "Console"}
	var first, second dcvix.CreateSessionResponse

	alice.post(t, dcvix.PathUserSessions, want).json(t, &first)
	alice.post(t, dcvix.PathUserSessions, want).json(t, &second)

	assert.Contains(t, []dcvix.Hostname{"ws2", "ws3"}, first.ServerID)
	assert.Equal(t, dcvix.SessionConsole, first.SessionType)
	assert.False(t, first.Reused)
	assert.True(t, second.Reused)
	assert.Equal(t, first.SessionID, second.SessionID)
	assert.Contains(t, records(t, audit)[len(records(t, audit))-1].New, "console session for alice on "+string(first.ServerID))
	both := alice.post(t, dcvix.PathUserSessions, dcvix.CreateSessionRequest{PoolID: "gpu", ServerID: "ws1", SessionType: "console"})
	assert.Equal(t, "The request has serverId and poolId: send one of them.", both.body)
	other := alice.post(t, dcvix.PathUserSessions, dcvix.CreateSessionRequest{PoolID: "secret", SessionType: "console"})
	assert.Equal(t, http.StatusForbidden, other.status)
	assert.Equal(t, other.body, alice.post(t, dcvix.PathUserSessions, dcvix.CreateSessionRequest{PoolID: "none", SessionType: "console"}).body)
}

func TestAFullPoolIsA409ThatCountsTheReasons(t *testing.T) {
	s, audit, hosts := pooled(t)
	require.Equal(t, http.StatusOK, hosts["ws2"].report(t, console("bob")).status)
	require.NoError(t, s.AdminClient().Drain(t.Context(), "ws3", "new disk"))
	alice := loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice)

	r := alice.post(t, dcvix.PathUserSessions, dcvix.CreateSessionRequest{PoolID: "gpu", SessionType: "console"})

	assert.Equal(t, http.StatusConflict, r.status)
	assert.Equal(t, "No host of the pool is free (1 in use, 1 in maintenance): try again later.", r.body)
	refused := last(t, audit, r)
	assert.Equal(t, "session.open refused by user alice", said(refused))
	assert.Equal(t, "console session for alice on pool gpu", refused.New)
}

func TestAHostInMaintenanceSaysTheMessage(t *testing.T) {
	s, _, _ := pooled(t)
	require.NoError(t, s.AdminClient().Drain(t.Context(), "ws1", "disk replacement until 14:00"))
	r := loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice).
		post(t, dcvix.PathUserSessions, dcvix.CreateSessionRequest{ServerID: "ws1", SessionType: "console"})
	assert.Equal(t, http.StatusConflict, r.status)
	assert.Equal(t, "The host is in maintenance: disk replacement until 14:00.", r.body)
}

func TestTheDesktopsOfAUserSayWhatTheyAre(t *testing.T) {
	s, _, hosts := pooled(t)
	require.Equal(t, http.StatusOK, hosts["ws1"].report(t, console("alice")).status)
	require.Equal(t, http.StatusOK, hosts["ws2"].report(t, console("bob")).status)

	var alice, bob dcvix.DesktopsResponse
	loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice).get(t, dcvix.PathUserDesktops).json(t, &alice)
	loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Bob).get(t, dcvix.PathUserDesktops).json(t, &bob)

	require.Len(t, alice.Desktops, 2, "the pool and her host, not the hosts in the pool")
	pool, ws1 := alice.Desktops[0], alice.Desktops[1]
	assert.Equal(t, dcvix.DesktopPool, pool.Kind)
	assert.Equal(t, "gpu", pool.Name)
	assert.Equal(t, "ready", pool.State)
	assert.Equal(t, [2]int{1, 2}, [2]int{pool.Free, pool.Hosts})
	assert.Empty(t, pool.Sessions)
	assert.Equal(t, dcvix.DesktopHost, ws1.Kind)
	assert.Equal(t, dcvix.Hostname("ws1"), ws1.ServerID)
	assert.Equal(t, "own", ws1.State)
	assert.Equal(t, []dcvix.SessionType{dcvix.SessionConsole}, ws1.Types)
	require.Len(t, ws1.Sessions, 1)
	assert.False(t, alice.Custom)
	assert.True(t, bob.Custom)
	assert.Equal(t, "own", bob.Desktops[0].State)
	assert.Equal(t, "unusable", bob.Desktops[1].State, "no ws9 is registered")

	var admin dcvix.DesktopsResponse
	loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root).get(t, dcvix.PathUserDesktops).json(t, &admin)
	assert.Empty(t, admin.Desktops, "an admin's own rights count")
}

func TestADrainedHostIsShownAndOnRecord(t *testing.T) {
	s, audit, _ := pooled(t)
	root := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	drain, undrain := dcvix.Path(dcvix.PathAdminServerDrain, "ws2"), dcvix.Path(dcvix.PathAdminServerUndrain, "ws2")

	r := root.post(t, drain, dcvix.DrainRequest{Message: " new disk "})
	require.Equal(t, http.StatusOK, r.status, r.body)
	on := last(t, audit, r)
	assert.Equal(t, "host.drain ok by admin root, ws2: new disk", said(on)+", "+on.Target+": "+on.New)

	servers, err := s.AdminClient().Hosts(t.Context())
	require.NoError(t, err)
	detail, err := s.AdminClient().Server(t.Context(), "ws2")
	require.NoError(t, err)
	assert.Equal(t, servers[1], detail.Server)
	assert.Equal(t, "new disk", detail.Maintenance.Message)
	assert.Equal(t, dcvix.Username("root"), detail.Maintenance.By)
	assert.False(t, detail.Maintenance.Since.IsZero())
	assert.Nil(t, servers[0].Maintenance)

	r = root.post(t, undrain, nil)
	require.Equal(t, http.StatusOK, r.status)
	assert.Equal(t, "host.undrain ok by admin root", said(last(t, audit, r)))
	detail, err = s.AdminClient().Server(t.Context(), "ws2")
	require.NoError(t, err)
	assert.Nil(t, detail.Maintenance)

	long := root.post(t, drain, dcvix.DrainRequest{Message: strings.Repeat("x", 301)})
	assert.Equal(t, "The message is one line of up to 300 characters.", long.body)
	assert.Equal(t, http.StatusNotFound, root.post(t, dcvix.Path(dcvix.PathAdminServerDrain, "ws7"), nil).status)
	refused := loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice).post(t, drain, nil)
	assert.Equal(t, http.StatusForbidden, refused.status)
	assert.Equal(t, "host.drain refused by user alice", said(last(t, audit, refused)))
}

func TestAHostThatDoesNotReportHasADetailToo(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := approved(t, s, "ws1")
	detail, err := s.AdminClient().Server(t.Context(), "ws1")
	require.NoError(t, err)
	assert.False(t, detail.Reports)
	assert.Equal(t, h.guid, detail.Agent.GUID)
	assert.Equal(t, "ws1", detail.Hostname)
	assert.Empty(t, detail.Sessions)

	require.Equal(t, http.StatusOK, h.report(t, console("bob")).status)
	detail, err = s.AdminClient().Server(t.Context(), "WS1.")
	require.NoError(t, err)
	assert.True(t, detail.Reports)
	assert.Equal(t, 8, detail.Cores)
	assert.Len(t, detail.Sessions, 1)
	_, err = s.AdminClient().Server(t.Context(), "ws7")
	var refused *dcvix.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, dcvix.CodeNotFound, refused.Code)
}

func TestAnAdminIsToldWhyAHostIsChosen(t *testing.T) {
	s, _, hosts := pooled(t)
	require.Equal(t, http.StatusOK, hosts["ws2"].report(t, console("bob")).status)
	admin := s.AdminClient()

	e, err := admin.Explain(t.Context(), dcvix.ExplainRequest{UserID: "alice", PoolID: "gpu", SessionType: "console"})
	require.NoError(t, err)
	assert.Equal(t, dcvix.Hostname("ws3"), e.Chosen)
	assert.Equal(t, "least-loaded", e.Strategy)
	require.Len(t, e.Hosts, 2)
	assert.Equal(t, dcvix.HostReason{
		Name: "ws2", ServerID: "ws2", Code: "console-taken", Reason: "Its console is taken by bob (session work).",
	}, e.Hosts[0])
	assert.True(t, e.Hosts[1].Chosen)

	one, err := admin.Explain(t.Context(), dcvix.ExplainRequest{UserID: "alice", ServerID: "ws3", SessionType: "console"})
	require.NoError(t, err)
	assert.Equal(t, dcvix.Hostname("ws3"), one.Chosen)
}

func TestExplainRefusesInASentence(t *testing.T) {
	s, _, _ := pooled(t)
	root := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	tests := map[string]struct {
		body string
		want int
		says string
	}{
		"a pool of others": {`{"userId":"alice","poolId":"secret","sessionType":"console"}`, 404, "The policy gives this user no pool of this id: say one that it gives, or the groups of the user's login."},
		"no type":          {`{"userId":"alice","poolId":"gpu","sessionType":"x"}`, 400, `The session type is "console" or "virtual".`},
		"no user":          {`{"poolId":"gpu","sessionType":"console"}`, 400, `The user name has 1 to 256 bytes, no control characters and does not start with "-".`},
		"nowhere":          {`{"userId":"alice","sessionType":"console"}`, 400, "The request is about a host or a pool: send serverId or poolId."},
		"both":             {`{"userId":"alice","serverId":"a","poolId":"b","sessionType":"console"}`, 400, "The request is about a host or a pool: send serverId or poolId."},
		"too many groups":  {`{"userId":"a","poolId":"b","sessionType":"console","groups":[""` + strings.Repeat(`,""`, 64) + `]}`, 400, "The request has 65 groups: send up to 64."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := root.send(t, http.MethodPost, dcvix.PathAdminExplain, []byte(tt.body))
			assert.Equal(t, tt.want, r.status)
			assert.Equal(t, tt.says, r.body)
		})
	}
}

func TestAnAdminSeesWhatIsWrongWithThePolicy(t *testing.T) {
	s, _, _ := pooled(t)
	got, err := s.AdminClient().Policy(t.Context())
	require.NoError(t, err)
	require.Len(t, got.Problems, 2)
	assert.Contains(t, got.Problems[0].Suggestion, `Did you mean "ws`)
	got.Problems[0].Suggestion = ""
	assert.Equal(t, dcvix.PolicyProblem{
		File: "users.json", Line: 1, Entry: `user "bob"`, Problem: `has the workstation "ws9", which no registered agent is`,
	}, got.Problems[0])
	assert.Equal(t, "pools.json", got.Problems[1].File)
}
