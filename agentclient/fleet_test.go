package agentclient_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/agentclient/agentclienttest"
	"github.com/dcvix/dcvix/dcvcli"
)

// agents returns how many there are in a fleet: fewer with the race detector,
// unless the long form is asked for.
func agents(short, race int) int {
	switch {
	case longForm():
		return 1000
	case raceDetector:
		return race
	default:
		return short
	}
}

// lasting returns how long, or how often, something goes on: the short form unless
// the long one is asked for. A day of an agent is thousands of calls over TLS.
func lasting[T any](short, long T) T { // any: a duration or a number
	if longForm() {
		return long
	}
	return short
}

func longForm() bool {
	return os.Getenv("DCVIX_LONG") == "1" //nolint:forbidigo // the long form is asked for from outside
}

// quiet is a DCV without sessions that costs nothing.
type quiet struct{ agentclient.DCV }

func (quiet) List(context.Context) ([]dcvcli.Session, error) { return nil, nil }

// A fleet is many agents of one director.
type fleet struct {
	t      *testing.T
	d      *director
	agents []*agentclient.Agent
	end    func()

	mu   sync.Mutex // guards what follows
	came []time.Time
}

// newFleet starts them all in the same instant, as after a power cut, and waits
// until they are enrolled.
func newFleet(t *testing.T, n int, interval time.Duration) *fleet {
	f := &fleet{t: t, d: newDirector(t)}
	f.d.approved = true
	f.d.fault = func(http.ResponseWriter, *http.Request) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.came = append(f.came, time.Now())
		return false
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	for i := range n {
		agent, err := agentclient.New(agentclient.Config{
			DirectorURL:    "https://" + directorName,
			StateDir:       t.TempDir(),
			Hostname:       fmt.Sprintf("ws%d", i),
			UpdateInterval: interval,
			DCV:            quiet{},
			Stats:          agentclienttest.Stats{},
			Dial:           f.d.dial,
			Listen:         func(context.Context, string, string) (net.Listener, error) { return newListener(), nil },
			Logger:         slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		f.agents = append(f.agents, agent)
		running.Go(func() { assert.NoError(t, agent.Run(ctx), "an agent never exits") })
	}
	f.end = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(f.end)
	synctest.Wait()
	for _, a := range f.agents {
		require.Equal(t, agentclient.Enrolled, a.Status().State)
	}
	return f
}

// forget begins a new count of the requests.
func (f *fleet) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.came = nil
}

// seen returns when requests came, in order.
func (f *fleet) seen() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.SortedFunc(slices.Values(f.came), time.Time.Compare)
}

// comeBack brings the director back and returns when requests came within that
// time.
func (f *fleet) comeBack(within time.Duration) []time.Time {
	f.forget()
	f.d.comeBack()
	time.Sleep(within)
	synctest.Wait()
	return f.seen()
}

// allReported checks that every agent has been heard of since then.
func (f *fleet) allReported(since time.Time) {
	f.t.Helper()
	late := 0
	for _, a := range f.agents {
		if s := a.Status(); s.State != agentclient.Enrolled || s.LastReport.Before(since) {
			late++
		}
	}
	assert.Zero(f.t, late, "of %d agents are not back", len(f.agents))
}

// busiest returns how many of these times, which are in order, are in one second.
func busiest(came []time.Time) int {
	most, from := 0, 0
	for to := range came {
		for came[to].Sub(came[from]) >= time.Second {
			from++
		}
		most = max(most, to-from+1)
	}
	return most
}

func TestAFleetComesBackWithoutAHerd(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		n := agents(1000, 150)
		f := newFleet(t, n, 0)
		away := lasting(20*time.Minute, 6*time.Hour) // the waits have long been the longest then
		for _, tt := range []struct {
			away time.Duration
			most int // requests in one second
		}{
			{away: 3 * time.Second, most: n/5 + 10}, // a restart
			{away: 30 * time.Second, most: n/5 + 10},
			{away: away, most: n/10 + 10},
		} {
			time.Sleep(5 * time.Minute)
			f.d.goAway() // in the middle of everything, with all connections open
			time.Sleep(tt.away)

			back := time.Now()
			came := f.comeBack(time.Minute)

			f.allReported(back)
			t.Logf("%d agents, director away for %s: of %d requests in the minute after, %d came in one second", n, tt.away, len(came), busiest(came))
			assert.LessOrEqual(t, busiest(came), tt.most, "a herd, away %s", tt.away)
		}
		f.end()
	})
}

func TestAFleetThatStartsTogetherDoesNotGoOnTogether(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		n := agents(500, 100)
		f := newFleet(t, n, 0)
		time.Sleep(time.Minute)
		f.forget()
		time.Sleep(2 * time.Minute)
		assert.InDelta(t, 4*n, len(f.seen()), float64(n)/10)
		assert.LessOrEqual(t, busiest(f.seen()), n/10+10, "reports")
		f.end()
	})
}

func TestRenewalsOfAFleetAreSpread(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		n := agents(100, 40)
		f := newFleet(t, n, -1) // nothing but renewals
		f.forget()
		time.Sleep(2 * day)
		f.d.goAway()
		assert.GreaterOrEqual(t, len(f.seen()), n)
		assert.LessOrEqual(t, busiest(f.seen()), n/10+10, "the daily ones")

		time.Sleep(lasting(day+12*time.Hour, 3*day))
		came := f.comeBack(5*time.Minute + time.Second)
		assert.GreaterOrEqual(t, len(came), n)
		assert.LessOrEqual(t, busiest(came), n/10+10, "those after days without a director")
		for _, a := range f.agents {
			require.Greater(t, time.Until(a.Status().NotAfter), 13*day, "five minutes later all are fresh")
		}
		f.end()
	})
}
