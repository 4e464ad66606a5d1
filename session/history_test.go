package session_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// busy is a report of a host with that share of each thing in use.
func busy(cpu float64, sessions ...dcvix.Session) dcvix.AgentUpdate {
	u := says(sessions...)
	u.Stats = dcvix.Stats{CPUUsage: cpu, TotalMemory: 1000, FreeMemory: 250, Load1: 1.25}
	return u
}

func historyOf(f *session.Fleet, seconds int) []*session.Sample {
	_, samples := f.History(ws1.ID, after(seconds))
	return samples
}

func TestTheLastHourOfAHostIsRemembered(t *testing.T) {
	f := session.NewFleet(30*time.Second, 30*time.Second)
	two := desktop("s1")
	two.NumOfConnections = 2
	u := busy(12.34, two, desktop("s2"))
	u.GPUs = []dcvix.GPU{{Usage: 80, UsedMemory: 1, TotalMemory: 4}, {Usage: 40, UsedMemory: 2, TotalMemory: 4}}
	f.Report(ws1, busy(99), after(0))
	f.Report(ws1, u, after(30))
	f.Report(ws1, busy(50), after(180))

	begin, samples := f.History(ws1.ID, after(200))

	require.Len(t, samples, 60)
	assert.Equal(t, after(200).UTC().Truncate(time.Minute).Add(-59*time.Minute), begin)
	assert.Equal(t, &session.Sample{
		CPU: 0.1234, Memory: 0.75, GPU: 0.6, GPUMemory: 0.375, Load: 1.25, Sessions: 2, Connections: 2,
	}, samples[56], "the last report of a minute")
	assert.Nil(t, samples[57], "a gap stays a gap")
	assert.Nil(t, samples[58])
	assert.Equal(t, &session.Sample{CPU: 0.5, Memory: 0.75, GPU: -1, GPUMemory: -1, Load: 1.25}, samples[59])
	assert.Nil(t, samples[55], "nothing was before")
}

func TestAHistoryGoesBackOneHour(t *testing.T) {
	f := session.NewFleet(30*time.Second, 30*time.Second)
	for minute := range 150 {
		f.Report(ws1, busy(float64(minute%100)), after(60*minute))
	}
	for i, s := range historyOf(f, 60*149) {
		require.NotNil(t, s, i)
		assert.InDelta(t, float64((90+i)%100)/100, s.CPU, 1e-9)
	}
	late := historyOf(f, 60*(149+30))
	assert.InDelta(t, 0.2, late[0].CPU, 1e-9)
	assert.InDelta(t, 0.49, late[29].CPU, 1e-9)
	assert.Nil(t, late[30])
	assert.Equal(t, make([]*session.Sample, 60), historyOf(f, 60*(149+60)))
	f.Report(ws1, busy(7), after(60*(149+100)))
	far := historyOf(f, 60*(149+100))
	assert.Equal(t, make([]*session.Sample, 59), far[:59])
	assert.NotNil(t, far[59])
}

func TestAClockThatWasPutBackLeavesNoFuture(t *testing.T) {
	for _, back := range []int{10, 60, 61, 500} {
		t.Run(fmt.Sprint(back, " minutes"), func(t *testing.T) {
			f := session.NewFleet(30*time.Second, 30*time.Second)
			for minute := range 600 {
				f.Report(ws1, busy(10), after(60*minute))
			}
			f.Report(ws1, busy(20), after(60*(599-back)))
			got := historyOf(f, 60*(599-back))
			assert.InDelta(t, 0.2, got[59].CPU, 1e-9)
			for i, s := range got[:59] {
				kept := back < 60 && i >= back // the oldest ones made room already
				assert.Equal(t, kept, s != nil, "sample %d", i)
			}
			for i, s := range historyOf(f, 60*(599-back+30))[30:] {
				assert.Nil(t, s, "sample %d", 30+i)
			}
		})
	}
}

func TestFiguresBeyondAllReasonAreBounded(t *testing.T) {
	f := session.NewFleet(30*time.Second, 30*time.Second)
	u := says()
	u.Stats = dcvix.Stats{CPUUsage: -5, TotalMemory: 1, FreeMemory: math.MaxUint64, Load1: 1e300}
	u.GPUs = []dcvix.GPU{{Usage: 1e9, UsedMemory: math.MaxUint64, TotalMemory: 1}}
	f.Report(ws1, u, after(0))
	assert.Equal(t, &session.Sample{GPU: 1, GPUMemory: 1, Load: 655.34}, historyOf(f, 0)[59])
	u.Stats.Load1 = math.NaN()
	f.Report(ws1, u, after(1))
	assert.Zero(t, historyOf(f, 1)[59].Load)
}

func TestAHistoryOutlivesSilenceAndEndsWithTheHost(t *testing.T) {
	f := session.NewFleet(30*time.Second, 30*time.Second)
	f.Report(ws1, busy(10), after(0))
	_, dropped := f.Sweep(after(20 * 60))
	require.Len(t, dropped, 1)
	assert.Equal(t, 1, f.Histories())
	f.Report(ws1, busy(30), after(30*60))
	got := historyOf(f, 30*60)
	assert.InDelta(t, 0.1, got[29].CPU, 1e-9, "from before it fell silent")
	assert.InDelta(t, 0.3, got[59].CPU, 1e-9)

	f.Sweep(after(50 * 60))
	f.Sweep(after(89 * 60))
	assert.Equal(t, 1, f.Histories())
	f.Sweep(after(90 * 60))
	assert.Zero(t, f.Histories(), "nothing of the last hour is left")

	f.Report(ws1, busy(10), after(100*60))
	f.Drop(ws1.ID)
	assert.Zero(t, f.Histories())
	assert.Equal(t, make([]*session.Sample, 60), historyOf(f, 100*60))
}

func TestTheHistoriesOfTenThousandHostsTakeLessThanTenMegabytes(t *testing.T) {
	assert.LessOrEqual(t, 10_000*session.HistoryBytes, 10_000_000)
}
