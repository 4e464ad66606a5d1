package agentclient_test

import (
	"crypto/tls"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/ca"
)

const day = 24 * time.Hour

// cut ends the connection without an answer.
func cut(w http.ResponseWriter, _ *http.Request) bool {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
	return true
}

func hourly(c *agentclient.Config) { c.UpdateInterval = time.Hour }

func TestCertificateStaysFreshOverThreeMonthsWithOutages(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, hourly)
		rounds := lasting(3, 9)
		for range rounds { // ten days each: three without a director
			h.off.Store(true)
			time.Sleep(3 * day)
			h.off.Store(false)
			time.Sleep(7 * day)
			assert.Greater(t, time.Until(h.Status().NotAfter), 12*day, "outlives twelve days of outage")
			assert.Equal(t, agentclient.Enrolled, h.Status().State)
		}
		asked, renewals, _ := d.counts()
		assert.Equal(t, 1, asked, "never had to register again")
		assert.InDelta(t, rounds*7, renewals, float64(rounds)*4/3, "about one a day")
		stored, err := ca.ReadCertFile(filepath.Join(h.cfg.StateDir, agentclient.CertFile))
		require.NoError(t, err)
		assert.True(t, stored[0].NotAfter.Equal(h.Status().NotAfter), "the newest is on disk")
		h.stop()
	})
}

func TestNewCertificateIsUsedAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, nil)
		shown := func() time.Time {
			raw, err := h.ln.Dial(t.Context(), "", "")
			require.NoError(t, err)
			conn := tls.Client(raw, callerConf(t, d, dcvix.DirectorCommonName, directorName))
			require.NoError(t, conn.HandshakeContext(t.Context()))
			defer func() { _ = conn.Close() }()
			return conn.ConnectionState().PeerCertificates[0].NotAfter
		}
		first := shown()
		var presented atomic.Value
		d.with(func(d *director) {
			d.fault = func(_ http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == dcvix.PathAgentUpdate && len(r.TLS.PeerCertificates) > 0 {
					presented.Store(r.TLS.PeerCertificates[0].NotAfter)
				}
				return false
			}
		})
		time.Sleep(37 * time.Hour)
		assert.True(t, shown().After(first), "on our listener, which stays open")
		assert.Equal(t, shown(), presented.Load(), "to the director")
		h.stop()
	})
}

func TestExpiredCertificateRegistersAgain(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ while func(h *host) }{
		"while the director was away": {while: func(*host) { time.Sleep(lasting(14*day+time.Hour, 20*day)) }},
		"while the agent was off": {while: func(h *host) {
			h.stop()
			time.Sleep(20 * day)
			h.start()
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				h := enrolled(t, d, hourly)
				before := h.Status()
				var expired atomic.Bool
				h.off.Store(true)
				tt.while(h)
				h.off.Store(false)
				d.with(func(d *director) {
					d.fault = func(_ http.ResponseWriter, r *http.Request) bool {
						for _, c := range r.TLS.PeerCertificates {
							expired.Store(expired.Load() || time.Now().After(c.NotAfter))
						}
						return false
					}
				})
				assert.NotEqual(t, agentclient.Enrolled, h.Status().State)
				time.Sleep(2 * time.Minute)
				after := h.Status()
				assert.Equal(t, agentclient.Enrolled, after.State, h.log.String())
				assert.Equal(t, before.GUID, after.GUID)
				assert.Equal(t, before.Fingerprint, after.Fingerprint)
				assert.False(t, expired.Load(), "an expired certificate was presented")
				h.stop()
			})
		})
	}
}

func TestEndOfTheCertificateIsNoticedAtOnceWithoutReports(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		h := enrolled(t, newDirector(t), func(c *agentclient.Config) { c.UpdateInterval = -1 })
		h.off.Store(true)
		time.Sleep(time.Until(h.Status().NotAfter) - time.Second)
		assert.Equal(t, agentclient.Enrolled, h.Status().State)
		time.Sleep(2 * time.Second)
		assert.Equal(t, agentclient.Expired, h.Status().State)
		h.stop()
	})
}

func TestRefusedAgentRegistersAgain(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		path  string
		after time.Duration
	}{
		"at a report":  {path: dcvix.PathAgentUpdate, after: lasting(3*time.Hour, 2*day)},
		"at a renewal": {path: dcvix.PathAgentRenew, after: lasting(36*time.Hour, 2*day)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				h := enrolled(t, d, hourly)
				d.with(func(d *director) {
					d.fault = func(w http.ResponseWriter, r *http.Request) bool {
						if r.URL.Path != tt.path {
							return false
						}
						http.Error(w, "This agent is not registered.", http.StatusUnauthorized)
						return true
					}
					d.approved = false // lost its database
				})
				time.Sleep(tt.after)
				assert.Equal(t, agentclient.Pending, h.Status().State)
				d.with(func(d *director) { d.approved, d.fault = true, nil })
				time.Sleep(30 * time.Second)
				assert.Equal(t, agentclient.Enrolled, h.Status().State)
				h.stop()
			})
		})
	}
}

func TestDirectorThatGrantsAndRefusesByTurnsIsNotChased(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		d.approved = true
		d.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != dcvix.PathAgentUpdate {
				return false
			}
			http.Error(w, "no", http.StatusUnauthorized)
			return true
		}
		h := newHost(t, d, nil).start()
		time.Sleep(time.Hour)
		asked, _, _ := d.counts()
		assert.Less(t, asked, 400)
		assert.Greater(t, asked, 30)
		h.stop()
	})
}

func TestDirectorSetsTheIntervalOfLooks(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		seconds int
		perDay  int // most tries of a renewal that always fails to come, once it is due
	}{
		"not said":      {seconds: 0, perDay: 2},
		"negative":      {seconds: -5, perDay: 2},
		"an hour":       {seconds: 3600, perDay: 24},
		"more than max": {seconds: 1 << 40, perDay: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				d.look = tt.seconds
				h := enrolled(t, d, hourly)
				time.Sleep(2*day + time.Minute)
				_, renewals, _ := d.counts()
				// due after 23 h (certificates start an hour early), noticed at the next look, at most 12 h later
				assert.GreaterOrEqual(t, renewals, 1)
				assert.LessOrEqual(t, renewals, 2)
				if tt.seconds == 3600 {
					assert.WithinDuration(t, d.renewals[0], d.renewals[1], 24*time.Hour)
				}
				h.stop()
			})
		})
	}
}

func TestFailedRenewalsAreRetriedWithinFiveMinutes(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, hourly)
		var tries []time.Time
		d.with(func(d *director) {
			d.fault = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != dcvix.PathAgentRenew {
					return false
				}
				d.with(func(*director) { tries = append(tries, time.Now()) })
				http.Error(w, "later", http.StatusServiceUnavailable)
				return true
			}
		})
		time.Sleep(lasting(2*day, 3*day))
		d.with(func(*director) {
			require.Greater(t, len(tries), 100)
			for i := range len(tries) - 1 {
				require.LessOrEqual(t, tries[i+1].Sub(tries[i]), 5*time.Minute)
			}
		})
		assert.Equal(t, 1, h.log.count("certificate not renewed"), "said once")
		assert.Equal(t, agentclient.Enrolled, h.Status().State, "trouble with renewing is no trouble with reporting")
		h.stop()
	})
}

func TestRenewalForAnotherKeyIsNotStored(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, hourly)
		other := enrolled(t, d, hourly)
		stolen, err := ca.ReadCertFile(filepath.Join(other.cfg.StateDir, agentclient.CertFile))
		require.NoError(t, err)
		other.stop()
		before := h.Status().NotAfter
		d.with(func(d *director) {
			d.fault = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != dcvix.PathAgentRenew {
					return false
				}
				writeJSON(w, dcvix.RenewResponse{Certificate: string(ca.EncodePEM(stolen...))})
				return true
			}
		})
		time.Sleep(lasting(36*time.Hour, 2*day))
		assert.Equal(t, before, h.Status().NotAfter)
		assert.Contains(t, h.log.String(), "for another key than ours")
		h.stop()
	})
}

func TestStopInTheMiddleOfARetryIsPrompt(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := newHost(t, d, nil)
		h.off.Store(true)
		h.start()
		time.Sleep(time.Hour)
		began := time.Now()
		h.stop()
		assert.Zero(t, time.Since(began))
	})
}
