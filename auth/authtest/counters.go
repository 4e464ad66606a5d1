package authtest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dcvix/dcvix/auth"
)

// TestCounters checks that an implementation keeps the promises of
// [auth.Counters]. open returns counters that are empty, and whose clock is now.
func TestCounters(t *testing.T, open func(t *testing.T, now func() time.Time) auth.Counters) {
	for name, check := range map[string]func(*testing.T, *counting){
		"DelaysGrow":         testDelaysGrow,
		"TriesAreForgotten":  testTriesAreForgotten,
		"OneIsTakenBack":     testOneIsTakenBack,
		"AllAreTakenBack":    testAllAreTakenBack,
		"KeysAreApart":       testKeysAreApart,
		"ManyAtOnce":         testManyTakeAtOnce,
		"AClockPutBack":      testClockPutBack,
		"FreeTriesNeverWait": testFreeTriesNeverWait,
	} {
		t.Run(name, func(t *testing.T) {
			c := &counting{t: t}
			c.moment.Store(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
			c.Counters = open(t, func() time.Time { return time.Unix(0, c.moment.Load()).UTC() })
			check(t, c)
		})
	}
}

// counting are counters with a clock that a test moves.
type counting struct {
	auth.Counters

	t      *testing.T
	moment atomic.Int64
}

func (c *counting) pass(d time.Duration) { c.moment.Add(int64(d)) }

// take expects to wait so long, to the millisecond that a database may keep.
func (c *counting) take(key string, want time.Duration) {
	c.t.Helper()
	got, err := c.Take(c.t.Context(), key, "", []time.Duration{0, 0, time.Second, 2 * time.Second}, time.Minute)
	if err != nil {
		c.t.Fatalf("take: %v", err)
	}
	if (got - want).Abs() > time.Millisecond {
		c.t.Errorf("wait = %v, want %v", got, want)
	}
}

// forget is of the key "a".
func (c *counting) forget(all bool) {
	c.t.Helper()
	if err := c.Forget(c.t.Context(), "a", all, time.Minute); err != nil {
		c.t.Fatalf("forget: %v", err)
	}
}

func testDelaysGrow(_ *testing.T, c *counting) {
	for range 3 {
		c.take("a", 0)
	}
	c.take("a", time.Second)
	c.pass(400 * time.Millisecond)
	c.take("a", 600*time.Millisecond)
	c.pass(600 * time.Millisecond)
	for range 3 { // the last delay goes on
		c.take("a", 0)
		c.take("a", 2*time.Second)
		c.pass(2 * time.Second)
	}
}

func testTriesAreForgotten(_ *testing.T, c *counting) {
	for range 10 { // of which four are remembered
		c.take("a", 0)
		c.pass(2 * time.Second)
	}
	c.pass(4*time.Minute - 2*time.Second)
	for range 3 {
		c.take("a", 0)
	}
	c.take("a", time.Second)
	c.pass(2 * time.Minute) // one is left
	c.take("a", 0)
	c.take("a", 0)
	c.take("a", time.Second)
}

func testOneIsTakenBack(_ *testing.T, c *counting) {
	c.forget(false)
	for range 3 {
		c.take("a", 0)
	}
	c.forget(false)
	c.take("a", 0) // costs a second once more
	c.take("a", time.Second)
}

func testAllAreTakenBack(_ *testing.T, c *counting) {
	c.forget(true)
	for range 3 {
		for range 3 {
			c.take("a", 0)
		}
		c.forget(true)
	}
}

func testKeysAreApart(_ *testing.T, c *counting) {
	for _, key := range []string{"a", "b", "A"} {
		for range 3 {
			c.take(key, 0)
		}
	}
	c.forget(true)
	c.take("b", time.Second)
}

func testManyTakeAtOnce(t *testing.T, c *counting) {
	var let atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			wait, err := c.Take(t.Context(), "a", "", []time.Duration{0, 0, time.Second}, time.Minute)
			if err != nil {
				t.Errorf("take: %v", err)
			}
			if wait == 0 {
				let.Add(1)
			}
		})
	}
	wg.Wait()
	if let.Load() != 3 {
		t.Errorf("%d of 50 tries at once were let in, want 3", let.Load())
	}
}

// Tries that come together may read the clock in another order than they count.
func testFreeTriesNeverWait(t *testing.T, c *counting) {
	for range 3 {
		wait, err := c.Take(t.Context(), "a", "", []time.Duration{0, 0, 0, time.Second}, time.Minute)
		if err != nil || wait > 0 {
			t.Errorf("a free try: wait = %v, error = %v, want neither", wait, err)
		}
		c.pass(-time.Microsecond)
	}
}

func testClockPutBack(_ *testing.T, c *counting) {
	for range 3 {
		c.take("a", 0)
	}
	c.pass(-24 * time.Hour)
	c.take("a", 0)
}
