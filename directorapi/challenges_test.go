package directorapi_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/auth/privacyidea"
	"github.com/dcvix/dcvix/auth/privacyidea/privacyideatest"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
)

const constantRefusal = "The user name, the password or the code is wrong."

// asking is a backend with a second step: its challenges are "step-{user}", its
// code is 123456.
func asking() auth.Authenticator {
	first := authtest.Static{Passwords: map[dcvix.Username]auth.Secret{
		directorapitest.Alice: directorapitest.Password, directorapitest.Bob: directorapitest.Password, directorapitest.Root: directorapitest.Password,
	}}
	return auth.WithOTP(first, auth.VerifierFunc(func(_ context.Context, c auth.Credentials) error {
		switch {
		case c.Challenge == "":
			return &auth.Challenge{Prompt: "Code of\x1b[2J your\nphone", State: "step-" + c.User}
		case c.Challenge == "step-"+c.User && c.OTP == "123456":
			return nil
		}
		return auth.ErrInvalidCredentials
	}))
}

func withAsking(c *directorapi.Config) { c.Authenticator = asking() }

func login(user string) dcvix.LoginRequest {
	return dcvix.LoginRequest{UserID: user, Password: directorapitest.Password}
}

// challenge logs in and returns the challenge that this begins.
func challenge(t *testing.T, s *directorapitest.Server, req dcvix.LoginRequest) string {
	t.Helper()
	var step *client.ChallengeError
	require.ErrorAs(t, s.Anonymous().Login(t.Context(), req), &step)
	assert.Equal(t, "Code of [2J your phone", step.Prompt)
	require.NotEmpty(t, step.Challenge)
	return step.Challenge
}

func withCode(user, challenge string) dcvix.LoginRequest {
	req := login(user)
	req.OTP, req.Challenge = "123456", challenge
	return req
}

// refusedLogin checks that a login is refused as all are.
func refusedLogin(t *testing.T, s *directorapitest.Server, req dcvix.LoginRequest) {
	t.Helper()
	var refusal *dcvix.Error
	require.ErrorAs(t, s.Anonymous().Login(t.Context(), req), &refusal)
	assert.Equal(t, dcvix.CodeUnauthenticated, refusal.Code)
	assert.Equal(t, constantRefusal, refusal.Message)
}

func TestASecondStep(t *testing.T) {
	s := directorapitest.NewServer(t, directorapitest.WithAPI(withAsking))
	for _, path := range []string{dcvix.PathUserLogin, dcvix.PathAdminLogin} {
		t.Run(path, func(t *testing.T) {
			c := anybody(s)
			c.header = map[string]string{"Accept": "application/problem+json"}
			first := c.post(t, path, login(directorapitest.Root))

			require.Equal(t, 401, first.status)
			assert.Equal(t, "application/problem+json", first.header.Get("Content-Type"))
			assert.Empty(t, first.header.Get("Set-Cookie"))
			assert.Equal(t, "no-store", first.header.Get("Cache-Control"))
			var problem dcvix.Problem
			first.json(t, &problem)
			assert.Equal(t, "urn:dcvix:otp-required", problem.Type)
			assert.Equal(t, "Code of [2J your phone", problem.Prompt, "no control character")
			second := c.post(t, path, withCode(directorapitest.Root, problem.Challenge))
			assert.Equal(t, 200, second.status, second.body)
			assert.Contains(t, second.header.Get("Set-Cookie"), "dcvix_session=v4.local.")
		})
	}
}

func TestAClientThatKnowsNoSecondStepHearsWhatEverybodyHears(t *testing.T) {
	s := directorapitest.NewServer(t, directorapitest.WithAPI(withAsking))
	for _, accept := range []string{"", "*/*", "text/html", "application/json"} {
		c := anybody(s)
		c.header = map[string]string{"Accept": accept}
		step := c.post(t, dcvix.PathUserLogin, login(directorapitest.Alice))
		wrong := c.post(t, dcvix.PathUserLogin, dcvix.LoginRequest{UserID: directorapitest.Alice, Password: "guess"})
		assert.Equal(t, 401, step.status)
		id := func(r reply) string { return strings.ReplaceAll(r.body, r.header.Get("X-Request-Id"), "ID") }
		assert.Equal(t, id(wrong), id(step), "Accept: %q", accept)
		assert.NotContains(t, step.body, "challenge")
	}
}

func TestAttacksOnASecondStep(t *testing.T) {
	tests := map[string]func(t *testing.T, s *directorapitest.Server, challenge string) dcvix.LoginRequest{
		"the challenge of another user": func(_ *testing.T, _ *directorapitest.Server, challenge string) dcvix.LoginRequest {
			return withCode(directorapitest.Bob, challenge)
		},
		"another spelling of the user": func(_ *testing.T, _ *directorapitest.Server, challenge string) dcvix.LoginRequest {
			return withCode("Alice", challenge)
		},
		"a wrong password": func(_ *testing.T, _ *directorapitest.Server, challenge string) dcvix.LoginRequest {
			req := withCode(directorapitest.Alice, challenge)
			req.Password = "guess"
			return req
		},
		"a wrong code": func(_ *testing.T, _ *directorapitest.Server, challenge string) dcvix.LoginRequest {
			req := withCode(directorapitest.Alice, challenge)
			req.OTP = "1"
			return req
		},
		"used twice": func(t *testing.T, s *directorapitest.Server, challenge string) dcvix.LoginRequest {
			t.Helper()
			require.NoError(t, s.Anonymous().Login(t.Context(), withCode(directorapitest.Alice, challenge)))
			return withCode(directorapitest.Alice, challenge)
		},
		"used twice, the first time with a wrong code": func(t *testing.T, s *directorapitest.Server, challenge string) dcvix.LoginRequest {
			t.Helper()
			wrong := withCode(directorapitest.Alice, challenge)
			wrong.OTP = "1"
			require.Error(t, s.Anonymous().Login(t.Context(), wrong))
			return withCode(directorapitest.Alice, challenge)
		},
		"a changed letter": func(_ *testing.T, _ *directorapitest.Server, challenge string) dcvix.LoginRequest {
			middle := len(challenge) / 2
			other := "A"
			if challenge[middle] == 'A' {
				other = "B"
			}
			return withCode(directorapitest.Alice, challenge[:middle]+other+challenge[middle+1:])
		},
		"the state in clear": func(_ *testing.T, _ *directorapitest.Server, _ string) dcvix.LoginRequest {
			return withCode(directorapitest.Alice, "step-alice")
		},
		"a login's token": func(t *testing.T, s *directorapitest.Server, _ string) dcvix.LoginRequest {
			t.Helper()
			sealed, _, err := s.Tokens.Seal(token.Claims{User: directorapitest.Alice, Category: token.User}, time.Hour)
			require.NoError(t, err)
			return withCode(directorapitest.Alice, sealed)
		},
		"one of another director with the same key": func(t *testing.T, s *directorapitest.Server, _ string) dcvix.LoginRequest {
			t.Helper()
			sealed, err := directorapi.Challenges(s.Tokens).SealState("step-alice", directorapitest.Alice, "127.0.0.1")
			require.NoError(t, err)
			return withCode(directorapitest.Alice, sealed)
		},
	}
	for name, attack := range tests {
		t.Run(name, func(t *testing.T) {
			s := directorapitest.NewServer(t, directorapitest.WithAPI(withAsking))
			refusedLogin(t, s, attack(t, s, challenge(t, s, login(directorapitest.Alice))))
		})
	}
}

func TestAChallengeIsNoLogin(t *testing.T) {
	s := directorapitest.NewServer(t, directorapitest.WithAPI(withAsking))
	sealed := challenge(t, s, login(directorapitest.Root))
	cookie, header := anybody(s), anybody(s)
	cookie.cookie = sealed
	header.header = map[string]string{"Authorization": "Bearer " + sealed}
	for _, c := range []*caller{cookie, header} {
		for _, path := range []string{dcvix.PathAuthHealth, dcvix.PathUserServers, dcvix.PathSessions} {
			assert.Equal(t, 401, c.get(t, path).status, path)
		}
	}
}

func TestAChallengeHoldsForFiveMinutes(t *testing.T) {
	ahead := new(atomic.Int64)
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	s := directorapitest.NewServer(t, directorapitest.WithAPI(withAsking), directorapitest.WithAPI(func(c *directorapi.Config) {
		var err error
		c.Tokens, err = token.New(token.Config{Keys: []token.Key{token.NewKey()}, Now: now})
		require.NoError(t, err)
		c.Now = now
	}))
	early, late := challenge(t, s, login(directorapitest.Alice)), challenge(t, s, login(directorapitest.Alice))

	ahead.Store(int64(4 * time.Minute))
	require.NoError(t, s.Anonymous().Login(t.Context(), withCode(directorapitest.Alice, early)))
	ahead.Store(int64(5 * time.Minute))
	refusedLogin(t, s, withCode(directorapitest.Alice, late))
}

func TestAChallengeIsBoundToItsAddressAndLivesFiveMinutes(t *testing.T) {
	const user, address, state = "alice", "192.0.2.7", "transaction-0815"
	tests := map[string]struct {
		user, address string
		wait          time.Duration
		good          bool
	}{
		"as it was made":          {user: user, address: address, good: true},
		"a second before its end": {user: user, address: address, wait: 5*time.Minute - time.Second, good: true},
		"at its end":              {user: user, address: address, wait: 5 * time.Minute},
		"from another address":    {user: user, address: "192.0.2.8"},
		"from no address":         {user: user},
		"by another user":         {user: "bob", address: address},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tokens, err := token.New(token.Config{Keys: []token.Key{token.NewKey()}})
				require.NoError(t, err)
				h := directorapi.Challenges(tokens)
				sealed, err := h.SealState(state, user, address)
				require.NoError(t, err)
				time.Sleep(tt.wait)

				got, err := h.OpenState(sealed, tt.user, tt.address)

				if tt.good {
					require.NoError(t, err)
					assert.Equal(t, state, got)
					_, err = h.OpenState(sealed, tt.user, tt.address)
				}
				require.Error(t, err)
				assert.NotErrorIs(t, err, auth.ErrUnavailable)
				if !tt.good && tt.wait == 0 {
					_, err = h.OpenState(sealed, user, address)
					assert.NoError(t, err, "whom it does not belong to does not use it up")
				}
			})
		})
	}
}

func TestOfTwoWhoUseAChallengeAtOnceOneDoes(t *testing.T) {
	tokens, err := token.New(token.Config{Keys: []token.Key{token.NewKey()}})
	require.NoError(t, err)
	h := directorapi.Challenges(tokens)
	sealed, err := h.SealState("x", "alice", "192.0.2.7")
	require.NoError(t, err)
	var good atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := h.OpenState(sealed, "alice", "192.0.2.7"); err == nil {
				good.Add(1)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, int32(1), good.Load())
}

func TestUsedChallengesAreBoundedAndForgottenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := directorapi.Challenges(nil)
		for i := range 10_000 {
			require.NoError(t, h.Spend(strconv.Itoa(i), time.Now().Add(5*time.Minute)))
		}
		for i := range 90_000 {
			require.ErrorIs(t, h.Spend("more"+strconv.Itoa(i), time.Now().Add(5*time.Minute)), auth.ErrUnavailable)
		}
		require.Error(t, h.Spend("77", time.Now().Add(5*time.Minute)), "none is forgotten while it could be used again")
		assert.Equal(t, 10_000, h.Spent())

		time.Sleep(5 * time.Minute)

		require.NoError(t, h.Spend("one", time.Now().Add(5*time.Minute)))
		assert.Equal(t, 1, h.Spent())
	})
}

func TestAStateThatIsTooLongIsAFaultOfTheBackend(t *testing.T) {
	s := directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) {
		c.Authenticator = auth.AuthenticatorFunc(func(context.Context, auth.Credentials) (auth.Identity, error) {
			return auth.Identity{}, &auth.Challenge{State: strings.Repeat("x", 4097)}
		})
	}))
	var fault *dcvix.Error
	require.ErrorAs(t, s.Anonymous().Login(t.Context(), login(directorapitest.Alice)), &fault)
	assert.Equal(t, dcvix.CodeInternal, fault.Code)
}

func TestTheStepsOfALoginAreOnRecord(t *testing.T) {
	s, audit, _ := audited(t, directorapitest.WithAPI(withAsking))
	sealed := challenge(t, s, login(directorapitest.Alice))
	require.NoError(t, s.Anonymous().Login(t.Context(), withCode(directorapitest.Alice, sealed)))
	require.Error(t, s.Anonymous().Login(t.Context(), withCode(directorapitest.Alice, sealed)))
	anybody(s).post(t, dcvix.PathUserLogin, login(directorapitest.Bob)) // knows no second step

	var got []string
	for _, r := range records(t, audit) {
		got = append(got, said(r)+": "+r.Reason)
		assert.NotContains(t, fmt.Sprint(r), "123456")
		assert.NotContains(t, fmt.Sprint(r), "v4.local")
		assert.NotContains(t, fmt.Sprint(r), "step-")
	}
	assert.Equal(t, []string{
		"login challenged by user alice: The login service asks for a second step.",
		"login ok by user alice: ",
		"login refused by user alice: " + constantRefusal,
		"login refused by user bob: " + constantRefusal,
	}, got)
}

func TestManyChallengesMakeFewLines(t *testing.T) {
	s, audit, _ := audited(t, directorapitest.WithAPI(withAsking))
	c := s.Anonymous()
	for range 100 {
		require.Error(t, c.Login(t.Context(), login(directorapitest.Alice)))
	}
	assert.Len(t, records(t, audit), 1)
	assert.Equal(t, session.AuditChallenged, records(t, audit)[0].Outcome)
}

// The whole way: a page or a launcher, the director, and a privacyIDEA server.
func TestASecondStepWithPrivacyIDEA(t *testing.T) {
	pi := privacyideatest.NewServer(t, privacyideatest.Config{})
	k := pi.AddToken(directorapitest.Alice, directorapitest.Password, privacyideatest.HOTP).Asks("Code of your token")
	verifier, err := privacyidea.New(privacyidea.Config{URL: pi.URL, CAs: pi.CAs()})
	require.NoError(t, err)
	s := directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) {
		c.Authenticator = auth.WithOTP(c.Authenticator, verifier)
	}))
	req := login(directorapitest.Alice)
	var step *client.ChallengeError
	require.ErrorAs(t, s.Anonymous().Login(t.Context(), req), &step)
	assert.Equal(t, "Code of your token", step.Prompt)

	req.OTP, req.Challenge = k.Code(), step.Challenge
	c := s.Anonymous()
	require.NoError(t, c.Login(t.Context(), req))
	_, err = c.Servers(t.Context())
	require.NoError(t, err)

	id := pi.Checks()[1].Get("transaction_id")
	require.NotEmpty(t, id)
	assert.NotContains(t, step.Challenge, id)
	req.OTP, req.Challenge = k.Code(), id
	refusedLogin(t, s, req)
	assert.Len(t, pi.Checks(), 2, "a transaction is never taken from a client")
	req.Challenge = ""
	assert.NoError(t, s.Anonymous().Login(t.Context(), req), "both at once are good too")
}

func FuzzChallenge(f *testing.F) {
	tokens, err := token.New(token.Config{Keys: []token.Key{{1}}})
	require.NoError(f, err)
	h := directorapi.Challenges(tokens)
	sealed, err := h.SealState("state", "alice", "192.0.2.7")
	require.NoError(f, err)
	stale, err := directorapi.Challenges(tokens).SealState("state", "alice", "192.0.2.7")
	require.NoError(f, err)
	for _, seed := range []string{sealed, stale, "v4.local.", ""} {
		f.Add(seed, "bob", "192.0.2.8")
	}
	f.Fuzz(func(t *testing.T, in, user, address string) {
		if user == "alice" && address == "192.0.2.7" {
			user = "bob"
		}
		if _, err := h.OpenState(in, user, address); err == nil {
			t.Errorf("a challenge opened for %q at %q", user, address)
		}
		if _, err := h.OpenState(in, "alice", "192.0.2.7"); err == nil && in != sealed {
			t.Error("a challenge opened that nobody sealed")
		}
	})
}
