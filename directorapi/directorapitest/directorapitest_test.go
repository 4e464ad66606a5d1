package directorapitest_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient/agentclienttest"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
)

// A test of a launcher, a script or a portal gets a director with a host, and
// acts as the people that the director knows.
func ExampleNewServer() {
	_ = func(t *testing.T) {
		director := directorapitest.NewServer(t)
		host := director.Agent(agentclienttest.WithHostname("ws2"))

		alice := director.Client(directorapitest.Alice)
		opened, err := alice.CreateSession(t.Context(), dcvix.CreateSessionRequest{ServerID: "ws2", SessionType: "virtual"})
		if err != nil {
			t.Fatal(err)
		}
		state, err := host.DCV().State() // what the fake dcv command was told
		if _, made := state.Session(string(opened.SessionID)); err != nil || !made {
			t.Errorf("no session on the host: %v", err)
		}
	}
}

func TestPeopleAreWhoTheDocumentationSays(t *testing.T) {
	s := directorapitest.NewServer(t)
	for user, want := range map[string][]string{
		directorapitest.Alice:   {"ws1", "ws2"},
		directorapitest.Bob:     {"ws2", dcvix.AllowCustom},
		directorapitest.Mallory: {},
		directorapitest.Root:    {},
	} {
		got, err := s.Client(user).Servers(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, got, user)
		err = s.Anonymous().AdminLogin(t.Context(), dcvix.LoginRequest{UserID: user, Password: directorapitest.Password})
		assert.Equal(t, user == directorapitest.Root, err == nil, "%s as admin", user)
	}
	assert.False(t, s.Anonymous().LoggedIn())
	_, err := s.AdminClient().Hosts(t.Context())
	assert.NoError(t, err)
}

func TestAgentIsInServiceWhenItIsReturned(t *testing.T) {
	s := directorapitest.NewServer(t)
	a := s.Agent()
	hosts := s.Broker.Hosts()
	require.Len(t, hosts, 1)
	assert.Equal(t, a.GUID(), hosts[0].Agent)
	assert.EqualValues(t, "ws1", hosts[0].Name)
	opened, err := s.Client(directorapitest.Alice).CreateSession(t.Context(), dcvix.CreateSessionRequest{ServerID: "ws1", SessionType: "console"})
	require.NoError(t, err)
	state, err := a.DCV().State()
	require.NoError(t, err)
	made, ok := state.Session(string(opened.SessionID))
	require.True(t, ok)
	assert.Equal(t, directorapitest.Alice, made.Owner)
}

func TestOptionsChangeTheDirector(t *testing.T) {
	s := directorapitest.NewServer(t,
		directorapitest.WithAPI(func(c *directorapi.Config) { c.OTP = dcvix.OTPRequired }),
		directorapitest.WithBroker(func(c *session.Config) { c.RegistrationToken = "a word" }))
	options, err := s.Anonymous().LoginOptions(t.Context())
	require.NoError(t, err)
	assert.Equal(t, dcvix.OTPRequired, options.OTP)
	_, err = s.Broker.Register(t.Context(), session.Registration{ID: "5f0c7b1e-9c1a-4c53-8a55-2f6a8d3f9b10", Hostname: "ws1"})
	assert.ErrorIs(t, err, session.ErrBadToken)
}

func TestPolicyCountsAtOnce(t *testing.T) {
	s := directorapitest.NewServer(t)
	mallory := s.Client(directorapitest.Mallory)
	s.Policy.Set(t, `[{"id": "mallory", "pools": ["lab"]}]`, `[{"id": "lab", "workstations": ["ws7"]}]`)
	got, err := mallory.Servers(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"ws7"}, got)
}

func TestEverythingEndsWithTheTest(t *testing.T) {
	running := goleak.IgnoreCurrent()
	t.Run("a test", func(t *testing.T) {
		s := directorapitest.NewServer(t)
		s.Agent()
		_, err := s.AdminClient().Sessions(t.Context())
		require.NoError(t, err)
	})
	goleak.VerifyNone(t, running)
}

func TestTLSTrustsTheDirectorAlone(t *testing.T) {
	s, other := directorapitest.NewServer(t), directorapitest.NewServer(t)
	for name, tt := range map[string]struct {
		of   *directorapitest.Server
		good bool
	}{"its own": {s, true}, "another director's": {other, false}} {
		transport := &http.Transport{TLSClientConfig: tt.of.TLS(), DisableKeepAlives: true}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+dcvix.PathHealth, nil)
		require.NoError(t, err)
		resp, err := (&http.Client{Transport: transport}).Do(req)
		assert.Equal(t, tt.good, err == nil, name)
		if err == nil {
			require.NoError(t, resp.Body.Close())
		}
	}
}

func TestJSONIsWhatCrossesTheWire(t *testing.T) {
	assert.JSONEq(t, `{"userID":"alice","password":"x","otp":""}`,
		string(directorapitest.JSON(t, dcvix.LoginRequest{UserID: "alice", Password: "x"})))
}

// A failing test keeps why it failed instead of failing.
type failing struct {
	testing.TB

	why string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) { // any: as testing.TB
	f.why = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// run calls the test in a goroutine of its own, as package testing does.
func (f *failing) run(test func(testing.TB)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(f)
	}()
	<-done
}

func TestAwaitEndsTheTestThatWaitsInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		f := &failing{TB: t}
		f.run(func(t testing.TB) {
			directorapitest.Await(t, "pigs fly", func() bool { asked++; return asked == 100 })
		})
		assert.Empty(t, f.why, "on the hundredth look they do")

		begin := time.Now()
		f.run(func(t testing.TB) {
			directorapitest.Await(t, "pigs fly", func() bool { return false })
		})
		assert.Equal(t, "pigs fly: not within 20 s", f.why)
		assert.Equal(t, 20*time.Second, time.Since(begin))
	})
}

func TestClientOfSomebodyUnknownEndsTheTest(t *testing.T) {
	f := &failing{TB: t}
	f.run(func(t testing.TB) { directorapitest.NewServer(t).Client("nobody") })
	assert.True(t, strings.HasPrefix(f.why, "log in nobody: "), f.why)
}
