package agentclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// putSession makes a session that this software did not create.
func putSession(t *testing.T, h *host, s dcvclitest.Session) {
	t.Helper()
	require.NoError(t, h.dcv.Update(func(state *dcvclitest.State) error {
		state.Sessions = append(state.Sessions, s)
		return nil
	}))
}

func setFaults(t *testing.T, h *host, f dcvclitest.Faults) {
	t.Helper()
	require.NoError(t, h.dcv.Update(func(state *dcvclitest.State) error {
		state.Faults = f
		return nil
	}))
}

func TestReportSaysHowTheHostIs(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := newHost(t, d, func(c *agentclient.Config) {
			c.Tags, c.DCVPort, c.UpdateInterval = []string{"gpu", "linux"}, 9443, time.Minute
		})
		putSession(t, h, dcvclitest.Session{ID: "weird id/..", Owner: "eve", Type: "virtual", CreationTime: time.Now()})
		d.approved = true
		h.start()
		synctest.Wait()
		got := d.lastUpdate()
		assert.Equal(t, "ws1.lab.example", got.Stats.Hostname)
		assert.Equal(t, 8, got.Stats.Cores)
		assert.Equal(t, uint64(16<<30), got.Stats.TotalMemory)
		assert.Equal(t, []string{"gpu", "linux"}, got.Tags)
		assert.Equal(t, agentclient.DefaultAgentPort, got.AgentPort)
		assert.Equal(t, 9443, got.DCVPort)
		assert.Equal(t, 60, got.UpdateIntervalSeconds)
		assert.Equal(t, dcvix.Version, got.Version)
		assert.Empty(t, got.Problems)
		require.Len(t, got.Sessions, 1, "foreign sessions are reported too")
		assert.Equal(t, dcvix.SessionID("weird id/.."), got.Sessions[0].ID)
		assert.Equal(t, time.Now().UTC(), got.Sessions[0].CreationTime.UTC())
		raw, err := json.Marshal(got)
		require.NoError(t, err)
		assert.Contains(t, string(raw), `"last-disconnection-time":null`, "never")
		h.stop()
	})
}

func TestReportComesAtItsInterval(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		interval time.Duration
		anHour   int
		stated   int
	}{
		"by default":  {interval: 0, anHour: 121, stated: 30},
		"ten minutes": {interval: 10 * time.Minute, anHour: 7, stated: 600},
		"off":         {interval: -1, anHour: 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				h := enrolled(t, d, func(c *agentclient.Config) { c.UpdateInterval = tt.interval })
				time.Sleep(time.Hour + time.Second)
				_, _, reports := d.counts()
				assert.InDelta(t, tt.anHour, reports, 1)
				if reports > 0 {
					assert.Equal(t, tt.stated, d.lastUpdate().UpdateIntervalSeconds)
				}
				h.stop()
			})
		})
	}
}

func TestListsAreNeverNull(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		bodies := make(chan map[string]json.RawMessage, 1)
		d.approved = true
		d.fault = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == dcvix.PathAgentUpdate {
				var body map[string]json.RawMessage
				assert.NoError(t, json.NewDecoder(r.Body).Decode(&body))
				bodies <- body
				return true
			}
			return false
		}
		h := newHost(t, d, nil).start()
		body := <-bodies
		assert.Equal(t, "[]", string(body["sessions"]))
		assert.Equal(t, "[]", string(body["tags"]))
		h.stop()
	})
}

func TestReportFollowsAChangeAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, hourly)
		time.Sleep(time.Second)
		call(t, h, http.MethodPost, dcvix.PathSessions, `{"userId":"ada","sessionType":"console","sessionId":"s1"}`)
		synctest.Wait()
		_, _, reports := d.counts()
		assert.Equal(t, 2, reports)
		assert.Len(t, d.lastUpdate().Sessions, 1)
		time.Sleep(time.Second)
		call(t, h, http.MethodDelete, dcvix.Path(dcvix.PathSession, "s1"), "")
		synctest.Wait()
		_, _, reports = d.counts()
		assert.Equal(t, 3, reports)
		assert.Empty(t, d.lastUpdate().Sessions)
		time.Sleep(10 * time.Second)
		_, _, reports = d.counts()
		assert.Equal(t, 3, reports, "what is reported is no news")
		h.stop()
	})
}

func TestFailingDCVNeverStopsTheReport(t *testing.T) {
	t.Parallel()
	tests := map[string]dcvclitest.Faults{
		"down":    {Down: true},
		"hanging": {Slow: time.Hour},
	}
	for name, faults := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				h := newHost(t, d, nil)
				putSession(t, h, dcvclitest.Session{ID: "s1", Owner: "ada", Type: "virtual"})
				d.approved = true
				h.start()
				synctest.Wait()
				setFaults(t, h, faults)
				time.Sleep(2 * time.Minute)
				got := d.lastUpdate()
				require.Len(t, got.Problems, 1)
				assert.True(t, strings.HasPrefix(got.Problems[0], "the sessions of DCV cannot be listed: "), got.Problems[0])
				assert.Equal(t, 8, got.Stats.Cores, "stats go on")
				assert.Len(t, got.Sessions, 1, "a short trouble makes nothing vanish")
				assert.Equal(t, got.Problems, h.Status().Problems)
				assert.Equal(t, 1, h.log.count("problem on this host\""), "said once")
				time.Sleep(10 * time.Minute)
				assert.Empty(t, d.lastUpdate().Sessions, "a long one does")
				setFaults(t, h, dcvclitest.Faults{})
				time.Sleep(time.Minute)
				assert.Empty(t, d.lastUpdate().Problems)
				assert.Len(t, d.lastUpdate().Sessions, 1)
				h.stop()
			})
		})
	}
}

type brokenStats struct{}

func (brokenStats) Stats(context.Context) (dcvix.Stats, error) {
	return dcvix.Stats{Cores: 4, CPUUsage: math.NaN(), Load1: math.Inf(1)}, errors.New("/proc is\nnot mounted")
}

func TestFailingStatsAreAProblemOfTheHost(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, func(c *agentclient.Config) { c.Stats = brokenStats{} })
		got := d.lastUpdate()
		assert.Equal(t, []string{"the load of the host cannot be read: /proc is not mounted"}, got.Problems)
		assert.Equal(t, 4, got.Stats.Cores)
		assert.Zero(t, got.Stats.CPUUsage)
		h.stop()
	})
}

func TestReportsComeBackSoonAfterAnOutage(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, nil)
		h.off.Store(true)
		d.with(func(d *director) { d.fault = cut })
		time.Sleep(2 * day)
		d.with(func(d *director) { d.fault, d.updates = nil, nil })
		h.off.Store(false)
		time.Sleep(time.Minute)
		_, _, reports := d.counts()
		assert.Positive(t, reports)
		assert.Equal(t, 1, h.log.count("did not take a call"), h.log.String())
		assert.Equal(t, 1, h.log.count("the director answers again"))
		h.stop()
	})
}

func TestRefusedHostNameIsSaidAndReportedOn(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, nil)
		d.with(func(d *director) {
			d.fault = func(w http.ResponseWriter, r *http.Request) bool {
				http.Error(w, "The host name is not this agent's.", http.StatusForbidden)
				return true
			}
		})
		time.Sleep(time.Hour)
		assert.Equal(t, agentclient.Enrolled, h.Status().State)
		assert.Contains(t, h.Status().Trouble, "The host name is not this agent's.")
		h.stop()
	})
}
