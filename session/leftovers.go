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
	until   time.Time // when it is looked for no longer
	next    time.Time // when it may be tried again to end it
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
	found []leftover // to be ended
	wake  chan struct{}
	once  sync.Once
}

// woken returns the channel that says that some were found.
func (u *unwanted) woken() chan struct{} {
	u.once.Do(func() { u.wake = make(chan struct{}, 1) })
	return u.wake
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

// look finds leftovers in what a host lists. One that could not be ended is found
// again when twice the time for that has passed.
func (u *unwanted) look(agent dcvix.AgentID, sessions []dcvix.Session, now time.Time, deadline time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range u.all {
		l := &u.all[i]
		if l.agent != agent || now.After(l.until) || now.Before(l.next) ||
			!slices.ContainsFunc(sessions, func(s dcvix.Session) bool { return s.ID == l.session }) {
			continue
		}
		l.next = now.Add(2 * deadline)
		u.found = append(u.found, *l)
		select {
		case u.woken() <- struct{}{}:
		default:
		}
	}
}

func (u *unwanted) take() []leftover {
	u.mu.Lock()
	defer u.mu.Unlock()
	found := u.found
	u.found = nil
	return found
}

// endLeftovers ends what hosts created too late, until ctx is done. A host that
// hangs is in the way of none but itself.
func (b *Broker) endLeftovers(ctx context.Context) {
	var under sync.WaitGroup
	defer under.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.unwanted.woken():
			for _, l := range b.unwanted.take() {
				under.Go(func() { b.endLeftover(ctx, l) })
			}
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
