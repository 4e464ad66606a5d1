package session

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/dcvix/dcvix"
)

// inPool tries hosts until one has the session.
func (o *opening) inPool(ctx context.Context) (OpenedSession, error) {
	o.failed = make(map[dcvix.AgentID]bool)
	var last error
	for {
		pool, err := o.b.pool(o.who, o.req)
		if err != nil {
			return OpenedSession{}, err
		}
		in := o.b.members(pool)
		o.b.warm(ctx, in)
		a, p, others, err := o.place(pool, in)
		switch {
		case err != nil:
			if last != nil && errors.Is(err, ErrNoCapacity) {
				err = last // that is what kept it from being created
			}
			return OpenedSession{}, err
		case p.code == ReasonOwn && p.wait == nil:
			if o.stillThere(ctx, a) {
				return o.reuse(a, p), nil
			}
			o.failed[a.ID] = true
			continue
		case p.wait != nil:
			if err := o.wait(ctx, p.wait); err != nil && (ctx.Err() != nil || o.caller.Err() != nil) {
				return OpenedSession{}, err
			}
			continue // it is there, or whoever asked for it tries elsewhere, as we do
		}
		opened, err := o.tryCreate(ctx, a, p.taken, others)
		switch {
		case err == nil:
			o.b.unwanted.add(o.late, o.b.cfg.Now())
			return opened, nil
		case ctx.Err() != nil:
			return opened, err
		case errors.Is(err, ErrAgentTimeout):
			o.late = append(o.late, leftover{agent: a.ID, session: p.taken.id})
		}
		o.b.cfg.Logger.WarnContext(ctx, "session not created, other hosts of the pool are tried", slog.String("pool", pool.ID),
			slog.String("hostname", string(a.Hostname)), slog.Any("err", err))
		o.failed[a.ID], last = true, err
	}
}

// tryCreate leaves time for the other hosts.
func (o *opening) tryCreate(ctx context.Context, a Agent, r *reservation, others int) (OpenedSession, error) {
	if at, ok := ctx.Deadline(); ok && others > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(at)/2)
		defer cancel()
	}
	return o.create(ctx, a, r)
}

// stillThere says whether a host where the owner has a session is there: one that
// has been silent is asked.
func (o *opening) stillThere(ctx context.Context, a Agent) bool {
	host, there := o.b.fleet.Host(a.ID)
	if !there || !host.Silent {
		return there
	}
	ctx, cancel := context.WithTimeout(ctx, warmLimit)
	defer cancel()
	if err := o.b.askAgain(ctx, a); err != nil {
		return false
	}
	host, there = o.b.fleet.Host(a.ID)
	return there && !host.Silent
}

// place takes a place in a pool: where the owner's session is, else where the
// Placer says. others is how many more hosts could have taken it. Placements are
// made one after the other, so each sees those before it.
func (o *opening) place(pool Pool, in *hosts) (a Agent, p offer, others int, err error) {
	b := o.b
	b.placing.Lock()
	defer b.placing.Unlock()
	w := o.want()
	w.healthy, w.require = true, pool.Require
	for {
		s := &survey{candidates: b.candidates[:0]}
		b.survey(s, in, w, o.failed, b.cfg.Logger.Enabled(o.caller, slog.LevelDebug))
		b.candidates = s.candidates // its room is used again
		id := b.choose(pool, w, s)
		o.logPlace(in, s, id)
		if id == "" {
			return Agent{}, offer{}, 0, &NoCapacityError{Pool: pool.ID, Counts: s.counts}
		}
		a, err := b.trusted(id)
		if err != nil {
			o.failed[id] = true
			continue
		}
		p, there := b.fleet.reserve(id, w, b.cfg.Now())
		if !there || !p.code.possible() {
			continue // it changed since the survey
		}
		if p.taken != nil {
			b.lastPlaced[pool.ID] = a.Hostname
		}
		return a, p, len(s.candidates) - 1, nil
	}
}

// choose returns the host where the owner's session is, else the one that the
// Placer chooses, else "". placing is held.
func (b *Broker) choose(pool Pool, w *want, s *survey) dcvix.AgentID {
	if len(s.own) > 0 {
		return b.fleet.bestOwn(s.own, w)
	}
	if len(s.candidates) == 0 {
		return ""
	}
	i := b.placer(pool).Place(Placement{
		Pool: pool.ID, Owner: w.owner, Type: w.kind, Last: b.lastPlaced[pool.ID], Draw: draw(),
	}, s.candidates)
	if i < 0 || i >= len(s.candidates) {
		return ""
	}
	return s.candidates[i].agent
}

// placer returns the Placer of a pool.
func (b *Broker) placer(pool Pool) Placer {
	if pool.Strategy == "" && b.cfg.Placer != nil {
		return b.cfg.Placer
	}
	p, err := NewPlacer(b.strategy(pool))
	if err != nil { // the policy says so, and passes over it
		return best(byLoad)
	}
	return p
}

// strategy returns the strategy of a pool.
func (b *Broker) strategy(pool Pool) string {
	return cmp.Or(pool.Strategy, b.cfg.Strategy, LeastLoaded)
}
