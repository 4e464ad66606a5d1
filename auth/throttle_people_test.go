package auth_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
)

// attack lets so many addresses guess at users as often as they can, until the
// returned function is called.
func attack(t *testing.T, d *door, addresses int, from func(int) string, user func() string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var guessing sync.WaitGroup
	for i := range addresses {
		guessing.Go(func() {
			for ctx.Err() == nil {
				d.guess(t, user(), from(i)) //nolint:contextcheck // a guess has the test's own
				time.Sleep(time.Second + time.Duration(addresses)*20*time.Millisecond)
			}
		})
	}
	time.Sleep(30 * time.Minute)
	return func() {
		cancel()
		guessing.Wait()
	}
}

// patiently tries a good login until it is taken, as often as a person does who
// does what the answer says, and returns how long that took.
func (d *door) patiently(t *testing.T, user, address string, most time.Duration) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		err := d.try(t, user, address, "open sesame")
		if err == nil {
			return time.Since(begin)
		}
		early := (*auth.ThrottledError)(nil)
		require.ErrorAs(t, err, &early)
		require.Less(t, time.Since(begin), most, "locked out")
		require.LessOrEqual(t, early.RetryAfter, time.Minute)
		time.Sleep(early.RetryAfter.Round(time.Second) + 3*time.Second) // to see it and to press a key
	}
}

func TestAStrangerLocksNobodyOut(t *testing.T) {
	const home = "192.0.2.1"
	alice := func() string { return "alice" }
	tests := map[string]struct {
		addresses int
		from      func(int) string
		user      func() string
		known     bool          // Alice logged in at home before
		most      time.Duration // until she is in
	}{
		"who hammers at her name from one address":                             {addresses: 1, from: address, user: alice},
		"who hammers at her name from two addresses":                           {addresses: 2, from: address, user: alice},
		"who hammers at her name from a thousand, when she is at home":         {addresses: 1000, from: address, user: alice, known: true},
		"who hammers at all names from her address, when she was there before": {addresses: 1, from: func(int) string { return home }, user: few(500), known: true},
		"who hammers at her name from ten addresses, when she is at a new one": {addresses: 10, from: address, user: alice, most: 4 * time.Hour},
		"who hammers at one name from her address, when she is new there":      {addresses: 1, from: func(int) string { return home }, user: func() string { return "bob" }, most: 0},
		"who hammers at ten names from her address, when she is new there":     {addresses: 1, from: func(int) string { return home }, user: few(10), most: 4 * time.Hour},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDoor(t)
				if tt.known {
					require.NoError(t, d.try(t, "alice", home, "open sesame"))
				}
				stop := attack(t, d, tt.addresses, tt.from, tt.user)
				defer stop()
				for range 3 {
					took := d.patiently(t, "alice", home, tt.most)
					assert.LessOrEqual(t, took, tt.most)
					t.Logf("she was in after %v", took)
				}
			})
		})
	}
}

// few returns one of so many names after the other.
func few(n int64) func() string {
	i := new(atomic.Int64)
	return func() string { return fmt.Sprint("user", i.Add(1)%n) }
}

func TestFailuresAtAnAddressAreNotClearedByAccountsOfOnesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t)
		let := 0
		for i := range 1000 {
			_ = d.try(t, fmt.Sprint("mallory", i), "192.0.2.1", "open sesame") // is good or comes too early
			if d.guess(t, fmt.Sprint("user", i), "192.0.2.1") == 0 {
				let++
			}
		}
		assert.Equal(t, 101, let)
	})
}

func TestALoginOfTheUserDoesNotClearTheGuessesOfStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t)
		let := 0
		for i := range 1000 {
			require.NoError(t, d.try(t, "alice", "192.0.2.1", "open sesame"))
			_ = d.try(t, "alice", fmt.Sprintf("198.51.%d.%d", i/256, i%256), "open sesame") // is good or comes too early
			if d.guess(t, "alice", address(i)) == 0 {
				let++
			}
		}
		assert.Equal(t, 51, let)
	})
}

func TestWhatIsAFailure(t *testing.T) {
	tests := map[string]struct {
		password string
		counts   bool
	}{
		"a wrong password":                               {password: "guess", counts: true},
		"a good login":                                   {password: "open sesame"},
		"a question for a code":                          {password: "step"},
		"a backend that is away":                         {password: "away"},
		"a backend that has a fault":                     {password: "fault"},
		"an empty password, to which no backend listens": {password: ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDoor(t)
				for range 20 {
					_ = d.try(t, "alice", "192.0.2.1", tt.password) // is what the table says
				}
				assert.Equal(t, tt.counts, d.guess(t, "alice", "192.0.2.1") > 0)
			})
		})
	}
}

// Who knows a password has the first step for nothing and guesses at the second.
func TestAFirstStepClearsNoFailureOfTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t)
		let := 0
		for range 1000 {
			_ = d.try(t, "alice", "192.0.2.1", "step") // is a challenge or too early
			if d.guess(t, "alice", "192.0.2.1") == 0 {
				let++
			}
		}
		assert.Equal(t, 6, let)
	})
}

// Whoever hangs up before the answer may have seen by its time that it is no.
func TestAClientThatGoesAwayEarlyHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle, err := auth.NewThrottle(auth.ThrottleConfig{})
		require.NoError(t, err)
		asked := 0
		slow := throttle.Around(auth.AuthenticatorFunc(func(ctx context.Context, _ auth.Credentials) (auth.Identity, error) {
			asked++
			<-ctx.Done()
			return auth.Identity{}, ctx.Err()
		}))
		try := func(ctx context.Context, cancel context.CancelFunc) {
			defer cancel()
			_, _ = slow.Authenticate(ctx, auth.Credentials{User: "alice", Password: "x"}) // what comes of it is counted
		}
		for range 50 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			try(ctx, cancel)
		}
		assert.Equal(t, 6, asked)

		time.Sleep(time.Hour)
		asked = 0
		for range 50 {
			try(context.WithTimeout(t.Context(), time.Millisecond))
		}
		assert.Equal(t, 50, asked, "a backend that is too slow is not the user's failure")
	})
}

func TestARefusalTakesTheSameTimeWhateverWasWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := func(_ context.Context, c auth.Credentials) (auth.Identity, error) {
			switch c.User {
			case "unknown": // is found out at once
				return auth.Identity{}, auth.ErrInvalidCredentials
			case "away":
				return auth.Identity{}, auth.ErrUnavailable
			}
			time.Sleep(80 * time.Millisecond) // checks a hash
			if c.Password == "open sesame" {
				return auth.Identity{User: "alice"}, nil
			}
			return auth.Identity{}, auth.ErrInvalidCredentials
		}
		throttle, err := auth.NewThrottle(auth.ThrottleConfig{})
		require.NoError(t, err)
		a := throttle.Around(auth.AuthenticatorFunc(backend))
		took := func(user, password string) time.Duration {
			begin := time.Now()
			_, err := a.Authenticate(t.Context(), auth.Credentials{User: user, Password: auth.Secret(password), Address: "192.0.2.1"})
			require.Equal(t, password == "open sesame" && user == "alice", err == nil)
			return time.Since(begin)
		}
		assert.Equal(t, 300*time.Millisecond, took("unknown", "guess"))
		assert.Equal(t, 300*time.Millisecond, took("alice", "guess"))
		assert.Equal(t, 80*time.Millisecond, took("alice", "open sesame"), "who is let in does not wait")
		assert.Zero(t, took("away", "x"))

		for i := range 5000 {
			go func() {
				_, _ = a.Authenticate(t.Context(), auth.Credentials{User: fmt.Sprint("x", i), Password: "x", Address: address(i)}) // is refused
			}()
		}
		time.Sleep(100 * time.Millisecond)
		assert.Equal(t, 80*time.Millisecond, took("alice", "guess"), "1,024 refusals wait, so that they pile up nowhere")
		assert.Equal(t, 80*time.Millisecond, took("alice", "open sesame"))
	})
}

func TestAPauseEndsWithItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle, err := auth.NewThrottle(auth.ThrottleConfig{MinRefusal: time.Hour})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err = throttle.Around(auth.AuthenticatorFunc(func(context.Context, auth.Credentials) (auth.Identity, error) {
			return auth.Identity{}, auth.ErrInvalidCredentials
		})).Authenticate(ctx, auth.Credentials{User: "alice", Password: "x"})
		require.ErrorIs(t, err, auth.ErrInvalidCredentials)
		assert.Equal(t, time.Second, time.Since(begin))
	})
}

// broken counters are those of a database that is away.
type broken struct{}

func (broken) Take(context.Context, string, string, []time.Duration, time.Duration) (time.Duration, error) {
	return 0, errors.New("connection refused")
}

func (broken) Forget(context.Context, string, bool, time.Duration) error {
	return errors.New("connection refused")
}

func TestCountersThatFailAreReplacedByThoseOfThisProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, func(c *auth.ThrottleConfig) { c.Counters = broken{} })
		for range 5 {
			require.NoError(t, d.try(t, "alice", "192.0.2.1", "open sesame"))
		}
		for range 100 {
			d.guess(t, "alice", "192.0.2.1")
		}
		assert.Equal(t, int64(5+6), d.asked.Load())
	})
}

func TestDirectorsThatShareTheirCountersCountAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := auth.NewMemoryCounters(nil)
		use := func(c *auth.ThrottleConfig) { c.Counters = shared }
		a, b := newDoor(t, use), newDoor(t, use)
		for range 100 {
			a.guess(t, "alice", "192.0.2.1")
			b.guess(t, "alice", "192.0.2.1")
		}
		assert.Equal(t, int64(6), a.asked.Load()+b.asked.Load())
	})
}

func TestLimitsOfAThrottle(t *testing.T) {
	for _, cfg := range []auth.ThrottleConfig{{Failures: -1}, {Window: -1}, {MaxDelay: -1}} {
		_, err := auth.NewThrottle(cfg)
		require.Error(t, err)
	}
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, func(c *auth.ThrottleConfig) {
			c.Failures, c.Window, c.MaxDelay = 2, time.Minute, 100*time.Millisecond
		})
		for range 100 {
			d.guess(t, "alice", "192.0.2.1")
		}
		assert.Equal(t, int64(3), d.asked.Load())
		assert.Equal(t, 100*time.Millisecond, d.guess(t, "alice", "192.0.2.1"))
		time.Sleep(90*time.Second + 100*time.Millisecond)
		for range 100 {
			d.guess(t, "alice", "192.0.2.1")
		}
		assert.Equal(t, int64(6), d.asked.Load(), "three failures are forgotten in one and a half windows")
	})
}

func ExampleThrottle() {
	backend := auth.AuthenticatorFunc(func(context.Context, auth.Credentials) (auth.Identity, error) {
		return auth.Identity{}, auth.ErrInvalidCredentials
	})
	throttle, err := auth.NewThrottle(auth.ThrottleConfig{Failures: 2, MinRefusal: -1})
	if err != nil {
		panic(err)
	}
	slowed := throttle.Around(backend)
	for range 4 {
		_, err := slowed.Authenticate(context.Background(), auth.Credentials{User: "alice", Password: "guess", Address: "192.0.2.1"})
		fmt.Println(err)
	}
	// Output:
	// user or password is wrong
	// user or password is wrong
	// user or password is wrong
	// too many logins failed: the next is taken in 1s
}
