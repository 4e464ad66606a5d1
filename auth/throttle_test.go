package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
)

// A door is a login backend behind a throttle, and how often it was asked.
type door struct {
	auth.Authenticator
	asked atomic.Int64
}

// people know "open sesame" as their password; the password "step" brings them a
// challenge, and "away" finds the backend away.
func newDoor(t *testing.T, change ...func(*auth.ThrottleConfig)) *door {
	t.Helper()
	cfg := auth.ThrottleConfig{MinRefusal: -1, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, f := range change {
		f(&cfg)
	}
	throttle, err := auth.NewThrottle(cfg)
	require.NoError(t, err)
	d := new(door)
	d.Authenticator = throttle.Around(auth.AuthenticatorFunc(func(_ context.Context, c auth.Credentials) (auth.Identity, error) {
		d.asked.Add(1)
		switch string(c.Password) {
		case "open sesame":
			return auth.Identity{User: dcvix.Username(c.User)}, nil
		case "step":
			return auth.Identity{}, &auth.Challenge{Prompt: "code"}
		case "away":
			return auth.Identity{}, auth.ErrUnavailable
		case "fault":
			return auth.Identity{}, errors.New("a fault")
		}
		return auth.Identity{}, auth.ErrInvalidCredentials
	}))
	return d
}

func (d *door) try(t *testing.T, user, address, password string) error {
	t.Helper()
	_, err := d.Authenticate(t.Context(), auth.Credentials{User: user, Password: auth.Secret(password), Address: address})
	return err
}

// guess tries a wrong password and returns how long the throttle says to wait, 0
// when the backend was asked.
func (d *door) guess(t *testing.T, user, address string) time.Duration {
	t.Helper()
	err := d.try(t, user, address, "guess")
	if early := (*auth.ThrottledError)(nil); errors.As(err, &early) {
		require.Positive(t, early.RetryAfter)
		require.NotErrorIs(t, err, auth.ErrInvalidCredentials)
		return early.RetryAfter
	}
	require.ErrorIs(t, err, auth.ErrInvalidCredentials)
	return 0
}

func address(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255) }

func TestEachFailureCostsALongerDelayUpToTheLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t)
		for range 5 {
			require.Zero(t, d.guess(t, "alice", "192.0.2.1"))
		}
		for i, seconds := range []int{1, 2, 4, 8, 16, 30, 30, 30} {
			want := time.Duration(seconds) * time.Second
			require.Zero(t, d.guess(t, "alice", "192.0.2.1"), "%d", i)
			assert.Equal(t, want, d.guess(t, "alice", "192.0.2.1"))
			time.Sleep(want - time.Nanosecond)
			assert.Equal(t, time.Nanosecond, d.guess(t, "alice", "192.0.2.1"), "asking meanwhile changes nothing")
			time.Sleep(time.Nanosecond)
		}
		assert.Equal(t, int64(13), d.asked.Load(), "a login that comes too early does not reach the backend")
		assert.Zero(t, d.guess(t, "bob", "192.0.2.1"), "somebody else at the same address")
		time.Sleep(22 * time.Minute)
		for range 5 {
			assert.Zero(t, d.guess(t, "alice", "192.0.2.1"), "all is forgotten")
		}
	})
}

func TestASuccessForgetsTheFailuresOfThatUserAtThatAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t)
		for range 3 {
			for range 5 {
				require.Zero(t, d.guess(t, "alice", "192.0.2.1"))
			}
			require.NoError(t, d.try(t, "alice", "192.0.2.1", "open sesame"))
		}
	})
}

// How many guesses at one user get through, whatever the guesser does. The
// figures are in docs/authentication.md.
func TestGuessesAtOneUserAreFewInADay(t *testing.T) {
	const day = 24 * time.Hour
	tests := map[string]struct {
		addresses int
		every     time.Duration // one guess of each address
		burst     int           // guesses of each address at a time
		most      int
	}{
		"from one address, without a pause":         {addresses: 1, every: time.Second, burst: 1, most: 2_890},
		"from one address, as its delays allow":     {addresses: 1, every: 30 * time.Second, burst: 1, most: 2_890},
		"from one address, as is forgotten":         {addresses: 1, every: 2 * time.Minute, burst: 1, most: 730},
		"from one address, five at a time":          {addresses: 1, every: 10 * time.Minute, burst: 5, most: 730},
		"from two, without a pause":                 {addresses: 2, every: time.Second, burst: 1, most: 5_780},
		"from a hundred, without a pause":           {addresses: 100, every: 20 * time.Second, burst: 1, most: 7_260},
		"from a thousand, one every twelve seconds": {addresses: 1_000, every: 12_000 * time.Second, burst: 1, most: 7_260},
		"from two hundred, five at a time":          {addresses: 200, every: 10 * time.Minute, burst: 5, most: 7_260},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDoor(t)
				for i, end := 0, time.Now().Add(day); time.Now().Before(end); i++ {
					for range tt.burst {
						d.guess(t, "alice", address(i%tt.addresses))
					}
					time.Sleep(tt.every / time.Duration(tt.addresses))
				}
				t.Logf("%d guesses got through", d.asked.Load())
				assert.LessOrEqual(t, d.asked.Load(), int64(tt.most))
				assert.GreaterOrEqual(t, d.asked.Load(), int64(tt.most/3), "the limit in this test says nothing")
			})
		})
	}
}

func TestAThousandGuessesAtOnce(t *testing.T) {
	tests := map[string]struct {
		user, address func(i int) string
		let           int64
	}{
		"at one user from one address":         {func(int) string { return "alice" }, func(int) string { return "192.0.2.1" }, 6},
		"at one user from a thousand":          {func(int) string { return "alice" }, address, 51},
		"at one user from one IPv6 network":    {func(int) string { return "alice" }, func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }, 6},
		"at a thousand users from one address": {func(i int) string { return fmt.Sprint("user", i) }, func(int) string { return "192.0.2.1" }, 101},
		"at one user, address not known":       {func(int) string { return "alice" }, func(int) string { return "" }, 6},
		"at one user, written differently": {func(i int) string {
			return []string{"alice", "ALICE", `LAB\alice`, "alice@lab.example", "a l i c e", "álïçe", "ａｌｉｃｅ", "al\u200bice"}[i%8]
		}, func(int) string { return "192.0.2.1" }, 6},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDoor(t)
				for i := range 1000 {
					go func() { d.guess(t, tt.user(i), tt.address(i)) }()
				}
				synctest.Wait()
				assert.Equal(t, tt.let, d.asked.Load())
			})
		})
	}
}
