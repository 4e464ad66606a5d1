package session

import (
	"sync"
	"time"

	"github.com/dcvix/dcvix"
)

const (
	denialTTL  = 24 * time.Hour
	maxDenials = 1000
)

// denials remembers the agents that an admin sent away. The zero value is empty
// and ready to use.
type denials struct {
	mu  sync.Mutex
	all map[dcvix.AgentID]denial
}

type denial struct {
	key KeyHash
	at  time.Time
}

// remember adds an agent and lets go of the oldest one when there are too many.
func (d *denials) remember(a Agent, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil {
		d.all = make(map[dcvix.AgentID]denial)
	}
	d.all[a.ID] = denial{key: a.KeyHash, at: now}
	if len(d.all) <= maxDenials {
		return
	}
	oldest := dcvix.AgentID("")
	for id, other := range d.all { // never the one just added, whatever the clock does
		if id != a.ID && (oldest == "" || other.at.Before(d.all[oldest].at)) {
			oldest = id
		}
	}
	delete(d.all, oldest)
}

func (d *denials) forget(id dcvix.AgentID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.all, id)
}

func (d *denials) remembers(r Registration, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	known, ok := d.all[r.ID]
	if ok && now.Sub(known.at) >= denialTTL {
		delete(d.all, r.ID)
		return false
	}
	return ok && known.key == r.KeyHash
}
