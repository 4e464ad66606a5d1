package session

import (
	"math"
	"time"

	"github.com/dcvix/dcvix"
)

// The shape of what is remembered of a host.
const (
	// HistoryStep is the time between two samples of a host.
	HistoryStep = time.Minute
	// HistoryLength is how many samples of a host are remembered.
	HistoryLength = 60
)

// A Sample is what a host last reported within one minute. Shares are of 1; those
// that are not known are -1.
type Sample struct {
	CPU         float64 // share of all cores that was busy
	Memory      float64 // share that was used
	GPU         float64 // share that was busy, the mean of all cards; not known when there is none
	GPUMemory   float64 // share that was used of that of all cards
	Load        float64 // of one minute, up to 655.34
	Sessions    int     // up to 65,534, as the next
	Connections int     // clients of all sessions
}

// A figure is a number of a sample, one higher than it is: 0 is none.
type figure uint16

// The parts of a share and of a load that a figure counts.
const (
	shareParts = 10_000
	loadParts  = 100
)

func figureOf(value float64) figure {
	if math.IsNaN(value) || value < 0 {
		value = 0
	}
	return figure(min(math.Round(value), math.MaxUint16-1)) + 1
}

// of is the share that part is of whole.
func (f *figure) of(part, whole float64) {
	*f = 0
	if whole > 0 {
		*f = figureOf(min(part/whole, 1) * shareParts)
	}
}

// share returns -1 for none.
func (f figure) share() float64 {
	if f == 0 {
		return -1
	}
	return float64(f-1) / shareParts
}

// A packed sample is a Sample in 14 bytes. Every one that is there has sessions.
type packed struct {
	cpu, memory, gpu, gpuMemory, load, sessions, connections figure
}

// A history is the last hour of a host: of each minute what was reported last, in
// less than 1 kB, so that 10,000 hosts take less than 10 MB.
type history struct{ ring[packed] }

func newHistory() *history { return &history{newRing[packed](HistoryLength)} }

// stepOf returns the number of a step since 1970.
func stepOf(at time.Time, step time.Duration) int64 { return at.Unix() / int64(step/time.Second) }

// note takes in what a host says of itself.
func (h *history) note(host *Host, at time.Time) {
	*h.at(stepOf(at, HistoryStep)) = host.packed()
}

func (h *Host) packed() packed {
	s := &h.Stats
	p := packed{load: figureOf(s.Load1 * loadParts), sessions: figureOf(float64(len(h.Sessions)))}
	p.cpu.of(max(s.CPUUsage, 0), 100)
	p.memory.of(float64(s.TotalMemory-min(s.FreeMemory, s.TotalMemory)), float64(s.TotalMemory))
	var usage, used, total float64
	for _, g := range h.GPUs {
		usage += max(g.Usage, 0)
		used += float64(g.UsedMemory)
		total += float64(g.TotalMemory)
	}
	p.gpu.of(usage, float64(100*len(h.GPUs)))
	p.gpuMemory.of(used, total)
	clients := 0
	for i := range h.Sessions {
		clients += max(h.Sessions[i].NumOfConnections, 0)
	}
	p.connections = figureOf(float64(clients))
	return p
}

// samplesUntil returns the samples of the hour that ends with the minute of now.
func (h *history) samplesUntil(now time.Time) []*Sample {
	all := make([]*Sample, HistoryLength)
	for i := range all {
		if p := h.get(stepOf(now, HistoryStep) - HistoryLength + 1 + int64(i)); p.sessions != 0 {
			all[i] = p.sample()
		}
	}
	return all
}

func (p *packed) sample() *Sample {
	return &Sample{
		CPU: p.cpu.share(), Memory: p.memory.share(), GPU: p.gpu.share(), GPUMemory: p.gpuMemory.share(),
		Load: float64(p.load-1) / loadParts, Sessions: int(p.sessions - 1), Connections: int(p.connections - 1),
	}
}

// History returns the last hour of a host as it reported it, one [Sample] each
// [HistoryStep] from the time begin on and nil where no report came: the last is of
// the minute that goes on. Of a host that never reported all are nil. It outlives the
// host's silence, but not the director.
func (f *Fleet) History(id dcvix.AgentID, now time.Time) (begin time.Time, samples []*Sample) {
	begin = now.UTC().Truncate(HistoryStep).Add(-(HistoryLength - 1) * HistoryStep)
	f.mu.RLock()
	defer f.mu.RUnlock()
	past, known := f.past[id]
	if !known {
		return begin, make([]*Sample, HistoryLength)
	}
	return begin, past.samplesUntil(now)
}

// History is [Fleet.History] of the host of a registered agent, as of now. It costs
// no disk read.
func (b *Broker) History(id dcvix.AgentID) (begin time.Time, samples []*Sample) {
	return b.fleet.History(id, b.cfg.Now())
}
