package session

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/dcvix/dcvix"
)

// A change is what one caller wants of some agents.
type change struct {
	ids []dcvix.AgentID
	// apply is as in [AgentStore.ChangeAgents]; in is the register as it is after the
	// changes before this one.
	apply func(agents []*Agent, in *draft) error
	err   error
}

// do commits a change to the Store and then to the index. What comes at the same
// time shares one commit, in which a change that fails leaves no trace; when the
// commit fails, all do. Once begun it is finished, whatever becomes of ctx.
func (r *register) do(ctx context.Context, apply func([]*Agent, *draft) error, ids ...dcvix.AgentID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &change{ids: ids, apply: apply}
	r.changes.Do(c, func(batch []*change) { r.commit(context.WithoutCancel(ctx), batch) })
	return c.err
}

// errNothing keeps the Store from committing what changes nothing.
var errNothing = errors.New("nothing to commit")

func (r *register) commit(ctx context.Context, batch []*change) {
	var ids []dcvix.AgentID
	asked := make(map[dcvix.AgentID]bool)
	for _, c := range batch {
		for _, id := range c.ids {
			if !asked[id] {
				asked[id] = true
				ids = append(ids, id)
			}
		}
	}
	var d *draft
	err := r.store.ChangeAgents(ctx, func(stored []*Agent) error {
		d = r.draft(ids, stored)
		changed := false
		for _, c := range batch {
			c.err = d.try(c)
			changed = changed || c.err == nil
		}
		if !changed {
			return errNothing
		}
		for i, id := range ids {
			stored[i] = d.agent(id)
		}
		return nil
	}, ids...)
	if err != nil {
		for _, c := range batch {
			if c.err == nil {
				c.err = err
			}
		}
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		r.replace(id, d.agent(id))
		r.changed(id)
	}
}

// replace puts an agent in the place of the one of that ID, or nil to remove it;
// mu is held.
func (r *register) replace(id dcvix.AgentID, a *Agent) {
	old := r.agents.all[id]
	if a == nil || old.State != a.State || !slices.Equal(old.names(), a.names()) {
		r.revision++
	}
	r.remove(id)
	if a == nil {
		delete(r.seen, id)
		return
	}
	// The index may know of a later sign of life than the Store.
	if old.LastSeenAt.After(a.LastSeenAt) {
		a.LastSeenAt, a.Address = old.LastSeenAt, old.Address
	}
	r.insert(*a)
}

// A draft is the register as it will be when a batch is committed: the agents that
// the batch changes lie over the others.
type draft struct {
	under  *register
	over   index
	known  map[dcvix.AgentID]bool   // whether the batch may change it
	counts map[dcvix.AgentState]int // of the others
}

func (r *register) draft(ids []dcvix.AgentID, stored []*Agent) *draft {
	r.mu.RLock()
	defer r.mu.RUnlock()
	d := &draft{under: r, over: newIndex(len(ids)), known: make(map[dcvix.AgentID]bool, len(ids)), counts: maps.Clone(r.agents.counts)}
	for i, id := range ids {
		d.known[id] = true
		if a, ok := r.agents.all[id]; ok {
			d.counts[a.State]--
		}
		if stored[i] != nil {
			d.over.insert(stored[i].clone())
		}
	}
	return d
}

// try applies a change, or nothing of it when it fails.
func (d *draft) try(c *change) error {
	agents := make([]*Agent, len(c.ids))
	for i, id := range c.ids {
		agents[i] = d.agent(id)
	}
	if err := c.apply(agents, d); err != nil {
		return err
	}
	for i, id := range c.ids {
		d.over.remove(id)
		if agents[i] != nil {
			d.over.insert(*agents[i])
		}
	}
	return nil
}

// agent returns a copy of one of the batch's agents, nil when there is none.
func (d *draft) agent(id dcvix.AgentID) *Agent {
	a, ok := d.over.all[id]
	if !ok {
		return nil
	}
	a = a.clone()
	return &a
}

// holders returns the registered agents other than id that have one of the names,
// each once.
func (d *draft) holders(id dcvix.AgentID, names []dcvix.Hostname) []dcvix.AgentID {
	var others []dcvix.AgentID
	for _, other := range d.under.holders(id, names) {
		if !d.known[other] {
			others = append(others, other)
		}
	}
	for _, n := range names {
		if other, ok := d.over.names[n]; ok && other != id && !slices.Contains(others, other) {
			others = append(others, other)
		}
	}
	return others
}

// holder returns one of the holders as it is after the changes so far.
func (d *draft) holder(id dcvix.AgentID) Agent {
	if a := d.agent(id); a != nil {
		return *a
	}
	a, _ := d.under.get(id)
	return a
}

// count returns how many agents are in a state.
func (d *draft) count(state dcvix.AgentState) int { return d.counts[state] + d.over.counts[state] }

// put adds an agent, unless there are as many of its state already as limit says:
// then it returns [ErrTooMany].
func (r *register) put(ctx context.Context, a Agent, limit int) error {
	return r.do(ctx, func(agents []*Agent, in *draft) error {
		switch {
		case agents[0] != nil:
			return ErrConflict
		case in.count(a.State) >= limit:
			return ErrTooMany
		}
		added := a.clone()
		agents[0] = &added
		return nil
	}, a.ID)
}

// update changes agents that exist, else it returns [ErrNotFound].
func (r *register) update(ctx context.Context, apply func([]*Agent, *draft) error, ids ...dcvix.AgentID) error {
	return r.do(ctx, func(agents []*Agent, in *draft) error {
		if slices.Contains(agents, nil) {
			return ErrNotFound
		}
		return apply(agents, in)
	}, ids...)
}

// delete removes an agent that is in the given state, else it returns
// [ErrNotFound] or [ErrWrongState].
func (r *register) delete(ctx context.Context, id dcvix.AgentID, state dcvix.AgentState) error {
	return r.do(ctx, func(agents []*Agent, _ *draft) error {
		switch {
		case agents[0] == nil:
			return ErrNotFound
		case agents[0].State != state:
			return ErrWrongState
		}
		agents[0] = nil
		return nil
	}, id)
}
