package session

import (
	"context"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
)

// An EventKind is what an [Event] is about. The list only grows.
type EventKind string

// The kinds of events.
const (
	EventHost     EventKind = "host"     // a host reported, fell silent, came or went, or is in maintenance or no longer
	EventSessions EventKind = "sessions" // sessions of a host began, ended, or look different
	EventAgent    EventKind = "agent"    // an entry of the register changed
	EventPolicy   EventKind = "policy"   // who may use what changed
	EventResync   EventKind = "resync"   // the reader was too slow and missed events: look at everything again
)

// An Event says that something changed, and where; what it is now is to be asked for.
type Event struct {
	Kind  EventKind
	Agent dcvix.AgentID // of the host or entry; "" where it says nothing
}

// maxEvents is how many events wait for a slow reader.
const maxEvents = 256

// A feed hands events to those who watch. It never waits for them. The zero value is
// ready to use.
type feed struct {
	mu       sync.Mutex
	watchers map[*watcher]struct{}
}

// A watcher is one who watches. There is room for one event more than maxEvents: the
// resync that says that the rest is missing.
type watcher struct {
	events chan Event
	missed bool // events since its channel was full; guarded by feed.mu
}

func (f *feed) publish(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watchers {
		switch {
		case w.missed && len(w.events) > 0: // until the reader has taken all that there is
		case len(w.events) < maxEvents:
			w.missed = false
			w.events <- e
		default:
			w.missed = true
			w.events <- Event{Kind: EventResync}
		}
	}
}

// Watch returns what changes from now on, until ctx is done; then the channel is
// closed. A reader that lags behind misses events and gets one of [EventResync] in
// their place; nobody waits for it.
func (b *Broker) Watch(ctx context.Context) <-chan Event {
	w := &watcher{events: make(chan Event, maxEvents+1)}
	f := &b.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers == nil {
		f.watchers = make(map[*watcher]struct{})
	}
	f.watchers[w] = struct{}{}
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers, w)
		close(w.events)
	})
	return w.events
}

// watchPolicy tells those who watch when the policy has changed, until ctx is done.
func (b *Broker) watchPolicy(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	rules := b.cfg.Policy.Rules()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := b.cfg.Policy.Rules(); now != rules {
			rules = now
			b.feed.publish(Event{Kind: EventPolicy})
		}
	}
}
