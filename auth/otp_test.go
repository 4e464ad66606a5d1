package auth_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
)

func static() authtest.Static {
	return authtest.Static{
		Passwords: map[dcvix.Username]auth.Secret{"alice": "wonder"},
		Groups:    map[dcvix.Username][]string{"alice": {"cad", "gpu"}},
	}
}

// knows is a verifier of one code.
func knows(code auth.Secret) auth.VerifierFunc {
	return func(ctx context.Context, c auth.Credentials) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case c.OTP != code:
			return auth.ErrInvalidCredentials
		}
		return nil
	}
}

func TestWithOTPKeepsThePromises(t *testing.T) {
	down := auth.AuthenticatorFunc(func(context.Context, auth.Credentials) (auth.Identity, error) {
		return auth.Identity{}, fmt.Errorf("dial: %w", auth.ErrUnavailable)
	})
	authtest.TestAuthenticator(t, authtest.Target{
		Authenticator: auth.WithOTP(static(), knows("123456")),
		Good:          auth.Credentials{User: "alice", Password: "wonder", OTP: "123456"},
		Want:          auth.Identity{User: "alice", Groups: []string{"cad", "gpu"}},
		Down:          auth.WithOTP(down, knows("123456")),
	})
}

func TestALoginNeedsBothFactors(t *testing.T) {
	tests := map[string]struct {
		c    auth.Credentials
		want error
	}{
		"both":                   {c: auth.Credentials{User: "alice", Password: "wonder", OTP: "123456"}},
		"a wrong password":       {c: auth.Credentials{User: "alice", Password: "guess", OTP: "123456"}, want: auth.ErrInvalidCredentials},
		"a wrong code":           {c: auth.Credentials{User: "alice", Password: "wonder", OTP: "1"}, want: auth.ErrInvalidCredentials},
		"no code":                {c: auth.Credentials{User: "alice", Password: "wonder"}, want: auth.ErrInvalidCredentials},
		"a code and no password": {c: auth.Credentials{User: "alice", OTP: "123456"}, want: auth.ErrInvalidCredentials},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			who, err := auth.WithOTP(static(), knows("123456")).Authenticate(t.Context(), tt.c)
			require.ErrorIs(t, err, tt.want)
			if tt.want != nil {
				assert.Zero(t, who)
			}
		})
	}
}

func TestACodeIsSpentOnAGoodPasswordAlone(t *testing.T) {
	var asked atomic.Int32
	a := auth.WithOTP(static(), auth.VerifierFunc(func(context.Context, auth.Credentials) error {
		asked.Add(1)
		return nil
	}))
	_, err := a.Authenticate(t.Context(), auth.Credentials{User: "alice", Password: "guess", OTP: "123456"})
	require.ErrorIs(t, err, auth.ErrInvalidCredentials)
	assert.Zero(t, asked.Load(), "or a stranger could lock a user's token")
}

func TestWhatTheTwoFactorsSee(t *testing.T) {
	var first, second auth.Credentials
	a := auth.WithOTP(auth.AuthenticatorFunc(func(_ context.Context, c auth.Credentials) (auth.Identity, error) {
		first = c
		return auth.Identity{User: "alice", Groups: []string{"cad"}}, nil
	}), auth.VerifierFunc(func(_ context.Context, c auth.Credentials) error {
		second = c
		return nil
	}))

	who, err := a.Authenticate(t.Context(), auth.Credentials{User: "Alice@lab", Password: "wonder", OTP: "123456", Challenge: "x"})

	require.NoError(t, err)
	assert.Equal(t, auth.Identity{User: "alice", Groups: []string{"cad"}}, who, "the first factor says who it is")
	assert.True(t, first == auth.Credentials{User: "Alice@lab", Password: "wonder"}, "the code is not the first factor's")
	assert.True(t, second == auth.Credentials{User: "alice", Password: "wonder", OTP: "123456", Challenge: "x"}, "the code is of who is let in")
}

func TestASecondStepAsksForThePasswordAgain(t *testing.T) {
	a := auth.WithOTP(static(), auth.VerifierFunc(func(_ context.Context, c auth.Credentials) error {
		switch {
		case c.Challenge == "":
			return &auth.Challenge{Prompt: "Code?", State: "42"}
		case c.Challenge == "42" && c.OTP == "123456":
			return nil
		}
		return auth.ErrInvalidCredentials
	}))
	c := auth.Credentials{User: "alice", Password: "wonder"}

	_, err := a.Authenticate(t.Context(), c)
	var challenge *auth.Challenge
	require.ErrorAs(t, err, &challenge)
	assert.Equal(t, auth.Challenge{Prompt: "Code?", State: "42"}, *challenge)

	c.OTP, c.Challenge = "123456", challenge.State
	_, err = a.Authenticate(t.Context(), c)
	require.NoError(t, err)
	c.Password = "guess"
	_, err = a.Authenticate(t.Context(), c)
	assert.ErrorIs(t, err, auth.ErrInvalidCredentials, "a challenge is no password")
}

func TestAPasswordThatIsWrongBeginsNoSecondStep(t *testing.T) {
	a := auth.WithOTP(static(), auth.VerifierFunc(func(context.Context, auth.Credentials) error {
		return &auth.Challenge{Prompt: "Code?"}
	}))
	_, err := a.Authenticate(t.Context(), auth.Credentials{User: "alice", Password: "guess"})
	assert.Equal(t, auth.ErrInvalidCredentials, err)
}

func TestTwoSecondStepsAreAFaultThatTheOperatorReads(t *testing.T) {
	asks := auth.AuthenticatorFunc(func(context.Context, auth.Credentials) (auth.Identity, error) {
		return auth.Identity{}, &auth.Challenge{Prompt: "Code?"}
	})
	_, err := auth.WithOTP(asks, knows("1")).Authenticate(t.Context(), auth.Credentials{User: "alice", Password: "wonder"})
	require.ErrorContains(t, err, "use one of the two")
	assert.False(t, errors.As(err, new(*auth.Challenge)))
}

func TestAServiceThatCannotBeAskedIsNoRefusal(t *testing.T) {
	for name, a := range map[string]auth.Authenticator{
		"of the code": auth.WithOTP(static(), auth.VerifierFunc(func(context.Context, auth.Credentials) error {
			return auth.ErrUnavailable
		})),
		"of the password": auth.WithOTP(auth.AuthenticatorFunc(func(context.Context, auth.Credentials) (auth.Identity, error) {
			return auth.Identity{}, auth.ErrUnavailable
		}), knows("1")),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.Authenticate(t.Context(), auth.Credentials{User: "alice", Password: "wonder", OTP: "1"})
			assert.ErrorIs(t, err, auth.ErrUnavailable)
		})
	}
}

// slowly takes its time for good and bad passwords and for codes, as a directory
// and a service for codes do.
func slowly(good, bad, code time.Duration) auth.Authenticator {
	return auth.WithOTP(auth.AuthenticatorFunc(func(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
		who, err := static().Authenticate(ctx, c)
		if time.Sleep(good); err != nil {
			time.Sleep(bad - good)
		}
		return who, err
	}), auth.VerifierFunc(func(ctx context.Context, c auth.Credentials) error {
		time.Sleep(code)
		return knows("123456")(ctx, c)
	}))
}

func took(a auth.Authenticator, c auth.Credentials) time.Duration {
	begin := time.Now()
	_, _ = a.Authenticate(context.Background(), c)
	return time.Since(begin)
}

func TestAWrongPasswordAndAWrongCodeTakeTheSameTime(t *testing.T) {
	good := auth.Credentials{User: "alice", Password: "wonder", OTP: "123456"}
	wrongCode, wrongPassword, unknown, both := good, good, good, good
	wrongCode.OTP = "1"
	wrongPassword.Password = "guess"
	unknown.User = "nobody"
	both.Password, both.OTP = "guess", "1"
	for name, tt := range map[string]struct {
		good, bad, code time.Duration
		warm            func(a auth.Authenticator)
	}{
		"both are fast":                   {good: 10 * time.Millisecond, bad: 10 * time.Millisecond, code: 50 * time.Millisecond},
		"the code is slow, after a login": {good: 10 * time.Millisecond, bad: 10 * time.Millisecond, code: 900 * time.Millisecond, warm: func(a auth.Authenticator) { took(a, good) }},
		"the code is slow, among guesses": {good: 10 * time.Millisecond, bad: 10 * time.Millisecond, code: 900 * time.Millisecond, warm: func(a auth.Authenticator) {
			took(a, good)
			for range 1000 {
				took(a, wrongPassword)
			}
		}},
		"a wrong password is slow": {good: time.Millisecond, bad: 2 * time.Second, code: 50 * time.Millisecond, warm: func(a auth.Authenticator) { took(a, wrongPassword) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := slowly(tt.good, tt.bad, tt.code)
				if tt.warm != nil {
					tt.warm(a)
				}
				want := took(a, wrongPassword)
				for range 3 {
					assert.Equal(t, want, took(a, wrongCode), "wrong code")
					assert.Equal(t, want, took(a, unknown), "unknown user")
					assert.Equal(t, want, took(a, both), "both wrong")
					assert.Equal(t, want, took(a, wrongPassword), "wrong password")
				}
				assert.Equal(t, tt.good+tt.code, took(a, good), "a good login waits for nobody")
			})
		})
	}
}

func TestAPersonWhoThinksSlowsDownNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := auth.WithOTP(static(), auth.VerifierFunc(func(_ context.Context, c auth.Credentials) error {
			if c.OTP == "" { // a push message, declined
				time.Sleep(4 * time.Second)
			}
			return auth.ErrInvalidCredentials
		}))
		took(a, auth.Credentials{User: "alice", Password: "wonder"})
		assert.Less(t, took(a, auth.Credentials{User: "alice", Password: "guess"}), time.Second)
	})
}

func TestARefusalWaitsForNobodyWhoHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, err := slowly(0, 0, 0).Authenticate(ctx, auth.Credentials{User: "alice", Password: "guess"})
		require.ErrorIs(t, err, auth.ErrInvalidCredentials)
		assert.Equal(t, time.Millisecond, time.Since(begin))
	})
}

// sick is a backend that says that it is.
type sick struct {
	authtest.Static
	auth.VerifierFunc

	name string
}

func (s sick) CheckHealth(context.Context) error { return errors.New(s.name + " does not answer") }

func TestHealthIsThatOfBothFactors(t *testing.T) {
	for name, tt := range map[string]struct {
		backend any
		want    []string
	}{
		"neither can tell":     {backend: auth.WithOTP(static(), knows("1"))},
		"the first is sick":    {backend: auth.WithOTP(sick{name: "ldap"}, knows("1")), want: []string{"ldap does not answer"}},
		"the second is sick":   {backend: auth.WithOTP(static(), sick{name: "otp"}), want: []string{"otp does not answer"}},
		"both are":             {backend: auth.WithOTP(sick{name: "ldap"}, sick{name: "otp"}), want: []string{"ldap does not answer", "otp does not answer"}},
		"no backend of a kind": {backend: 7},
	} {
		t.Run(name, func(t *testing.T) {
			err := auth.CheckHealth(t.Context(), tt.backend)
			if tt.want == nil {
				assert.NoError(t, err)
			}
			for _, want := range tt.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}

// A second factor goes behind any backend.
func ExampleWithOTP() {
	backend := auth.AuthenticatorFunc(func(_ context.Context, c auth.Credentials) (auth.Identity, error) {
		if c.User != "alice" || string(c.Password) != "wonder" {
			return auth.Identity{}, auth.ErrInvalidCredentials
		}
		return auth.Identity{User: "alice"}, nil
	})
	codes := auth.VerifierFunc(func(_ context.Context, c auth.Credentials) error {
		if c.OTP == "" {
			return &auth.Challenge{Prompt: "Code of your phone", State: "7"}
		}
		return auth.ErrInvalidCredentials
	})
	login := auth.WithOTP(backend, codes)

	_, err := login.Authenticate(context.Background(), auth.Credentials{User: "alice", Password: "wonder"})
	if challenge := (*auth.Challenge)(nil); errors.As(err, &challenge) {
		fmt.Println(challenge.Prompt)
	}
	_, err = login.Authenticate(context.Background(), auth.Credentials{User: "alice", Password: "wonder", OTP: "000000"})
	fmt.Println(err)
	// Output:
	// Code of your phone
	// user or password is wrong
}
