package auth_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
)

func TestMemoryCounters(t *testing.T) {
	authtest.TestCounters(t, func(_ *testing.T, now func() time.Time) auth.Counters { return auth.NewMemoryCounters(now) })
}

func take(t testing.TB, c auth.Counters, key, by string) time.Duration {
	t.Helper()
	wait, err := c.Take(t.Context(), key, by, []time.Duration{10 * time.Second}, time.Minute)
	require.NoError(t, err)
	return wait
}

func TestMemoryCountersAreBoundedAndEmptyThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := auth.NewMemoryCounters(nil)
		require.Zero(t, take(t, c, "victim", ""))
		for i := range 300_000 {
			require.Zero(t, take(t, c, strconv.Itoa(i), ""))
			if i%10_000 == 0 {
				require.Positive(t, take(t, c, "victim", ""), "what is in use stays")
			}
		}
		assert.Equal(t, 100_000, c.Len())
		require.Positive(t, take(t, c, "299999", ""))

		time.Sleep(2 * time.Minute)
		take(t, c, "new", "")
		assert.Equal(t, 1, c.Len())
	})
}

func TestWhoAsksMostOftenDoesNotWinEveryTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := auth.NewMemoryCounters(nil)
		wins := make(map[string]int)
		for range 2000 { // seconds in which one asks 50 times and the other once
			for range 50 {
				if take(t, c, "k", "eager") == 0 {
					wins["eager"]++
				}
			}
			if take(t, c, "k", "patient") == 0 {
				wins["patient"]++
			}
			time.Sleep(time.Second)
		}
		assert.Greater(t, wins["patient"], 50, "%v", wins)
		assert.Greater(t, wins["eager"], 50, "%v", wins)
	})
}

func TestATryWhoseWinnerStaysAwayIsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := auth.NewMemoryCounters(nil)
		require.Zero(t, take(t, c, "k", "a"))
		assert.Equal(t, 10*time.Second, take(t, c, "k", "b"), "who asks alone has won")
		time.Sleep(11 * time.Second)
		assert.Equal(t, 9*time.Second, take(t, c, "k", "c"))
		time.Sleep(9 * time.Second)
		assert.Zero(t, take(t, c, "k", "c"))
	})
}

func TestUsualPlacesAreBoundedAndEndAfterAMonth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := auth.NewFamiliar()
		for i := range 60_000 {
			places.Add(strconv.Itoa(i), time.Now())
		}
		assert.Equal(t, 50_000, places.Len())
		assert.False(t, places.Has("0", time.Now()))
		assert.True(t, places.Has("59999", time.Now()))
		time.Sleep(30*24*time.Hour - time.Second)
		assert.True(t, places.Has("59999", time.Now()))
		time.Sleep(time.Second)
		assert.False(t, places.Has("59999", time.Now()))
		places.Add("new", time.Now())
		assert.Equal(t, 1, places.Len())
	})
}

func TestWhoCountsAsTheSame(t *testing.T) {
	users := map[string]bool{
		"alice|ALICE": true, `alice|LAB\alice`: true, "alice|alice@lab.example": true, `LAB\alice|lab.example\Alice@x`: true, "alice|alice\uff20lab": true,
		"alice| alice ": true, "alice|al\u00a0ice": true, "alice|álîce": true, "alice|ａｌｉｃｅ": true, "alice|al\u200bice": true,
		"strasse|ﬆrasse": true, "kim|\u212aim": true, "alice|alicf": false, "alice|alice2": false, "a.b|ab": false, "@lab|alice": false,
	}
	for pair, same := range users {
		a, b, _ := strings.Cut(pair, "|")
		assert.Equal(t, same, auth.FoldUser(a) == auth.FoldUser(b), "%q", pair)
	}
	addresses := map[string]bool{
		"192.0.2.1|192.0.2.1": true, "192.0.2.1|::ffff:192.0.2.1": true, "192.0.2.1|192.0.2.2": false,
		"2001:db8::1|2001:db8::ffff:0:0:1": true, "2001:db8::1|2001:db8:0:1::1": false, "fe80::1%eth0|fe80::2": true, "|192.0.2.1": false,
	}
	for pair, same := range addresses {
		a, b, _ := strings.Cut(pair, "|")
		assert.Equal(t, same, auth.FoldAddress(a) == auth.FoldAddress(b), "%q", pair)
	}
}

func BenchmarkThrottle(b *testing.B) {
	backend := auth.AuthenticatorFunc(func(_ context.Context, c auth.Credentials) (auth.Identity, error) {
		if c.Password == "good" {
			return auth.Identity{User: "alice"}, nil
		}
		return auth.Identity{}, auth.ErrInvalidCredentials
	})
	for name, credentials := range map[string]func(i int) auth.Credentials{
		"good": func(int) auth.Credentials {
			return auth.Credentials{User: "alice", Password: "good", Address: "192.0.2.1"}
		},
		"bad": func(i int) auth.Credentials {
			return auth.Credentials{User: fmt.Sprint("u", i), Password: "x", Address: address(i)}
		},
		"refused early": func(int) auth.Credentials { return auth.Credentials{User: "bob", Password: "x", Address: "192.0.2.2"} },
	} {
		b.Run(name, func(b *testing.B) {
			throttle, err := auth.NewThrottle(auth.ThrottleConfig{MinRefusal: -1})
			require.NoError(b, err)
			a := throttle.Around(backend)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_, _ = a.Authenticate(b.Context(), credentials(i)) // the time counts
			}
		})
	}
}

func BenchmarkMemoryOfCounters(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		c := auth.NewMemoryCounters(nil)
		for i := range 100_000 {
			take(b, c, fmt.Sprintf("%022d", i), "")
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(c.Len()), "B/entry")
	}
}
