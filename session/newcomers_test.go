package session_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// strangers lets n unknown agents ask from an address and returns how many were
// noted.
func (d *director) strangers(t testing.TB, n int, address, token string) int {
	t.Helper()
	before := len(d.Agents(""))
	for i := range n {
		r := asks(dcvix.AgentID(fmt.Sprintf("%s-%d-%d", address, before, i)), 1, "ws1")
		r.Address, r.Token = address, token
		_, err := d.Register(t.Context(), r)
		require.True(t, errors.Is(err, session.ErrPending) || errors.Is(err, session.ErrTooMany), err)
	}
	return len(d.Agents("")) - before
}

func TestOneAddressBringsSoManyNewAgentsAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		require.Equal(t, 60, d.strangers(t, 100, "10.0.0.1", ""))
		_, err := d.Register(t.Context(), asks("one-more", 1, "ws1"))
		require.ErrorIs(t, err, session.ErrTooMany)
		require.Equal(t, 5, d.strangers(t, 5, "10.0.0.2", ""), "nobody pays for another address")
		_, err = d.Register(t.Context(), asks("10.0.0.1-0-0", 1, "ws1"))
		require.ErrorIs(t, err, session.ErrPending, "who is noted may ask as often as it likes")

		time.Sleep(time.Hour - time.Second)
		require.Zero(t, d.strangers(t, 5, "10.0.0.1", ""))
		time.Sleep(time.Second)
		require.Equal(t, 60, d.strangers(t, 100, "10.0.0.1", ""))
		d.sameAsStore(t)
	})
}

func TestWhoHasTheTokenIsNotCountedByAddress(t *testing.T) {
	d := newDirector(t, func(c *session.Config) { c.RegistrationToken = "sesame" })
	assert.Equal(t, 2000, d.strangers(t, 2000, "10.0.0.1", "sesame"))
	assert.Zero(t, d.NewcomerAddresses())
	r := asks("thief", 1, "ws1")
	_, err := d.Register(t.Context(), r)
	assert.ErrorIs(t, err, session.ErrBadToken)
}

func TestATokenThatNobodyAskedForIsWorthNothing(t *testing.T) {
	assert.Equal(t, 60, newDirector(t).strangers(t, 100, "10.0.0.1", "anything"))
}

func TestWhatCountsAsOneAddress(t *testing.T) {
	tests := map[string]struct {
		first, second string
		same          bool
	}{
		"another host":                 {"10.0.0.1", "10.0.0.2", false},
		"IPv4 in IPv6":                 {"10.0.0.1", "::ffff:10.0.0.1", true},
		"two of one IPv6 network":      {"2001:db8::1", "2001:db8::ffff:2", true},
		"two IPv6 networks":            {"2001:db8::1", "2001:db8:0:1::1", false},
		"another zone":                 {"fe80::1%eth0", "fe80::1%eth1", true},
		"what is no address, as it is": {"pipe", "socket", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDirector(t, func(c *session.Config) { c.PendingPerAddress = 1 })
			require.Equal(t, 1, d.strangers(t, 1, tt.first, ""))
			want := 1
			if tt.same {
				want = 0
			}
			assert.Equal(t, want, d.strangers(t, 1, tt.second, ""))
		})
	}
}

func TestTheCountOfAddressesIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t, func(c *session.Config) { c.PendingPerAddress, c.PendingMax = 1, 50_000 })
		d.run(t)
		require.Equal(t, 1, d.strangers(t, 1, "192.0.2.1", ""))
		for i := range 10_050 {
			time.Sleep(time.Millisecond)
			r := asks(dcvix.AgentID(fmt.Sprintf("a%d", i)), 1, "ws1")
			r.Address = fmt.Sprintf("10.0.%d.%d", i/256, i%256)
			_, err := d.Register(t.Context(), r)
			require.ErrorIs(t, err, session.ErrPending)
		}
		require.Equal(t, 10_000, d.NewcomerAddresses())
		require.Zero(t, d.strangers(t, 1, "10.0.39.0", ""), "those who came last are remembered")
		require.Equal(t, 1, d.strangers(t, 1, "192.0.2.1", ""), "the one that came first is not")
		time.Sleep(2*time.Hour + time.Minute)
		synctest.Wait()
		assert.Zero(t, d.NewcomerAddresses(), "an hour later it is all forgotten")
	})
}

func TestAnEntryThatWasNotMadeDoesNotCount(t *testing.T) {
	d := newDirector(t, func(c *session.Config) { c.PendingPerAddress = 2 })
	d.store.FailWith(errors.New("disk full"))
	for i := range 10 {
		_, err := d.Register(t.Context(), asks(dcvix.AgentID(fmt.Sprintf("a%d", i)), 1, "ws1"))
		require.ErrorContains(t, err, "disk full")
	}
	assert.Zero(t, d.NewcomerAddresses())
	d.store.FailWith(nil)
	assert.Equal(t, 2, d.strangers(t, 5, "10.0.0.1", ""))
}

func TestAnAddressIsBoundedAlsoWhenItsAgentsComeAtOnce(t *testing.T) {
	d := newDirector(t, func(c *session.Config) { c.PendingPerAddress = 5 })
	var refused atomic.Int32
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if _, err := d.Register(t.Context(), asks(dcvix.AgentID(fmt.Sprintf("a%d", i)), 1, "ws1")); errors.Is(err, session.ErrTooMany) {
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	assert.Len(t, d.Agents(dcvix.AgentPending), 5)
	assert.EqualValues(t, 45, refused.Load())
}

func TestAClockThatIsPutBackLocksNoAddressOut(t *testing.T) {
	now := start
	d := newDirector(t, func(c *session.Config) { c.Now, c.PendingPerAddress = func() time.Time { return now }, 2 })
	require.Equal(t, 2, d.strangers(t, 3, "10.0.0.1", ""))
	now = now.Add(-30 * 24 * time.Hour)
	assert.Equal(t, 2, d.strangers(t, 3, "10.0.0.1", ""))
}
