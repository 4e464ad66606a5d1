package session

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/dcvix/dcvix"
)

// HostFlags are what an admin decided about a host. They survive the director.
type HostFlags struct {
	Agent       dcvix.AgentID
	Maintenance bool           // it gets no new sessions
	Message     string         // why, for people; may be ""
	By          dcvix.Username // who decided it
	At          time.Time      // to the millisecond
}

// sentence says it to people.
func (f HostFlags) sentence() string { return inMaintenance("It", f.Message) }

func inMaintenance(what, message string) string {
	if message == "" {
		return what + " is in maintenance."
	}
	return what + " is in maintenance: " + strings.TrimSuffix(message, ".") + "."
}

// maxMessage is the longest message to people, in characters.
const maxMessage = 300

func (b *Broker) loadFlags(ctx context.Context) error {
	all, err := b.cfg.Store.HostFlags(ctx)
	if err != nil {
		return err
	}
	b.fleet.mu.Lock()
	defer b.fleet.mu.Unlock()
	for _, f := range all {
		b.fleet.flags[f.Agent] = f
	}
	return nil
}

// flags returns what was decided about a host.
func (b *Broker) flags(id dcvix.AgentID) HostFlags {
	b.fleet.mu.RLock()
	defer b.fleet.mu.RUnlock()
	return b.fleet.flags[id]
}

// Drain keeps new sessions from a host; those that it has may be used and closed.
// People see the message, one line of up to 300 characters. On a host that is
// drained it changes the message. The errors wrap [ErrForbidden], [ErrNotFound] and
// [ErrInvalid], or are of the Store.
func (b *Broker) Drain(ctx context.Context, who Actor, host, message string) error {
	if dcvix.OneLine(message, maxMessage) != message {
		return fmt.Errorf("message for host %.80q: one line of up to %d characters: %w", host, maxMessage, ErrInvalid)
	}
	return b.flag(ctx, who, host, HostFlags{Maintenance: true, Message: message})
}

// Undrain takes back [Broker.Drain]. A host that is not drained stays so. The errors
// wrap [ErrForbidden] and [ErrNotFound], or are of the Store.
func (b *Broker) Undrain(ctx context.Context, who Actor, host string) error {
	return b.flag(ctx, who, host, HostFlags{})
}

func (b *Broker) flag(ctx context.Context, who Actor, host string, f HostFlags) error {
	if !who.Admin {
		return fmt.Errorf("maintenance of host %.80q: %w", host, ErrForbidden)
	}
	a, err := b.register.resolve(host)
	if err != nil {
		return err
	}
	f.Agent, f.By, f.At = a.ID, who.User, b.now()
	b.flagging.Lock() // Store and index see changes in one order
	defer b.flagging.Unlock()
	if f.Maintenance {
		err = b.cfg.Store.PutHostFlags(ctx, f)
	} else {
		err = b.cfg.Store.ForgetHostFlags(ctx, a.ID)
	}
	if err != nil {
		return fmt.Errorf("maintenance of host %s: %w", a.Hostname, err)
	}
	b.fleet.setFlags(a.ID, f)
	b.cfg.Logger.InfoContext(ctx, "maintenance of a host changed", slog.String("hostname", string(a.Hostname)),
		slog.Bool("maintenance", f.Maintenance), slog.String("message", f.Message), slog.String("by", string(who.User)))
	return nil
}

// forgetFlags lets go of what was decided about a host whose agent is deleted.
func (b *Broker) forgetFlags(ctx context.Context, id dcvix.AgentID) error {
	b.flagging.Lock()
	defer b.flagging.Unlock()
	if !b.flags(id).Maintenance {
		return nil
	}
	if err := b.cfg.Store.ForgetHostFlags(ctx, id); err != nil {
		return fmt.Errorf("forget the maintenance of host %s: %w", id, err)
	}
	b.fleet.setFlags(id, HostFlags{})
	return nil
}

// setFlags makes flags count for what is asked from now on.
func (f *Fleet) setFlags(id dcvix.AgentID, flags HostFlags) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if flags.Maintenance {
		f.flags[id] = flags
	} else {
		delete(f.flags, id)
	}
	if l := f.hosts[id]; l != nil {
		l.host.Flags = f.flags[id]
		f.changed(l)
	}
	f.tell(Event{Kind: EventHost, Agent: id})
}
