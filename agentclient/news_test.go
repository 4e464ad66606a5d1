package agentclient_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

func TestWhatTheAgentSeesIsReportedWithinASecond(t *testing.T) {
	t.Parallel()
	look := func(t *testing.T, h *host) { call(t, h, http.MethodGet, dcvix.PathSessions, "") }
	tests := map[string]struct {
		happens func(t *testing.T, h *host)
		seen    func(t *testing.T, h *host)
		check   func(t *testing.T, got dcvix.AgentUpdate)
	}{
		"a session that the director's look finds": {
			happens: func(t *testing.T, h *host) { putSession(t, h, desktop("cad-1")) }, seen: look,
			check: func(t *testing.T, got dcvix.AgentUpdate) { assert.Len(t, got.Sessions, 2) },
		},
		"a client that the reaper's look finds": {
			happens: func(t *testing.T, h *host) { connect(t, h, oursByID) },
			seen:    func(*testing.T, *host) { time.Sleep(time.Minute) },
			check:   func(t *testing.T, got dcvix.AgentUpdate) { assert.Equal(t, 1, got.Sessions[0].NumOfConnections) },
		},
		"a problem": {
			happens: func(t *testing.T, h *host) { setFaults(t, h, dcvclitest.Faults{Down: true}) }, seen: look,
			check: func(t *testing.T, got dcvix.AgentUpdate) {
				assert.Len(t, got.Problems, 1)
				assert.Len(t, got.Sessions, 1)
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				d.approved = true
				h := newHost(t, d, func(c *agentclient.Config) { c.UpdateInterval, c.IdleTimeout = 100*day, 24*time.Hour })
				putSession(t, h, desktop(oursByID))
				h.start()
				time.Sleep(time.Second)
				_, _, before := d.counts()
				tt.happens(t, h)
				tt.seen(t, h)
				time.Sleep(time.Second)
				synctest.Wait()
				_, _, after := d.counts()
				assert.Equal(t, before+1, after)
				tt.check(t, d.lastUpdate())
				if len(d.lastUpdate().Problems) > 0 {
					setFaults(t, h, dcvclitest.Faults{})
					tt.seen(t, h)
					time.Sleep(time.Second)
					assert.Empty(t, d.lastUpdate().Problems, "its end is news too")
				}
				h.stop()
			})
		})
	}
}

func TestChangesWithoutEndMakeOneReportASecond(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, hourly)
		putSession(t, h, desktop(oursByID))
		time.Sleep(time.Second)
		_, _, before := d.counts()
		for range 100 { // ten seconds
			changeSession(t, h, oursByID, func(s *dcvclitest.Session) { s.LastDisconnectionTime = time.Now() })
			call(t, h, http.MethodGet, dcvix.PathSessions, "")
			time.Sleep(100 * time.Millisecond)
		}
		_, _, after := d.counts()
		assert.InDelta(t, 10, after-before, 1)
		h.stop()
	})
}

// twoCards are figures as an odd driver has them.
type twoCards struct{ err error }

func (c twoCards) GPUs(context.Context) ([]dcvix.GPU, error) {
	return []dcvix.GPU{{Model: "NVIDIA L4", Usage: math.NaN(), Temperature: math.Inf(1)}, {Index: 1, EncoderUsage: 7}}, c.err
}

func TestCardsAreReportedAndNeverStopAReport(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"read": nil, "half read": errors.New("no\ndriver")} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				h := enrolled(t, d, func(c *agentclient.Config) { c.GPUs = twoCards{failure} })
				assert.Equal(t, []dcvix.GPU{{Model: "NVIDIA L4"}, {Index: 1, EncoderUsage: 7}}, d.lastUpdate().GPUs)
				if failure != nil {
					assert.Equal(t, []string{"the graphics cards cannot be read: no driver"}, d.lastUpdate().Problems)
				}
				h.stop()
			})
		})
	}
}

// oddTimes has times that have no form on the wire.
type oddTimes struct{ agentclient.DCV }

func (oddTimes) List(context.Context) ([]dcvcli.Session, error) {
	odd := time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600))
	checked := time.Date(2026, 3, 5, 9, 41, 12, 0, time.FixedZone("", 3600))
	return []dcvcli.Session{
		{ID: "b", LicensingMode: "demo", CreationTime: odd, LastDisconnectionTime: odd, Licenses: []dcvcli.License{
			{Product: "dcv-gl", Status: "licensed", ExpirationDate: odd}, {Product: "dcv", Status: "expired", CheckTimestamp: checked},
		}},
		{ID: "a", CreationTime: checked, Licenses: []dcvcli.License{{Product: "dcv", Status: "licensed", CheckTimestamp: checked.Add(-time.Hour)}}},
	}, nil
}

func TestOddTimesStopNoReportAndAreNoNews(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, func(c *agentclient.Config) { c.DCV, c.UpdateInterval = oddTimes{c.DCV}, 100*day })
		got := d.lastUpdate()
		require.Len(t, got.Sessions, 2)
		assert.Equal(t, dcvix.SessionID("a"), got.Sessions[0].ID)
		assert.True(t, got.Sessions[1].CreationTime.IsZero())
		at := dcvix.Time{Time: time.Date(2026, 3, 5, 8, 41, 12, 0, time.UTC)}
		assert.Equal(t, &dcvix.Licence{Mode: "demo", Products: []dcvix.LicensedProduct{
			{Product: "dcv", Status: "expired", CheckedAt: at}, {Product: "dcv-gl", Status: "licensed"},
		}}, got.Licence, "of each product what was checked last")
		for range 10 {
			call(t, h, http.MethodGet, dcvix.PathSessions, "")
			time.Sleep(2 * time.Second)
		}
		_, _, reports := d.counts()
		assert.Equal(t, 1, reports)
		h.stop()
	})
}
