package directorapi_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

func TestTheCookieOfALogin(t *testing.T) {
	s := directorapitest.NewServer(t)
	r := anybody(s).post(t, dcvix.PathUserLogin, dcvix.LoginRequest{UserID: directorapitest.Alice, Password: directorapitest.Password})

	require.Equal(t, http.StatusOK, r.status)
	assert.JSONEq(t, "{}", r.body)
	cookie, err := http.ParseSetCookie(r.header.Get("Set-Cookie"))
	require.NoError(t, err)
	assert.Equal(t, "dcvix_session", cookie.Name)
	assert.Equal(t, "/", cookie.Path)
	assert.True(t, cookie.HttpOnly)
	assert.True(t, cookie.Secure)
	assert.Equal(t, http.SameSiteStrictMode, cookie.SameSite)
	assert.WithinDuration(t, time.Now().Add(2*time.Hour), cookie.Expires, time.Minute)
	claims, err := s.Tokens.Open(cookie.Value, token.User)
	require.NoError(t, err)
	assert.Equal(t, dcvix.Username(directorapitest.Alice), claims.User)
	assert.Equal(t, cookie.Expires.Unix(), claims.ExpiresAt.Unix())
}

func TestRefusedLoginsLookAlike(t *testing.T) {
	s := directorapitest.NewServer(t)
	tests := map[string]struct{ path, user, password string }{
		"wrong password":       {dcvix.PathUserLogin, directorapitest.Alice, "guess"},
		"unknown user":         {dcvix.PathUserLogin, "nobody", directorapitest.Password},
		"no password":          {dcvix.PathUserLogin, directorapitest.Alice, ""},
		"newline in the user":  {dcvix.PathUserLogin, "alice\nroot", directorapitest.Password},
		"10 kB user":           {dcvix.PathUserLogin, strings.Repeat("a", 10_000), directorapitest.Password},
		"admin wrong password": {dcvix.PathAdminLogin, directorapitest.Root, "guess"},
		"no admin":             {dcvix.PathAdminLogin, directorapitest.Alice, directorapitest.Password},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := anybody(s).post(t, tt.path, dcvix.LoginRequest{UserID: tt.user, Password: tt.password})
			assert.Equal(t, http.StatusUnauthorized, r.status)
			assert.Equal(t, "The user name, the password or the code is wrong.", r.body)
			assert.Empty(t, r.header.Get("Set-Cookie"))
		})
	}
}

func TestABackendThatFailsIsNotAWrongPassword(t *testing.T) {
	tests := map[string]struct {
		backend auth.AuthenticatorFunc
		want    int
	}{
		"unreachable": {func(context.Context, auth.Credentials) (auth.Identity, error) {
			return auth.Identity{}, auth.ErrUnavailable
		}, 503},
		"broken": {func(context.Context, auth.Credentials) (auth.Identity, error) {
			return auth.Identity{}, errors.New("/etc/secret/path is broken")
		}, 500},
		"panics": {func(context.Context, auth.Credentials) (auth.Identity, error) { panic("boom") }, 500},
		"names nonsense": {func(context.Context, auth.Credentials) (auth.Identity, error) {
			return auth.Identity{User: "a\nb"}, nil
		}, 500},
		"hangs": {func(ctx context.Context, _ auth.Credentials) (auth.Identity, error) {
			<-ctx.Done()
			return auth.Identity{}, ctx.Err()
		}, 504},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) {
				c.Authenticator, c.LoginTimeout = tt.backend, 50*time.Millisecond
			}))
			r := anybody(s).post(t, dcvix.PathUserLogin, dcvix.LoginRequest{UserID: "alice", Password: "x"})
			assert.Equal(t, tt.want, r.status)
			assert.NotContains(t, r.body, "secret", "an error's own words stay in the log")
			assert.NotContains(t, r.body, "boom")
		})
	}
}

func TestLogoutEndsTheTokenNotOnlyTheCookie(t *testing.T) {
	s := directorapitest.NewServer(t)
	c := loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice)
	require.Equal(t, http.StatusOK, c.get(t, dcvix.PathAuthHealth).status)

	r := c.post(t, dcvix.PathLogout, nil)

	assert.Equal(t, http.StatusOK, r.status)
	assert.Contains(t, r.header.Get("Set-Cookie"), "dcvix_session=;")
	assert.Equal(t, http.StatusUnauthorized, c.get(t, dcvix.PathAuthHealth).status)
	assert.Equal(t, http.StatusOK, anybody(s).post(t, dcvix.PathLogout, nil).status, "without a login")
}

func TestAScriptMaySendItsTokenInTheHeader(t *testing.T) {
	s := directorapitest.NewServer(t)
	c := anybody(s)
	c.header = map[string]string{"Authorization": "Bearer " + loggedIn(t, s, dcvix.PathUserLogin, directorapitest.Alice).cookie}
	assert.Equal(t, http.StatusOK, c.get(t, dcvix.PathAuthHealth).status)
}

func TestAnAdminWhomThePolicyDropsIsOneNoMore(t *testing.T) {
	s := directorapitest.NewServer(t)
	c := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	require.Equal(t, http.StatusOK, c.get(t, dcvix.PathSessions).status)

	s.Policy.Set(t, `[{"id":"root"}]`, "")

	assert.Equal(t, http.StatusForbidden, c.get(t, dcvix.PathSessions).status)
}

func TestWhatAUserMayName(t *testing.T) {
	s := directorapitest.NewServer(t)
	s.Policy.Set(t, `[
		{"id": "alice", "workstations": ["ws2", "WS1"], "pools": ["GPU", "cad"]},
		{"UserID": "bob", "Workstations": ["ALLOW_CUSTOM", "ws9"]},
		{"id": "root", "admin": true}]`,
		`[{"id": "gpu", "workstations": ["g1", "ws1", "g2"]}, {"PoolID": "cad", "Workstations": ["g2", "c1"]}]`)
	for user, want := range map[string]string{
		directorapitest.Alice:   `{"servers":["ws2","WS1","g1","g2","c1"]}`,
		directorapitest.Bob:     `{"servers":["ws9","ALLOW_CUSTOM"]}`,
		directorapitest.Mallory: `{"servers":[],"reason":"The policy names neither you nor a group of yours: ask an administrator for a workstation."}`,
		directorapitest.Root:    `{"servers":[],"reason":"The policy gives you no workstation: ask an administrator for one."}`,
	} {
		r := loggedIn(t, s, dcvix.PathUserLogin, user).get(t, dcvix.PathUserServers)
		assert.JSONEq(t, want, r.body, user)
	}
}

func TestWhatAnybodyMayAsk(t *testing.T) {
	s := directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) { c.OTP = dcvix.OTPOptional }))
	var health dcvix.Health
	anybody(s).get(t, dcvix.PathHealth).json(t, &health)
	assert.Equal(t, dcvix.Health{Status: "healthy", Protocol: dcvix.ProtocolVersion, Version: dcvix.Version}, health)
	assert.JSONEq(t, `{"otp":"optional"}`, anybody(s).get(t, dcvix.PathUserLogin).body)
	assert.Equal(t, string(s.CA.PEM()), anybody(s).get(t, dcvix.PathCA).body)
	assert.True(t, strings.HasPrefix(anybody(s).get(t, "/v1/openapi.yaml").body, "openapi: 3.0.3"))
}
