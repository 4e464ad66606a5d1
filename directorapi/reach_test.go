package directorapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
)

func TestAnAdminSeesThePolicyAndWhoReachesWhat(t *testing.T) {
	s := directorapitest.NewServer(t)
	approved(t, s, "ws1.lab")
	s.Policy.SetFiles(t, session.PolicyFiles{
		Users: []byte(directorapitest.DefaultUsers), Pools: []byte(`[{"id":"a&b","workstations":["ws1","ws9"],"strategy":"pack"}]`),
		Groups: []byte(`[{"id":"staff","pools":["a&b"]}]`),
	})
	admin := s.AdminClient()

	policy, err := admin.Policy(t.Context())

	require.NoError(t, err)
	assert.Len(t, policy.Problems, 2)
	assert.Equal(t, []dcvix.PolicyEntry{
		{Kind: "user", Name: "alice", File: "users.json", Line: 2, Hosts: 2},
		{Kind: "user", Name: "bob", File: "users.json", Line: 3, Hosts: 1, Custom: true},
		{Kind: "user", Name: "root", File: "users.json", Line: 4, Admin: true},
		{Kind: "group", Name: "staff", File: "groups.json", Line: 1, Pools: []string{"a&b"}},
	}, policy.Entries)
	assert.Equal(t, []dcvix.PolicyPoolEntry{{ID: "a&b", File: "pools.json", Line: 1, Hosts: []string{"ws1", "ws9"}, Total: 2, Strategy: "pack"}}, policy.Pools)

	host, err := admin.WhoReachesServer(t.Context(), "WS1")
	require.NoError(t, err)
	assert.Equal(t, dcvix.PolicyReach{
		Name: "ws1", ServerID: "ws1.lab", Any: []dcvix.PolicyReacher{{Kind: "user", Name: "bob", From: `user "bob" (users.json:3)`}},
		By: []dcvix.PolicyReacher{
			{Kind: "user", Name: "alice", From: `user "alice" (users.json:2)`},
			{Kind: "group", Name: "staff", From: `pool "a&b" (pools.json:1), of group "staff" (groups.json:1)`},
		},
	}, host)
	pool, err := admin.WhoReachesPool(t.Context(), "A&B")
	require.NoError(t, err)
	assert.Equal(t, []dcvix.PolicyReacher{{Kind: "group", Name: "staff", From: `group "staff" (groups.json:1)`}}, pool.By)
	_, err = admin.WhoReachesPool(t.Context(), "none")
	problem := (*dcvix.Error)(nil)
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, dcvix.CodeNotFound, problem.Code)

	root := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	for query, says := range map[string]string{
		"":                      "Name a host, ?server=NAME, or a pool, ?pool=ID.",
		"?server=ws1&pool=a":    "Name a host, ?server=NAME, or a pool, ?pool=ID.",
		"?server=a%20b":         `That is not a host name: use letters, digits, "-" and dots.`,
		"?server=..%2F..%2Fetc": `That is not a host name: use letters, digits, "-" and dots.`,
	} {
		r := root.get(t, dcvix.PathAdminPolicyReach+query)
		assert.Equal(t, http.StatusBadRequest, r.status, query)
		assert.Equal(t, says, r.body, query)
	}
	first := root.get(t, dcvix.PathAdminPolicy)
	root.header = map[string]string{"If-None-Match": first.header.Get("Etag")}
	assert.Equal(t, http.StatusNotModified, root.get(t, dcvix.PathAdminPolicy).status)
}
