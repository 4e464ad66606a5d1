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
	begin    chan struct{} // says that somebody began to watch
	once     sync.Once
}

// begun returns the channel that says that somebody began to watch.
func (f *feed) begun() chan struct{} {
	f.once.Do(func() { f.begin = make(chan struct{}, 1) })
	return f.begin
}

func (f *feed) watched() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.watchers) > 0
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
	select {
	case f.begun() <- struct{}{}:
	default:
	}
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers, w)
		close(w.events)
	})
	return w.events
}

// watchPolicy tells those who watch when the policy has changed, until ctx is done.
// It looks only while somebody watches.
func (b *Broker) watchPolicy(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.feed.begun():
		}
		b.pollPolicy(ctx)
	}
}

// pollPolicy looks every second, until nobody watches.
func (b *Broker) pollPolicy(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for rules := b.cfg.Policy.Rules(); b.feed.watched(); {
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
