package session

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
)

// A leftover is a session that a host was asked for and may create too late: its
// owner has got another one in the pool meanwhile.
type leftover struct {
	agent   dcvix.AgentID
	session dcvix.SessionID
	until   time.Time
}

const (
	// leftoverTTL is how long a host may take that was given up.
	leftoverTTL = 10 * time.Minute
	// maxLeftovers bounds how many are looked for.
	maxLeftovers = 1000
)

// unwanted are the leftovers that are looked for in reports. The zero value is empty
// and ready to use.
type unwanted struct {
	mu    sync.Mutex
	all   []leftover
	found chan leftover // to be ended
	once  sync.Once
}

func (u *unwanted) queue() chan leftover {
	u.once.Do(func() { u.found = make(chan leftover, 16) })
	return u.found
}

// add has leftovers looked for; of too many the oldest are let go of.
func (u *unwanted) add(late []leftover, now time.Time) {
	if len(late) == 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all = slices.DeleteFunc(u.all, func(l leftover) bool { return now.After(l.until) })
	for _, l := range late {
		l.until = now.Add(leftoverTTL)
		u.all = append(u.all, l)
	}
	u.all = u.all[max(0, len(u.all)-maxLeftovers):]
}

// look finds leftovers in what a host lists. When too many wait to be ended, the next
// report finds them again.
func (u *unwanted) look(agent dcvix.AgentID, sessions []dcvix.Session, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, l := range u.all {
		if l.agent != agent || now.After(l.until) || !slices.ContainsFunc(sessions, func(s dcvix.Session) bool { return s.ID == l.session }) {
			continue
		}
		select {
		case u.queue() <- l:
		default:
		}
	}
}

// endLeftovers ends what hosts created too late, until ctx is done.
func (b *Broker) endLeftovers(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-b.unwanted.queue():
			b.endLeftover(ctx, l)
		}
	}
}

func (b *Broker) endLeftover(ctx context.Context, l leftover) {
	a, err := b.trusted(l.agent)
	if err != nil {
		return
	}
	host, _ := b.fleet.Host(a.ID)
	i := slices.IndexFunc(host.Sessions, func(s dcvix.Session) bool { return s.ID == l.session })
	if i < 0 || !enterable(host.Sessions[i]) || host.Sessions[i].NumOfConnections > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.ActDeadline)
	defer cancel()
	b.cfg.Logger.InfoContext(ctx, "session came too late and is ended", slog.String("session", string(l.session)), slog.String("hostname", string(a.Hostname)))
	b.logged(ctx, "session that came too late not ended, it is tried again", b.end(ctx, a, host.Sessions[i]))
}
