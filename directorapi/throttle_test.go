package directorapi_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
)

const code = "246810"

// withCodes makes a director whose people need a code too, and counts how often
// its login backend is asked.
func withCodes(change ...func(*directorapi.Config)) (directorapitest.Option, *atomic.Int64) {
	asked := new(atomic.Int64)
	return directorapitest.WithAPI(func(c *directorapi.Config) {
		known := c.Authenticator
		c.Authenticator = auth.AuthenticatorFunc(func(ctx context.Context, given auth.Credentials) (auth.Identity, error) {
			asked.Add(1)
			who, err := known.Authenticate(ctx, given)
			if err == nil && given.OTP != code {
				return auth.Identity{}, auth.ErrInvalidCredentials
			}
			return who, err
		})
		for _, f := range change {
			f(c)
		}
	}), asked
}

func TestRefusedLoginsAreTheSameToTheLastHeader(t *testing.T) {
	const good, root, alice = directorapitest.Password, directorapitest.Root, directorapitest.Alice
	tests := map[string]struct {
		path  string
		req   dcvix.LoginRequest
		asked int64 // the backend, how often
	}{
		"a wrong password":              {dcvix.PathUserLogin, dcvix.LoginRequest{UserID: alice, Password: "guess", OTP: code}, 1},
		"an unknown user":               {dcvix.PathUserLogin, dcvix.LoginRequest{UserID: "nobody", Password: good, OTP: code}, 1},
		"a wrong code":                  {dcvix.PathUserLogin, dcvix.LoginRequest{UserID: alice, Password: good, OTP: "1"}, 1},
		"no code":                       {dcvix.PathUserLogin, dcvix.LoginRequest{UserID: alice, Password: good}, 1},
		"no admin":                      {dcvix.PathAdminLogin, dcvix.LoginRequest{UserID: alice, Password: good, OTP: code}, 1},
		"an admin's wrong password":     {dcvix.PathAdminLogin, dcvix.LoginRequest{UserID: root, Password: "guess", OTP: code}, 1},
		"an unknown admin":              {dcvix.PathAdminLogin, dcvix.LoginRequest{UserID: "nobody", Password: "guess", OTP: code}, 1},
		"no password":                   {dcvix.PathUserLogin, dcvix.LoginRequest{UserID: alice, OTP: code}, 0},
		"no name":                       {dcvix.PathUserLogin, dcvix.LoginRequest{Password: good, OTP: code}, 0},
		"a line break in the name":      {dcvix.PathUserLogin, dcvix.LoginRequest{UserID: "alice\nroot", Password: good, OTP: code}, 0},
		"a NUL in the name":             {dcvix.PathUserLogin, dcvix.LoginRequest{UserID: "alice\x00", Password: good, OTP: code}, 0},
		"a name that looks like a flag": {dcvix.PathAdminLogin, dcvix.LoginRequest{UserID: "-root", Password: good, OTP: code}, 0},
		"a name of 257 bytes":           {dcvix.PathAdminLogin, dcvix.LoginRequest{UserID: strings.Repeat("a", 257), Password: good, OTP: code}, 0},
	}
	throttle, err := auth.NewThrottle(auth.ThrottleConfig{Failures: 100, MinRefusal: -1})
	require.NoError(t, err)
	opt, asked := withCodes(func(c *directorapi.Config) { c.Throttle = throttle })
	c := anybody(directorapitest.NewServer(t, opt))
	for _, accept := range []string{"", "application/problem+json", "application/json"} {
		var first reply
		c.header = map[string]string{"Accept": accept}
		for name, tt := range tests {
			before := asked.Load()
			r := c.post(t, tt.path, tt.req)
			assert.Equal(t, tt.asked, asked.Load()-before, name)
			assert.Equal(t, http.StatusUnauthorized, r.status, name)
			id := r.header.Get("X-Request-Id")
			require.NotEmpty(t, id)
			r.body = strings.ReplaceAll(r.body, id, "ID")
			r.header.Del("X-Request-Id")
			r.header.Del("Date")
			if first.status == 0 {
				first = r
			}
			assert.Equal(t, first, r, "%s, accepting %q", name, accept)
		}
	}
}

// Patience with a right password would tell that it is one.
func TestTheThrottleTellsNobodyThatAPasswordIsRight(t *testing.T) {
	statuses := func(path, user, password string) (all []int) {
		c := anybody(directorapitest.NewServer(t))
		for range 9 {
			all = append(all, c.post(t, path, dcvix.LoginRequest{UserID: user, Password: password}).status)
		}
		return all
	}
	want := []int{401, 401, 401, 401, 401, 401, 429, 429, 429}
	assert.Equal(t, want, statuses(dcvix.PathUserLogin, directorapitest.Alice, "guess"))
	assert.Equal(t, want, statuses(dcvix.PathUserLogin, "nobody", "guess"))
	assert.Equal(t, want, statuses(dcvix.PathAdminLogin, directorapitest.Alice, directorapitest.Password), "no admin")
	assert.Equal(t, want, statuses(dcvix.PathAdminLogin, directorapitest.Root, "guess"))
}

// A log collects what is logged at info and above.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) lines(with string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), with)
}

func TestAThrottledLoginIsToldWhenToComeAgainAndIsOnRecord(t *testing.T) {
	said := new(log)
	s, audit, ahead := audited(t, directorapitest.WithAPI(func(c *directorapi.Config) {
		c.Logger = slog.New(slog.NewTextHandler(said, nil))
	}))
	try := func(password string) reply {
		return anybody(s).post(t, dcvix.PathUserLogin, dcvix.LoginRequest{UserID: directorapitest.Alice, Password: password})
	}
	for range 6 {
		require.Equal(t, http.StatusUnauthorized, try("guess").status)
	}
	require.Equal(t, http.StatusTooManyRequests, try("guess").status)
	ahead.Add(int64(time.Second))
	require.Equal(t, http.StatusUnauthorized, try("guess").status)

	r := try(directorapitest.Password)

	assert.Equal(t, http.StatusTooManyRequests, r.status)
	assert.Equal(t, "2", r.header.Get("Retry-After"))
	assert.Equal(t, "Too many logins failed: wait 2 s, then try again.", r.body)
	assert.Empty(t, r.header.Get("Set-Cookie"))
	require.Len(t, records(t, audit), 1, "the others are counted")
	assert.Equal(t, 1, said.lines("msg=login"), "and so they are in the log")
	assert.Equal(t, 1, said.lines(`msg="request refused"`))

	ahead.Add(int64(2 * time.Second))
	require.Equal(t, http.StatusOK, try(directorapitest.Password).status)
	ahead.Add(int64(time.Minute))
	for range 7 {
		try("guess")
	}
	counted := records(t, audit)[2]
	assert.Equal(t, 8, counted.Count)
	assert.Equal(t, session.AuditRefused, counted.Outcome)
	assert.Equal(t, "Too many logins failed: wait 2 s, then try again.", counted.Reason)
	assert.Equal(t, directorapitest.Alice, counted.Actor)
	assert.Equal(t, "127.0.0.1", counted.Address)
}

func TestTheBackendLearnsWhereALoginComesFrom(t *testing.T) {
	var seen atomic.Value
	s := directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) {
		c.Authenticator = auth.AuthenticatorFunc(func(_ context.Context, c auth.Credentials) (auth.Identity, error) {
			seen.Store(c.Address)
			return auth.Identity{User: "alice"}, nil
		})
	}))
	c := anybody(s)
	c.header = map[string]string{"X-Forwarded-For": "203.0.113.7"}
	require.Equal(t, http.StatusOK, c.post(t, dcvix.PathUserLogin, dcvix.LoginRequest{UserID: "alice", Password: "x"}).status)
	assert.Equal(t, "127.0.0.1", seen.Load())
}

// logIn logs in without a network, from any address, and returns the status.
func logIn(t testing.TB, s *directorapitest.Server, address, user, password string) int {
	t.Helper()
	body := directorapitest.JSON(t, dcvix.LoginRequest{UserID: user, Password: password})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, dcvix.PathUserLogin, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = net.JoinHostPort(address, "40000")
	w := httptest.NewRecorder()
	s.API.Users().ServeHTTP(w, r)
	return w.Code
}

func TestFailuresElsewhereDoNotConcernAUserAtHome(t *testing.T) {
	s := directorapitest.NewServer(t)
	require.Equal(t, http.StatusOK, logIn(t, s, "192.0.2.1", directorapitest.Alice, directorapitest.Password))
	for i := range 100 {
		go logIn(t, s, "198.51.100."+strconv.Itoa(i), directorapitest.Alice, "guess")
	}
	directorapitest.Await(t, "strangers are refused", func() bool {
		return logIn(t, s, "198.51.100.200", directorapitest.Alice, "guess") == http.StatusTooManyRequests
	})
	assert.Equal(t, http.StatusOK, logIn(t, s, "192.0.2.1", directorapitest.Alice, directorapitest.Password))
}

// BenchmarkLoginUnderAttack is a good login while a thousand a second fail.
func BenchmarkLoginUnderAttack(b *testing.B) {
	s := directorapitest.NewServer(b, directorapitest.WithAPI(func(c *directorapi.Config) {
		c.Logger = slog.New(slog.DiscardHandler)
	}))
	for _, guessers := range []int{0, 20} {
		b.Run(strconv.Itoa(guessers*50)+" failing a second", func(b *testing.B) {
			ctx, stop := context.WithCancel(b.Context())
			var guessing sync.WaitGroup
			for i := range guessers {
				guessing.Go(func() {
					tick := time.NewTicker(20 * time.Millisecond)
					defer tick.Stop()
					for n := 0; ctx.Err() == nil; n++ {
						<-tick.C
						// The refusal waits, the guesser does not.
						guessing.Go(func() { logIn(b, s, fmt.Sprintf("10.1.%d.%d", i, n%250), "user"+strconv.Itoa(n), "guess") }) //nolint:contextcheck // a login has the test's own
					}
				})
			}
			for b.Loop() {
				if status := logIn(b, s, "192.0.2.1", directorapitest.Alice, directorapitest.Password); status != http.StatusOK {
					b.Fatal(status)
				}
			}
			stop()
			guessing.Wait()
		})
	}
}
