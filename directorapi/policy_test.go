package directorapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
)

// withGroups is a director whose logins bring groups along.
func withGroups(t *testing.T, groups map[dcvix.Username][]string) *directorapitest.Server {
	t.Helper()
	passwords := map[dcvix.Username]auth.Secret{directorapitest.Root: directorapitest.Password}
	for user := range groups {
		passwords[user] = directorapitest.Password
	}
	return directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) {
		c.Authenticator = authtest.Static{Passwords: passwords, Groups: groups}
	}))
}

func TestTheGroupsOfALoginCountByThePolicyOfTheMoment(t *testing.T) {
	s := withGroups(t, map[dcvix.Username][]string{"dora": {"staff", "admins"}, "emil": {"staff"}})
	approved(t, s, "ws9").report(t)
	set := func(groups string) {
		s.Policy.SetFiles(t, session.PolicyFiles{
			Users: []byte(`[{"id":"dora","workstations":["ws1"]}]`), Pools: []byte(`[{"id":"cad","workstations":["c1"]}]`), Groups: []byte(groups),
		})
	}
	set(`[{"id":"staff","workstations":["ws9"],"pools":["cad"]},{"id":"admins","admin":true}]`)
	dora, emil := loggedIn(t, s, dcvix.PathUserLogin, "dora"), loggedIn(t, s, dcvix.PathUserLogin, "emil")
	assert.JSONEq(t, `{"servers":["ws1","ws9","c1"]}`, dora.get(t, dcvix.PathUserServers).body)
	assert.JSONEq(t, `{"servers":["ws9","c1"]}`, emil.get(t, dcvix.PathUserServers).body)
	admin := loggedIn(t, s, dcvix.PathAdminLogin, "dora")
	assert.Equal(t, http.StatusOK, admin.get(t, dcvix.PathSessions).status)
	refused := anybody(s).post(t, dcvix.PathAdminLogin, dcvix.LoginRequest{UserID: "emil", Password: directorapitest.Password})
	assert.Equal(t, http.StatusUnauthorized, refused.status)
	opens := func() int {
		return emil.post(t, dcvix.PathUserSessions, dcvix.CreateSessionRequest{ServerID: "ws9", SessionType: "Virtual"}).status
	}
	assert.NotEqual(t, http.StatusForbidden, opens())
	assert.Equal(t, http.StatusForbidden, admin.post(t, dcvix.PathUserSessions, dcvix.CreateSessionRequest{ServerID: "c2", SessionType: "Virtual"}).status,
		"for themselves an admin is a user")

	set(`[]`)
	assert.JSONEq(t, `{"servers":["ws1"]}`, dora.get(t, dcvix.PathUserServers).body)
	assert.JSONEq(t, `{"servers":[],"reason":"The policy names neither you nor a group of yours: ask an administrator for a workstation."}`,
		emil.get(t, dcvix.PathUserServers).body)
	assert.Equal(t, http.StatusForbidden, admin.get(t, dcvix.PathSessions).status)
	assert.Equal(t, http.StatusForbidden, opens())
}

func TestAnAdminIsToldWhatThePolicyGives(t *testing.T) {
	s := directorapitest.NewServer(t)
	approved(t, s, "ws1")
	s.Policy.SetFiles(t, session.PolicyFiles{
		Users: []byte(directorapitest.DefaultUsers), Groups: []byte(`[{"id":"a&b","workstations":["ws9"]}]`),
	})
	got, err := s.AdminClient().PolicyAccess(t.Context(), "alice", []string{"none", "a&b"})
	require.NoError(t, err)
	assert.Equal(t, dcvix.PolicyAccess{
		User: "alice", Groups: []string{"none", "a&b"}, Entries: []string{`user "alice" (users.json:2)`, `group "a&b" (groups.json:1)`},
		Hosts: []dcvix.PolicyHost{
			{Name: "ws1", From: `user "alice" (users.json:2)`, Agents: []dcvix.Hostname{"ws1"}},
			{Name: "ws2", From: `user "alice" (users.json:2)`, Agents: []dcvix.Hostname{}},
			{Name: "ws9", From: `group "a&b" (groups.json:1)`, Agents: []dcvix.Hostname{}},
		},
		Pools: []dcvix.PolicyPool{},
	}, got)
	root := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	for _, query := range []string{"", "?user=", "?user=-x", "?user=a%0Ab"} {
		assert.Equal(t, http.StatusBadRequest, root.get(t, dcvix.PathAdminPolicyAccess+query).status, query)
	}
}

// BenchmarkServersOfAUser is the whole of a request but for the network, with
// 10,000 users and 1,000 pools; and that of one that opens the same token alone.
func BenchmarkServersOfAUser(b *testing.B) {
	s := directorapitest.NewServer(b)
	var users, pools strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&users, `,{"id":"user%d","workstations":["ws%d"],"pools":["pool%d"]}`, i, i, i%1000)
	}
	for i := range 1000 {
		fmt.Fprintf(&pools, `,{"id":"pool%d","workstations":["a%d","b%d","c%d"]}`, i, i, i, i)
	}
	s.Policy.SetFiles(b, session.PolicyFiles{Users: []byte("[" + users.String()[1:] + "]"), Pools: []byte("[" + pools.String()[1:] + "]")})
	sealed, _, err := s.Tokens.Seal(token.Claims{User: "user77", Category: token.User}, time.Hour)
	require.NoError(b, err)
	for name, path := range map[string]string{"servers": dcvix.PathUserServers, "token alone": dcvix.PathAuthHealth} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
			r.AddCookie(&http.Cookie{Name: dcvix.CookieName, Value: sealed})
			for b.Loop() {
				w := httptest.NewRecorder()
				s.API.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
