package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
)

const (
	denialTTL  = 24 * time.Hour
	maxDenials = 1000
)

// denials is the read index of the agents that an admin sent away. Its methods
// that change something commit to the Store first.
type denials struct {
	store DenialStore

	// acting is held by what changes the Store, so that index and Store see changes
	// in one order, and one denial is not taken back by another that fails. It is
	// taken before mu.
	acting sync.Mutex

	mu  sync.Mutex
	all map[dcvix.AgentID]Denial
}

func loadDenials(ctx context.Context, store DenialStore, now time.Time) (*denials, error) {
	stored, err := store.Denials(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(stored, func(a, b Denial) int { return b.At.Compare(a.At) }) // the newest first
	d := &denials{store: store, all: make(map[dcvix.AgentID]Denial, len(stored))}
	for _, one := range stored {
		if len(d.all) < maxDenials && now.Sub(one.At) < denialTTL {
			d.all[one.ID] = one
		}
	}
	return d, nil
}

// remember adds an agent and lets go of the oldest one when there are too many;
// acting is held.
func (d *denials) remember(ctx context.Context, one Denial) error {
	if err := d.store.PutDenial(ctx, one); err != nil {
		return err
	}
	d.mu.Lock()
	d.all[one.ID] = one
	var oldest dcvix.AgentID
	if len(d.all) > maxDenials {
		for id, other := range d.all { // never the one just added, whatever the clock does
			if id != one.ID && (oldest == "" || other.At.Before(d.all[oldest].At)) {
				oldest = id
			}
		}
	}
	d.mu.Unlock()
	if oldest == "" {
		return nil
	}
	return d.forget(ctx, oldest)
}

// forget lets go of agents; acting is held.
func (d *denials) forget(ctx context.Context, ids ...dcvix.AgentID) error {
	err := d.store.ForgetDenials(ctx, ids...)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids { // whatever the Store says: it is bounded, and a day is soon over
		delete(d.all, id)
	}
	if err != nil {
		return fmt.Errorf("forget denials: %w", err)
	}
	return nil
}

// forgetOld lets go of what is older than a day.
func (d *denials) forgetOld(ctx context.Context, now time.Time) error {
	d.acting.Lock()
	defer d.acting.Unlock()
	stored, err := d.store.Denials(ctx) // and not the index, which may hold less
	if err != nil {
		return fmt.Errorf("read denials: %w", err)
	}
	var old []dcvix.AgentID
	for _, one := range stored {
		if _, known := d.get(one.ID); !known || now.Sub(one.At) >= denialTTL {
			old = append(old, one.ID)
		}
	}
	if len(old) == 0 {
		return nil
	}
	return d.forget(ctx, old...)
}

func (d *denials) get(id dcvix.AgentID) (Denial, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one, ok := d.all[id]
	return one, ok
}

func (d *denials) remembers(r Registration, now time.Time) bool {
	one, ok := d.get(r.ID)
	return ok && one.KeyHash == r.KeyHash && now.Sub(one.At) < denialTTL
}

// Deny removes a pending agent and remembers it for a day, also beyond a restart,
// so that its next request makes no new entry. The errors wrap [ErrNotFound] and
// [ErrWrongState], or are of the Store.
func (b *Broker) Deny(ctx context.Context, id dcvix.AgentID) error {
	b.denied.acting.Lock()
	defer b.denied.acting.Unlock()
	a, ok := b.register.get(id)
	switch {
	case !ok:
		return fmt.Errorf("agent %s: %w", id, ErrNotFound)
	case a.State != dcvix.AgentPending:
		return fmt.Errorf("deny agent %s: %w", id, ErrWrongState)
	}
	// Remembered first, so that the agent's next request cannot come in between.
	if err := b.denied.remember(ctx, Denial{ID: id, KeyHash: a.KeyHash, At: b.now()}); err != nil {
		return fmt.Errorf("deny agent %s: %w", id, err)
	}
	if err := b.register.delete(ctx, id, dcvix.AgentPending); err != nil {
		return errors.Join(fmt.Errorf("deny agent %s: %w", id, err), b.denied.forget(ctx, id))
	}
	b.cfg.Logger.InfoContext(ctx, "agent denied", slog.String("guid", string(id)), slog.String("hostname", string(a.Hostname)))
	return nil
}

// ForgetDenial lets an agent that was denied less than a day ago ask again: its
// next request makes an entry. The errors wrap [ErrNotFound], or are of the Store,
// which may then remember it anew at the next start.
func (b *Broker) ForgetDenial(ctx context.Context, id dcvix.AgentID) error {
	b.denied.acting.Lock()
	defer b.denied.acting.Unlock()
	if _, ok := b.denied.get(id); !ok {
		return fmt.Errorf("denial of agent %s: %w", id, ErrNotFound)
	}
	return b.denied.forget(ctx, id)
}

// Denials returns the agents that were denied less than a day ago, the latest
// first, and those of one moment by their ID. It costs no disk read.
func (b *Broker) Denials() []Denial {
	now := b.cfg.Now()
	b.denied.mu.Lock()
	defer b.denied.mu.Unlock()
	all := make([]Denial, 0, len(b.denied.all))
	for _, one := range b.denied.all {
		if now.Sub(one.At) < denialTTL {
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(x, y Denial) int { return cmp.Or(y.At.Compare(x.At), cmp.Compare(x.ID, y.ID)) })
	return all
}
