package session

import (
	"context"
	"time"

	"github.com/dcvix/dcvix"
)

// NewFleet is newFleet, for tests of what it promises.
func NewFleet(maxAge, deadline time.Duration) *Fleet { return newFleet(maxAge, deadline) }

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

// ParsePair is parsePair.
func ParsePair(s string) (a, b int, ok bool) { return parsePair(s) }
