package directorapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

func TestTheDescriptionAndTheRoutesAgree(t *testing.T) {
	doc, err := spec()
	require.NoError(t, err)
	described := map[string]string{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			described[method+" "+path], _ = op.Extensions["x-access"].(string)
		}
	}
	served := map[string]string{}
	for _, r := range directorapi.Routes() {
		served[r.Method+" "+strings.TrimSuffix(r.Path, "/")] = r.Access
	}
	assert.Equal(t, described, served)
}

func TestARouteThatDoesNotSayWhoMayUseItIsRefused(t *testing.T) {
	assert.Error(t, directorapi.CheckRoute(0))
	assert.NoError(t, directorapi.CheckRoute(1))
	assert.NoError(t, directorapi.CheckRoute(6))
	assert.Error(t, directorapi.CheckRoute(7))
	assert.Error(t, directorapi.CheckRoute(99))
	assert.NoError(t, directorapi.CheckControlRoute(3), "admins")
	assert.Error(t, directorapi.CheckControlRoute(4), "agents")
	assert.Error(t, directorapi.CheckHomelessRoute())
}

func TestEveryRouteLetsInOnlyWhoMayUseIt(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := approved(t, s, "ws1")
	callers := map[string]*caller{
		"stranger":            anybody(s),
		"user":                loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice),
		"admin as user":       loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Root),
		"admin":               loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root),
		"agent":               h.caller(),
		"forged cookie":       {director: s, http: anybody(s).http, cookie: "v4.local.AAAA"},
		"connection as login": {director: s, http: anybody(s).http, cookie: connectionToken(t, s, directorapitest.Root)},
	}
	// What each kind of route answers to those who may not use it; all others get past the door.
	refused := map[string]map[string]int{
		"none": {}, "dcv": {},
		"gateway": {
			"stranger": 403, "user": 403, "admin as user": 403, "admin": 403, "agent": 403, "forged cookie": 403, "connection as login": 403,
		},
		"user":  {"stranger": 401, "agent": 401, "forged cookie": 401, "connection as login": 401},
		"admin": {"stranger": 401, "agent": 401, "forged cookie": 401, "connection as login": 401, "user": 403, "admin as user": 403},
		"agent": {"stranger": 401, "user": 401, "admin as user": 401, "admin": 401, "forged cookie": 401, "connection as login": 401},
	}
	atTheDoor := []string{"Log in first.", "This needs a login as admin.", "This needs the certificate of a registered agent."}
	for _, r := range directorapi.Routes() {
		if r.Path == dcvix.PathLogout {
			continue // it would end the logins of the other rows
		}
		for name, c := range callers {
			t.Run(r.Method+" "+r.Path+" by "+name, func(t *testing.T) {
				got := c.send(t, r.Method, dcvix.Path(r.Path, "nothing"), []byte("{"))
				if want, no := refused[r.Access][name]; no {
					assert.Equal(t, want, got.status, got.body)
				} else {
					assert.NotContains(t, atTheDoor, got.body)
				}
			})
		}
	}
}

func TestBadRequestsAreAnsweredInASentence(t *testing.T) {
	s := directorapitest.NewServer(t)
	user := loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice)
	admin := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	big := `{"userID":"` + strings.Repeat("a", 64<<10) + `"}`
	tests := map[string]struct {
		who          *caller
		method, path string
		body         string
		want         int
		says         string
	}{
		"unknown path":             {anybody(s), "GET", "/v1/nothing", "", 404, "There is nothing at this address."},
		"unknown path elsewhere":   {anybody(s), "GET", "/nothing", "", 404, "There is nothing at this address."},
		"wrong method":             {anybody(s), "PUT", dcvix.PathUserLogin, "", 405, "This address does not take this method."},
		"malformed JSON":           {anybody(s), "POST", dcvix.PathUserLogin, `{"userID":`, 400, "The request is not JSON: check it and send it again."},
		"no body":                  {anybody(s), "POST", dcvix.PathUserLogin, "", 400, "The request has no body: send JSON."},
		"two values":               {anybody(s), "POST", dcvix.PathUserLogin, `{} {}`, 400, "The request has more than one JSON value: send one."},
		"wrong type of field":      {anybody(s), "POST", dcvix.PathUserLogin, `{"userID":7}`, 400, `The field "userID" of the request cannot be a number.`},
		"oversized for a stranger": {anybody(s), "POST", dcvix.PathUserLogin, big, 413, "The request is too large."},
		"oversized for a user":     {user, "POST", dcvix.PathUserSessions, strings.Repeat(" ", 1<<20) + "{}", 413, "The request is too large."},
		"unknown session type":     {user, "POST", dcvix.PathUserSessions, `{"serverId":"ws1","sessionType":"holodeck"}`, 400, `The session type is "console" or "virtual".`},
		"unknown agent state":      {admin, "GET", dcvix.PathAdminAgents + "?state=happy", "", 400, `The state is "pending", "registered" or "revoked".`},
		"an agent that is none":    {admin, "POST", dcvix.Path(dcvix.PathAdminAgentRevoke, "x'--"), "", 404, "There is no such thing here."},
		"alias that is none":       {admin, "POST", dcvix.Path(dcvix.PathAdminAgentApprove, "x"), `{"aliases":["a b"]}`, 400, `An alias is not a host name: use letters, digits, "-" and dots.`},
		"owner that is none":       {admin, "POST", dcvix.PathSessions, `{"serverId":"ws1","userId":"-x","sessionType":"console"}`, 400, `The user name has 1 to 256 bytes, no control characters and does not start with "-".`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := tt.who.send(t, tt.method, tt.path, []byte(tt.body))
			assert.Equal(t, tt.want, r.status)
			assert.Equal(t, tt.says, r.body)
			assert.Equal(t, "text/plain; charset=UTF-8", r.header.Get("Content-Type"))
			assert.NotEmpty(t, r.header.Get("X-Request-Id"))
			if tt.want == 405 {
				assert.Equal(t, "OPTIONS, GET, POST", r.header.Get("Allow"))
			}
		})
	}
}

func TestAnUndeclaredLengthIsCutAtTheLimit(t *testing.T) {
	s := directorapitest.NewServer(t)
	post := func(body io.Reader) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+dcvix.PathUserLogin, body)
		require.NoError(t, err)
		req.ContentLength = -1
		return anybody(s).http.Do(req)
	}
	resp, err := post(io.LimitReader(endless{}, 200<<10))
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	assert.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)

	// Somebody who never stops may not live to read the answer, but is cut off.
	if cut, err := post(endless{}); err == nil {
		defer func() { _ = cut.Body.Close() }()
		assert.Equal(t, http.StatusRequestEntityTooLarge, cut.StatusCode)
	}
}

// endless is a body of blanks without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestProblemsForThoseWhoAcceptThem(t *testing.T) {
	s := directorapitest.NewServer(t)
	for _, accept := range []string{"application/problem+json", "application/json", "text/html, application/json;q=0.9"} {
		c := anybody(s)
		c.header = map[string]string{"Accept": accept}
		r := c.get(t, dcvix.PathUserServers)
		assert.Equal(t, http.StatusUnauthorized, r.status)
		assert.Equal(t, "application/problem+json", r.header.Get("Content-Type"))
		var p dcvix.Problem
		r.json(t, &p)
		assert.Equal(t, dcvix.Problem{
			Type: "urn:dcvix:unauthenticated", Title: "Unauthorized", Status: 401,
			Detail: "Log in first.", Instance: r.header.Get("X-Request-Id"),
		}, p)
	}
}

func TestAnotherSitesPageCannotAct(t *testing.T) {
	s := directorapitest.NewServer(t)
	tests := map[string]struct {
		header map[string]string
		want   int
	}{
		"our own page":                 {map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": s.URL}, 200},
		"a script":                     {nil, 200},
		"another site":                 {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403},
		"another host of our site":     {map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		"an old browser, another site": {map[string]string{"Origin": "https://evil.example"}, 403},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice)
			c.header = tt.header
			assert.Equal(t, tt.want, c.post(t, dcvix.PathLogout, nil).status)
		})
	}
}
