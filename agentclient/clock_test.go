package agentclient_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
)

// A clock is that of a host; it may be wrong.
type clock struct{ off atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.off.Load())) }

// wrongBy sets how far the clock is ahead; below zero it is behind.
func (c *clock) wrongBy(d time.Duration) { c.off.Store(int64(d)) }

func TestAClockOffByTenMinutesDoesNoHarm(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"ahead": 10 * time.Minute, "behind": -10 * time.Minute} {
		for how, prepare := range firstContacts() {
			t.Run(name+", CA "+how, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					d, c := newDirector(t), &clock{}
					c.wrongBy(off)
					d.approved = true
					h := newHost(t, d, func(cfg *agentclient.Config) { cfg.Now, cfg.UpdateInterval = c.now, 4*time.Hour })
					prepare(t, h, d)
					h.start()
					synctest.Wait()
					assert.Equal(t, agentclient.Enrolled, h.Status().State, h.log.String())
					assert.NotZero(t, h.Status().LastReport)
					assert.Equal(t, http.StatusOK, call(t, h, http.MethodGet, dcvix.PathHealth, "").status, "it takes the director's calls")
					time.Sleep(37 * time.Hour)
					asked, renewals, _ := d.counts()
					assert.Equal(t, 1, asked)
					assert.Positive(t, renewals)
					assert.Zero(t, h.log.count("level=WARN msg=\"the director did not take"), h.log.String())
					h.stop()
				})
			})
		}
	}
}

// firstContacts are the ways to trust a director.
func firstContacts() map[string]func(t *testing.T, h *host, d *director) {
	return map[string]func(t *testing.T, h *host, d *director){
		"trusted on first use": func(*testing.T, *host, *director) {},
		"placed":               placeCA,
		"pinned":               func(_ *testing.T, h *host, d *director) { h.cfg.CAFingerprint = fingerprint(d) },
	}
}

const (
	saysBehind = "29 days ahead of the clock of this host: correct that clock if it is behind"
	saysAhead  = "days ago by the clock of this host: correct that clock if it is ahead"
)

func TestAClockOffByAMonthIsSaidAtFirstContact(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		off  time.Duration
		says string
	}{
		"ahead":  {off: 30 * day, says: saysAhead},
		"behind": {off: -30 * day, says: saysBehind},
	}
	for name, tt := range tests {
		for how, prepare := range firstContacts() {
			t.Run(name+", CA "+how, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					d, c := newDirector(t), &clock{}
					c.wrongBy(tt.off)
					d.approved = true
					h := newHost(t, d, func(cfg *agentclient.Config) { cfg.Now, cfg.UpdateInterval = c.now, 10*time.Minute })
					prepare(t, h, d)
					h.start()
					time.Sleep(lasting(30*time.Minute, 2*time.Hour))
					assert.Equal(t, agentclient.Unenrolled, h.Status().State)
					assert.Contains(t, h.Status().Trouble, tt.says)
					assert.LessOrEqual(t, h.log.count("did not take a call"), 2, "said once, and when the number of days changes")

					c.wrongBy(0)
					time.Sleep(time.Minute)
					assert.Equal(t, agentclient.Enrolled, h.Status().State, h.log.String())
					assert.Empty(t, h.Status().Trouble)
					h.stop()
				})
			})
		}
	}
}

func TestAClockThatJumpsWhileEnrolledIsSaidAndMended(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		off  time.Duration
		says string
	}{
		"ahead":  {off: 30 * day, says: saysAhead},
		"behind": {off: -30 * day, says: saysBehind},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d, c := newDirector(t), &clock{}
				h := enrolled(t, d, func(cfg *agentclient.Config) { cfg.Now, cfg.UpdateInterval = c.now, 2*time.Minute })
				before := h.Status()
				time.Sleep(time.Minute)
				c.wrongBy(tt.off)
				time.Sleep(2 * time.Hour)
				assert.Contains(t, h.Status().Trouble, tt.says)
				assert.LessOrEqual(t, h.log.count("did not take a call"), 2)
				if tt.off < 0 {
					refused(t, h, callerConf(t, d, dcvix.DirectorCommonName, directorName)) // of a day that has not come
					assert.Contains(t, h.log.String(), "the certificate of the calling director is not good before")
				}

				c.wrongBy(0)
				time.Sleep(3 * time.Minute)
				after := h.Status()
				assert.Equal(t, agentclient.Enrolled, after.State, h.log.String())
				assert.Empty(t, after.Trouble)
				assert.WithinDuration(t, time.Now(), after.LastReport, 3*time.Minute)
				assert.Equal(t, before.GUID, after.GUID)
				assert.Equal(t, http.StatusOK, call(t, h, http.MethodGet, dcvix.PathHealth, "").status)
				h.stop()
			})
		})
	}
}

func TestACertificateOfTheDirectorThatRanOutIsSaid(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, func(cfg *agentclient.Config) { cfg.UpdateInterval = 12 * time.Hour })
		d.with(func(d *director) { d.stale = true }) // nobody renews it
		time.Sleep(90*day + 13*time.Hour)
		assert.Contains(t, h.Status().Trouble, "the certificate of the director was good until ")
		assert.Contains(t, h.Status().Trouble, "look after the clock and the certificate of the director")
		refused(t, h, reissued(t, d, expiredNow))
		d.with(func(d *director) { d.stale = false })
		time.Sleep(time.Minute)
		assert.Equal(t, agentclient.Enrolled, h.Status().State)
		assert.Empty(t, h.Status().Trouble)
		h.stop()
	})
}
