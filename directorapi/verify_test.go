package directorapi_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

func connectionToken(t *testing.T, s *directorapitest.Server, user dcvix.Username) string {
	t.Helper()
	return seal(t, s, token.Claims{User: user, Category: token.Connection, Session: "s1", Server: "ws1"}, time.Hour)
}

func seal(t *testing.T, s *directorapitest.Server, c token.Claims, life time.Duration) string {
	t.Helper()
	sealed, _, err := s.Tokens.Seal(c, life)
	require.NoError(t, err)
	return sealed
}

// verify asks as a DCV server does.
func verify(t *testing.T, s *directorapitest.Server, path, session, token string) (status int, contentType, body string) {
	t.Helper()
	form := "sessionId=" + url.QueryEscape(session) + "&authenticationToken=" + url.QueryEscape(token) + "&clientAddress=198.51.100.24%3A51877"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, bytes.NewReader([]byte(form)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "DCV/2025.0 (r20103)")
	resp, err := anybody(s).http.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, int64(len(text)), resp.ContentLength, "DCV wants a Content-Length")
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(text)
}

const refusal = `<auth result="no"><message>The token is not accepted.</message></auth>`

func TestTheVerifierSaysYesToTheRightPairAlone(t *testing.T) {
	s := directorapitest.NewServer(t)
	for _, name := range []string{"ws1", "ws2"} {
		h := approved(t, s, name)
		require.Equal(t, http.StatusOK, h.report(t, dcvix.Session{ID: "s1", Owner: `LAB\a<b>`, Type: "virtual"},
			dcvix.Session{ID: "of-" + dcvix.SessionID(name), Owner: `LAB\a<b>`, Type: "virtual"}).status)
	}
	good := token.Claims{User: `LAB\a<b>`, Category: token.Connection, Session: "s1", Server: "ws1"}
	with := func(change func(*token.Claims)) token.Claims {
		c := good
		change(&c)
		return c
	}
	tests := map[string]struct {
		claims  token.Claims
		life    time.Duration
		session string
		yes     bool
	}{
		"the right pair":                   {claims: good, session: "s1", yes: true},
		"another session":                  {claims: good, session: "of-ws1"},
		"no session":                       {claims: good, session: ""},
		"another user":                     {claims: with(func(c *token.Claims) { c.User = "mallory" }), session: "s1"},
		"a session that does not exist":    {claims: with(func(c *token.Claims) { c.Session = "s9" }), session: "s9"},
		"a host without that session":      {claims: with(func(c *token.Claims) { c.Session, c.Server = "of-ws1", "ws2" }), session: "of-ws1"},
		"a host that does not exist":       {claims: with(func(c *token.Claims) { c.Server = "ws9" }), session: "s1"},
		"an ended token":                   {claims: good, life: -time.Second, session: "s1"},
		"a user's login as a connection":   {claims: with(func(c *token.Claims) { c.Category = token.User }), session: "s1"},
		"an admin's login as a connection": {claims: with(func(c *token.Claims) { c.Category = token.Admin }), session: "s1"},
		"a token that names no session":    {claims: with(func(c *token.Claims) { c.Session = "" }), session: ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			life := tt.life
			if life == 0 {
				life = time.Hour
			}
			for _, path := range []string{dcvix.PathAuthTokenVerify, dcvix.PathAuthTokenVerify + "/"} {
				status, contentType, body := verify(t, s, path, tt.session, seal(t, s, tt.claims, life))
				assert.Equal(t, http.StatusOK, status)
				assert.Equal(t, "text/xml", contentType)
				if tt.yes {
					assert.Equal(t, `<auth result="yes"><username>LAB\a&lt;b&gt;</username></auth>`, body)
				} else {
					assert.Equal(t, refusal, body)
				}
			}
		})
	}
}

func TestATokenMayComeAgainUntilItsSessionCloses(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := approved(t, s, "ws1")
	h.report(t, dcvix.Session{ID: "s1", Owner: "alice", Type: "virtual"})
	sealed := connectionToken(t, s, "alice")
	for range 3 { // viewers reconnect
		_, _, body := verify(t, s, dcvix.PathAuthTokenVerify, "s1", sealed)
		assert.Contains(t, body, "yes")
	}
	h.report(t) // the session is gone
	_, _, body := verify(t, s, dcvix.PathAuthTokenVerify, "s1", sealed)
	assert.Equal(t, refusal, body)
}

func TestGarbageToTheVerifier(t *testing.T) {
	s := directorapitest.NewServer(t)
	_, _, body := verify(t, s, dcvix.PathAuthTokenVerify, "s1", "v4.local.garbage")
	assert.Equal(t, refusal, body)
	_, _, body = verify(t, s, dcvix.PathAuthTokenVerify, "s1", "")
	assert.Equal(t, refusal, body)
	status, _, body := verify(t, s, dcvix.PathAuthTokenVerify, "s1", strings.Repeat("a", 64<<10))
	assert.Equal(t, http.StatusRequestEntityTooLarge, status, body)
}

func TestAConnectionTokenIsForOnesOwnSessions(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := approved(t, s, "ws1")
	h.report(t, dcvix.Session{ID: "s1", Owner: "alice", Type: "virtual"}, dcvix.Session{ID: "s2", Owner: "bob", Type: "virtual"})
	alice := loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice)

	r := alice.get(t, dcvix.PathUserConnectionToken+"?sessionId=s1&serverId=ws1&userId=bob")
	require.Equal(t, http.StatusOK, r.status, r.body)
	assert.Equal(t, "no-store", r.header.Get("Cache-Control"))
	var answer dcvix.ConnectionTokenResponse
	r.json(t, &answer)
	assert.Equal(t, dcvix.Hostname("ws1"), answer.Host)
	assert.Equal(t, 8443, answer.Port)
	assert.Equal(t, "/", answer.WebURLPath)
	claims, err := s.Tokens.Open(answer.Token, token.Connection)
	require.NoError(t, err)
	assert.Equal(t, dcvix.Username("alice"), claims.User)
	assert.Equal(t, claims.ExpiresAt.Unix(), answer.ExpiresAt.Unix())

	for what, query := range map[string]string{
		"another's session":      "?sessionId=s2&serverId=ws1",
		"no such session":        "?sessionId=s9&serverId=ws1",
		"no session":             "",
		"the session elsewhere":  "?sessionId=s1&serverId=ws2",
		"a server that is a URL": "?sessionId=s1&serverId=127.0.0.1%3A22",
	} {
		assert.Equal(t, http.StatusForbidden, alice.get(t, dcvix.PathUserConnectionToken+query).status, what)
	}
}
