package session

import (
	"context"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/dcvix/dcvix"
)

// NewFleet is newFleet, for tests of what it promises.
func NewFleet(maxAge, deadline time.Duration) *Fleet {
	return newFleet(maxAge, deadline, func(Event) {})
}

// Reserve takes the place of a session, whatever its owner has; it returns nil when
// it cannot.
func (f *Fleet) Reserve(id dcvix.AgentID, s dcvix.Session, at time.Time) *Reservation {
	w := &want{owner: s.Owner, kind: s.Type, id: s.ID, same: func(dcvix.Username, dcvix.Username) bool { return false }}
	p, _ := f.reserve(id, w, at)
	return p.taken
}

// A Reservation is a reservation.
type Reservation = reservation

// Answered is answered, after calling.
func (f *Fleet) Answered(r *Reservation, s dcvix.Session, at time.Time) bool {
	f.calling(r)
	return f.answered(r, s, at)
}

// NotCreated is notCreated.
func (f *Fleet) NotCreated(r *Reservation) { f.notCreated(r) }

// Closing is closing, of a session of alice.
func (f *Fleet) Closing(id dcvix.AgentID, session dcvix.SessionID, at time.Time) *Act {
	a, _, _ := f.closing(id, dcvix.Session{ID: session, Owner: "alice"}, at)
	return a
}

// An Act is an act.
type Act = act

// Closed is closed.
func (f *Fleet) Closed(id dcvix.AgentID, a *Act, at time.Time) { f.closed(id, a, at) }

// NotClosed is notClosed.
func (f *Fleet) NotClosed(id dcvix.AgentID, a *Act) { f.notClosed(id, a) }

// Expire is expire.
func (f *Fleet) Expire(now time.Time) { f.expire(now) }

// SetFlags is setFlags.
func (f *Fleet) SetFlags(id dcvix.AgentID, flags HostFlags) { f.setFlags(id, flags) }

// Sweep is sweep.
func (f *Fleet) Sweep(now time.Time) (silent, dropped []Host) { return f.sweep(now) }

// Resolve returns the agent that a host name means.
func (b *Broker) Resolve(name string) (Agent, error) { return b.register.resolve(name) }

// Ask gets a report from a host that has not sent one yet.
func (b *Broker) Ask(ctx context.Context, a Agent) error { return b.ask(ctx, a) }

// ResolvedAfterReload returns what name means to an index made anew from the Store.
func (b *Broker) ResolvedAfterReload(ctx context.Context, name string) (dcvix.AgentID, error) {
	fresh, err := loadRegister(ctx, b.cfg.Store)
	if err != nil {
		return "", err
	}
	a, err := fresh.resolve(name)
	return a.ID, err
}

// DenialCount returns how many agents are held as sent away, also those whose day is
// over.
func (b *Broker) DenialCount() int {
	b.denied.mu.Lock()
	defer b.denied.mu.Unlock()
	return len(b.denied.all)
}

// PendingCount returns what the index counts, not what it holds.
func (b *Broker) PendingCount() int {
	b.register.mu.RLock()
	defer b.register.mu.RUnlock()
	return b.register.agents.counts[dcvix.AgentPending]
}

// NewcomerAddresses returns of how many addresses new agents are counted.
func (b *Broker) NewcomerAddresses() int {
	b.newcomers.mu.Lock()
	defer b.newcomers.mu.Unlock()
	return len(b.newcomers.all)
}

// WaitingChanges returns how many changes of the register wait for a commit.
func (b *Broker) WaitingChanges() int { return b.register.changes.Waiting() }

// The words for phases and events, in their order.
var (
	phaseNames = []string{"gone", "requested", "creating", "ready", "in use", "closing", "closed", "unknown"}
	eventNames = []string{"reserved", "called", "answered", "failed", "close", "ended", "overdue", "listed idle", "listed in use", "missing", "silence"}
)

// EachTransition calls f for each change of phase.
func EachTransition(f func(from, event, to string)) {
	for p, from := range phaseNames {
		for e, name := range eventNames {
			if to := next(phase(p), event(e)); to != phase(p) {
				f(from, name, phaseNames[to])
			}
		}
	}
}

// Phases returns every phase and whether it must not last.
func Phases() map[string]bool {
	all := make(map[string]bool)
	for p, name := range phaseNames {
		all[name] = phase(p).passing()
	}
	return all
}

// Next returns the phase after an event.
func Next(from, what string) string {
	return phaseNames[next(phase(slices.Index(phaseNames, from)), event(slices.Index(eventNames, what)))]
}

// Place takes a place in a pool and gives it back.
func (b *Broker) Place(ctx context.Context, who Actor, req OpenRequest) (dcvix.Hostname, error) {
	o := &opening{b: b, who: who, req: req, caller: ctx, failed: map[dcvix.AgentID]bool{}}
	pool, err := b.pool(who, req)
	if err != nil {
		return "", err
	}
	in := b.members(pool)
	b.warm(ctx, in)
	a, p, _, err := o.place(pool, in)
	if err == nil {
		b.fleet.notCreated(p.taken)
	}
	return a.Hostname, err
}

// Offering returns where sessions of that id can be entered.
func (f *Fleet) Offering(id dcvix.SessionID) []Endpoint { return f.offering(id) }

// IDs returns how many ids of sessions the fleet knows the whereabouts of.
func (f *Fleet) IDs() int { return len(f.where) }

// Owners returns how many owners of sessions the fleet knows the whereabouts of.
func (f *Fleet) Owners() int { return len(f.owners) }

// HostsOf returns the names of the hosts that have a session of an owner, whose name
// is compared without case.
func (f *Fleet) HostsOf(owner dcvix.Username) (names []dcvix.Hostname) {
	same := func(a, b dcvix.Username) bool { return strings.EqualFold(string(a), string(b)) }
	for _, h := range f.hostsOf(owner, same) {
		names = append(names, h.Name)
	}
	return names
}

// ParsePair is parsePair.
func ParsePair(s string) (a, b int, ok bool) { return parsePair(s) }

// Histories returns of how many hosts the last hour is remembered.
func (f *Fleet) Histories() int { return len(f.past) }

// HistoryBytes is what the history of one host takes: its struct, and the samples in
// the size class of the runtime (runtime/sizeclasses.go) that they are rounded up to.
const HistoryBytes = int(unsafe.Sizeof(history{})) + (HistoryLength*int(unsafe.Sizeof(packed{}))+127)/128*128

// SweepNow is what Run does for silent hosts.
func (b *Broker) SweepNow() { b.lookForSilence(context.Background()) }

// WriteSeen is writeSeen.
func (b *Broker) WriteSeen(ctx context.Context) error { return b.writeSeen(ctx) }
