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
		deleted, err := b.forget(ctx, a, "unseen for 30 days")
		if err != nil {
			return err
		}
		if !deleted {
			continue
		}
		b.drop(a.ID)
		b.logged(ctx, "maintenance of a deleted host not forgotten", b.forgetFlags(ctx, a.ID))
		b.cfg.Logger.WarnContext(ctx, "registered agent deleted, unseen for 30 days", slog.String("guid", string(a.ID)),
			slog.String("hostname", string(a.Hostname)), slog.Time("last_seen", a.LastSeenAt))
	}
	return nil
}

// forgetPending removes agents that nobody approved in time.
func (b *Broker) forgetPending(ctx context.Context) error {
	limit := b.cfg.Now().Add(-b.cfg.PendingTTL)
	for _, a := range b.register.all() {
		if a.State != dcvix.AgentPending || !a.CreatedAt.Before(limit) {
			continue
		}
		deleted, err := b.forget(ctx, a, "not approved in time")
		if err != nil {
			return err
		}
		if deleted {
			b.cfg.Logger.InfoContext(ctx, "pending agent forgotten", slog.String("guid", string(a.ID)), slog.String("hostname", string(a.Hostname)))
		}
	}
	return nil
}

// forget deletes an agent whose time is over, unless an admin was quicker. It goes
// on record first: what cannot is not deleted.
func (b *Broker) forget(ctx context.Context, a Agent, why string) (deleted bool, err error) {
	record := AuditRecord{
		Time: b.cfg.Now(), Action: AuditAgentForget, Outcome: AuditOK, Role: AuditDirector, Target: string(a.ID), Reason: why,
		Old: fmt.Sprintf("%s %s, last seen %s", a.State, a.Hostname, moment(a.LastSeenAt)),
	}
	if err := b.onRecord(ctx, record); err != nil {
		return false, err
	}
	err = b.register.delete(ctx, a.ID, a.State)
	if err == nil {
		return true, nil
	}
	record.Outcome, record.Reason = AuditFailed, err.Error()
	err = fmt.Errorf("forget agent %s: %w", a.Hostname, err)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrWrongState) {
		err = nil
		record.Outcome = AuditRefused
	}
	return false, errors.Join(err, b.onRecord(ctx, record))
}

func (b *Broker) onRecord(ctx context.Context, r AuditRecord) error {
	if b.cfg.Audit == nil {
		return nil
	}
	if err := b.cfg.Audit.Append(ctx, r); err != nil {
		return fmt.Errorf("put on record that agent %s is forgotten: %w", r.Target, err)
	}
	return nil
}

// moment writes a time of the register for people.
func moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}
