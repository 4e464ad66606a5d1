package auth

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// leastPace is how long a refusal takes at least. A code is looked up by a
	// service on the network, so that a refusal for the password alone is faster.
	leastPace = 250 * time.Millisecond
	// mostPace is beyond what a factor takes when all is well. An answer that took
	// longer does not slow down those after it.
	mostPace = 5 * time.Second
)

// A pace makes the refusals of two factors take the same time. The two are
// remembered apart, so that a thousand wrong passwords do not hide how long a
// wrong code takes. The zero value is ready to use.
type pace struct {
	mu            sync.Mutex
	first, second recent
}

// recent are the times that some answers took of late.
type recent struct {
	took [32]time.Duration
	next int
}

func (p *pace) note(r *recent, took time.Duration) {
	if took > mostPace {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r.took[r.next] = took
	r.next = (r.next + 1) % len(r.took)
}

// wait returns when a refusal is told of a login that began then: after half as
// long again as the slowest of late took. It returns at once when ctx is done.
func (p *pace) wait(ctx context.Context, begin time.Time) {
	p.mu.Lock()
	slowest := max(slices.Max(p.first.took[:]), slices.Max(p.second.took[:]))
	p.mu.Unlock()
	timer := time.NewTimer(time.Until(begin.Add(max(leastPace, slowest*3/2))))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
