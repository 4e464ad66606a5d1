package agentclient_test

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// A counter counts how often dcv is started.
type counter struct {
	dcvcli.Runner

	runs atomic.Int64
}

func (c *counter) Run(ctx context.Context, args ...string) ([]byte, error) {
	c.runs.Add(1)
	return c.Runner.Run(ctx, args...)
}

func TestAReportStartsOneProcessAlsoWithTheReaperOn(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		d.approved = true
		h := newHost(t, d, func(c *agentclient.Config) { c.IdleTimeout = 24 * time.Hour })
		runs := &counter{Runner: h.dcv}
		cli, err := dcvcli.New(dcvcli.Config{Runner: runs, Platform: "linux"})
		require.NoError(t, err)
		h.cfg.DCV = cli
		putSession(t, h, desktop(oursByID))
		h.start()
		time.Sleep(time.Hour)
		_, _, reports := d.counts()
		assert.InDelta(t, 121, reports, 2)
		assert.LessOrEqual(t, int(runs.runs.Load()), reports)
		h.stop()
	})
}

// BenchmarkReport is one report, from the list of 20 sessions over TLS to the
// director's answer, without what starting the dcv process costs.
func BenchmarkReport(b *testing.B) {
	d := newDirector(b)
	d.approved = true
	h := newHost(b, d, func(c *agentclient.Config) {
		c.UpdateInterval, c.IdleTimeout = 10_000*time.Hour, time.Hour
		c.Logger = slog.New(slog.DiscardHandler)
	})
	require.NoError(b, h.dcv.Update(func(s *dcvclitest.State) error {
		for i := range 20 {
			s.Sessions = append(s.Sessions, desktop("s"+strconv.Itoa(i)))
		}
		return nil
	}))
	h.start()
	for h.Status().LastReport.IsZero() {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // its own report is over; the next is weeks away
	for b.Loop() {
		if err := h.ReportOnce(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	h.stop()
}
