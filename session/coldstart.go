package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
)

// asks knows which hosts are being asked for their sessions, and which were not
// heard of since the start. The zero value knows of none.
type asks struct {
	mu    sync.RWMutex
	under map[dcvix.AgentID]*act
	cold  map[dcvix.AgentID]bool
}

// start notes the hosts that are to be heard of.
func (q *asks) start(all []Agent) {
	q.under, q.cold = make(map[dcvix.AgentID]*act), make(map[dcvix.AgentID]bool)
	for _, a := range all {
		if a.State == dcvix.AgentRegistered {
			q.cold[a.ID] = true
		}
	}
}

// join returns the call to a host that is under way, or begins one that is the
// caller's to make.
func (q *asks) join(id dcvix.AgentID) (one *act, mine bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if one, there := q.under[id]; there {
		return one, false
	}
	one = newAct()
	q.under[id] = one
	return one, true
}

// leave ends a call. Whatever came of it, the host is not waited for again.
func (q *asks) leave(id dcvix.AgentID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.under, id)
	delete(q.cold, id)
}

func (q *asks) heard(id dcvix.AgentID) {
	if q.isCold(id) {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.cold, id)
	}
}

// allHeard says whether every host that was registered at the start has reported
// since, or was asked in vain.
func (q *asks) allHeard() bool {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return len(q.cold) == 0
}

func (q *asks) isCold(id dcvix.AgentID) bool {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.cold[id]
}

// askAll fills the fleet after a start, so that sessions are known before the
// hosts report by themselves.
func (b *Broker) askAll(ctx context.Context) {
	var registered []Agent
	for _, a := range b.register.all() {
		if a.State == dcvix.AgentRegistered {
			registered = append(registered, a)
		}
	}
	b.askEach(ctx, registered)
}

// ask gets a report from a host that has not sent one yet. Those who ask at the same
// time share one call.
func (b *Broker) ask(ctx context.Context, a Agent) error {
	if _, ok := b.fleet.Host(a.ID); ok {
		return nil
	}
	return b.askAgain(ctx, a)
}

// askAgain gets a report from a host, whether it has sent one or not.
func (b *Broker) askAgain(ctx context.Context, a Agent) error {
	for {
		one, mine := b.asks.join(a.ID)
		if mine {
			one.err = b.askNow(ctx, a)
			b.asks.leave(a.ID)
			close(one.over)
			return one.err
		}
		select {
		case <-one.over:
			if !errors.Is(one.err, context.Canceled) { // else the one who asked went away
				return one.err
			}
		case <-ctx.Done():
			return fmt.Errorf("ask %s for its sessions: %w: %w", a.Hostname, ErrAgentTimeout, ctx.Err())
		}
	}
}

func (b *Broker) askNow(ctx context.Context, a Agent) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ctx, end, err := b.call(ctx, a.ID)
	if err != nil { // it may have waited for its turn
		return noHost(a)
	}
	defer end()
	asked := b.cfg.Now()
	update, err := b.cfg.Agents.Report(ctx, a)
	if err != nil {
		return fmt.Errorf("ask %s for its sessions: %w", a.Hostname, err)
	}
	if err := b.takeIn(a, update, asked); err != nil {
		return noHost(a)
	}
	return nil
}

// askEach asks hosts, so many at once. It returns when all have answered, or at the
// end of ctx.
func (b *Broker) askEach(ctx context.Context, agents []Agent) {
	work := make(chan Agent)
	var wg sync.WaitGroup
	for range min(b.cfg.ColdStartWorkers, len(agents)) {
		wg.Go(func() {
			for a := range work {
				if err := b.ask(ctx, a); err != nil {
					b.cfg.Logger.InfoContext(ctx, "host did not answer at start", slog.String("hostname", string(a.Hostname)), slog.Any("err", err))
				}
			}
		})
	}
	for _, a := range agents {
		select {
		case work <- a:
		case <-ctx.Done():
		}
	}
	close(work)
	wg.Wait()
}

// noHost is what people hear of a host whose agent was revoked meanwhile: that is
// between the admin and the agent.
func noHost(a Agent) error { return fmt.Errorf("host %s: %w", a.Hostname, ErrNotFound) }

// takeIn puts a report into the fleet, unless its agent is no longer trusted.
func (b *Broker) takeIn(a Agent, update dcvix.AgentUpdate, at time.Time) error {
	b.fleet.Report(a, update, at)
	// Asked afterwards, because whoever revokes an agent commits first and drops its
	// host then: either it finds the host, or we find the agent revoked.
	if _, err := b.trusted(a.ID); err != nil {
		b.fleet.Drop(a.ID)
		return err
	}
	b.asks.heard(a.ID)
	b.unwanted.look(a.ID, update.Sessions, at, b.cfg.ActDeadline)
	return nil
}
