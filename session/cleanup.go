package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/dcvix/dcvix"
)

const (
	// unseenHours is how long a registered agent may be unseen while the director
	// runs, after the hours of grace that follow a start.
	unseenHours = 30 * 24
	graceHours  = 24
	// A run deletes no more than one registered agent of so many.
	cleanupShare = 10
)

// A cleanup finds the registered agents that are gone for good. It counts in hours
// that the director ran, by its hourly runs and not by the clock: neither a clock
// that jumps nor a director that was off for a month makes an agent look gone. It
// is for one goroutine.
type cleanup struct {
	hours  int // that this director has run
	unseen map[dcvix.AgentID]unseen
	spared int // agents that the last run would not delete because they were too many
}

// unseen is the last sign of life of an agent and for how many hours it has been
// the last; below zero while the hours of grace go on.
type unseen struct {
	seen   time.Time
	serial string
	hours  int
}

// gone notes that an hour passed and returns the agents unseen for too long, and
// how many are registered.
func (c *cleanup) gone(agents []Agent) (gone []Agent, registered int) {
	c.hours++
	now := make(map[dcvix.AgentID]unseen, len(agents))
	for _, a := range agents {
		if a.State != dcvix.AgentRegistered {
			continue
		}
		registered++
		u, known := c.unseen[a.ID]
		if known && u.seen.Equal(a.LastSeenAt) && u.serial == a.Serial {
			u.hours++
		} else {
			u = unseen{seen: a.LastSeenAt, serial: a.Serial, hours: min(0, c.hours-graceHours)}
		}
		if u.hours >= unseenHours {
			gone = append(gone, a)
		}
		now[a.ID] = u
	}
	c.unseen = now
	return gone, registered
}

// forgetGone is the hourly run. It deletes the registered agents that are gone for
// good, or none when they are so many that the fault is more likely ours.
func (b *Broker) forgetGone(ctx context.Context, c *cleanup) error {
	gone, registered := c.gone(b.register.all())
	if len(gone)*cleanupShare > registered {
		if len(gone) != c.spared { // said once, not every hour
			b.cfg.Logger.WarnContext(ctx, "no unseen agent deleted: they are more than a tenth of all, revoke those that are gone for good",
				slog.Int("unseen", len(gone)), slog.Int("registered", registered), slog.String("hostname", string(gone[0].Hostname)))
		}
		c.spared = len(gone)
		return nil
	}
	c.spared = 0
	for _, a := range gone {
		if now, ok := b.register.get(a.ID); !ok || !now.LastSeenAt.Equal(a.LastSeenAt) { // it came back this moment
			continue
		}
		err := b.register.delete(ctx, a.ID, dcvix.AgentRegistered)
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrWrongState) { // an admin was quicker
			continue
		}
		if err != nil {
			return fmt.Errorf("forget agent %s: %w", a.Hostname, err)
		}
		b.drop(a.ID)
		b.cfg.Logger.WarnContext(ctx, "registered agent deleted, unseen for 30 days", slog.String("guid", string(a.ID)),
			slog.String("hostname", string(a.Hostname)), slog.Time("last_seen", a.LastSeenAt))
	}
	return nil
}
