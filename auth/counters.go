package auth

import (
	"container/list"
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// Counters keep what a [Throttle] counts. Several directors that share them
// throttle as one.
//
// Keys are 22 characters of base64, made of a hash: nobody reads from them who
// logged in from where, or a password that was typed in the wrong field. A store
// must bound how many it keeps.
type Counters interface {
	// Take counts one try of key, unless the delay that the tries before it cost is
	// not over: then it counts nothing and returns how long that delay still lasts.
	// It is one atomic step, so that of many tries at once only one is let in.
	//
	// The first try that is remembered costs delays[0], the next delays[1], and
	// those beyond the end cost the last. After each span of forget, one try is
	// forgotten; no more are remembered than there are delays.
	//
	// by says on whose behalf the try is made, "" that it does not matter. An
	// implementation should let no by win every try because it asks most often.
	Take(ctx context.Context, key, by string, delays []time.Duration, forget time.Duration) (wait time.Duration, err error)
	// Forget takes back one try of key that was taken and the delay that it cost,
	// or with all everything that is remembered of the key. A key that is not known
	// is no error.
	Forget(ctx context.Context, key string, all bool, forget time.Duration) error
}

// maxCounters bounds what [MemoryCounters] keep: about 25 MB. Beyond it the key
// that was asked for longest ago is let go, which gives whoever guessed at it a few
// more tries.
const maxCounters = 100_000

// MemoryCounters are [Counters] of one process. They keep at most 100,000 keys,
// and forget those whose tries are all forgotten. They are safe for concurrent use.
type MemoryCounters struct {
	now  func() time.Time
	max  int
	seed maphash.Seed

	mu   sync.Mutex // guards what follows
	all  map[string]*list.Element
	used list.List // of *counter, the one used last in front
}

var _ Counters = (*MemoryCounters)(nil)

// NewMemoryCounters returns MemoryCounters that are empty. A nil now means
// time.Now.
func NewMemoryCounters(now func() time.Time) *MemoryCounters {
	if now == nil {
		now = time.Now
	}
	return &MemoryCounters{now: now, max: maxCounters, seed: maphash.MakeSeed(), all: make(map[string]*list.Element)}
}

// A counter is what is remembered of a key.
//
// When a delay is over, whoever asks most often would get the next try, every
// time. So a lot is drawn among those that asked meanwhile, each once however often
// they asked, and for as long as the delay was the winner alone is let in.
type counter struct {
	key   string
	empty time.Time // all tries are forgotten
	until time.Time // the delay is over
	cost  time.Duration

	winner string
	lot    uint64 // of the winner; the lowest wins
}

// Take implements [Counters].
func (m *MemoryCounters) Take(_ context.Context, key, by string, delays []time.Duration, forget time.Duration) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.sweep(now)
	c := m.find(key)
	most := forget * time.Duration(len(delays))
	if c.empty.Sub(now) > most { // the clock was put back
		c.empty, c.until = now.Add(most), now
	}
	m.draw(c, by, now)
	if wait := c.wait(now, by); wait > 0 {
		return wait, nil
	}
	tries := 0
	if left := c.empty.Sub(now); left > 0 {
		tries = int((left + forget - 1) / forget)
	} else {
		c.empty = now
	}
	c.cost = delays[min(tries, len(delays)-1)]
	c.empty, c.until = c.empty.Add(forget), now.Add(c.cost)
	if c.empty.Sub(now) > most {
		c.empty = now.Add(most)
	}
	c.winner, c.lot = "", 0
	return 0, nil
}

// wait returns how long by has to wait.
func (c *counter) wait(now time.Time, by string) time.Duration {
	if c.cost == 0 {
		return 0 // even when the clock was put back a little
	}
	until := c.until
	if c.winner != "" && c.winner != by {
		until = until.Add(c.cost)
	}
	return until.Sub(now)
}

// draw gives by, if it has to wait, a lot for the next try.
func (m *MemoryCounters) draw(c *counter, by string, now time.Time) {
	if by == "" || c.cost == 0 || !now.Before(c.until) {
		return
	}
	lot := maphash.Comparable(m.seed, struct {
		by, key string
		until   int64
	}{by, c.key, c.until.UnixNano()})
	if c.winner == "" || lot < c.lot {
		c.winner, c.lot = by, lot
	}
}

// Forget implements [Counters].
func (m *MemoryCounters) Forget(_ context.Context, key string, all bool, forget time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	e, known := m.all[key]
	if !known {
		return nil
	}
	c := e.Value.(*counter)
	c.empty = c.empty.Add(-forget)
	if c.until.After(now) {
		c.until = now
	}
	if all || !c.empty.After(now) {
		m.drop(e)
	}
	return nil
}

// find returns the counter of a key, which is the one used last then.
func (m *MemoryCounters) find(key string) *counter {
	if e, known := m.all[key]; known {
		m.used.MoveToFront(e)
		return e.Value.(*counter)
	}
	if len(m.all) >= m.max {
		m.drop(m.used.Back())
	}
	c := &counter{key: key}
	m.all[key] = m.used.PushFront(c)
	return c
}

// sweep lets go of what is forgotten, from the end where that is most likely.
func (m *MemoryCounters) sweep(now time.Time) {
	for e := m.used.Back(); e != nil; e = m.used.Back() {
		if c := e.Value.(*counter); c.empty.After(now) || c.until.After(now) {
			return
		}
		m.drop(e)
	}
}

func (m *MemoryCounters) drop(e *list.Element) {
	delete(m.all, e.Value.(*counter).key)
	m.used.Remove(e)
}
