package session

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/dcvix/dcvix"
)

// A register is the read index of the agents in a Store. Its methods that change
// something commit to the Store first and then change the index.
type register struct {
	store AgentStore

	// writing is held from before the Store is changed until the index is, so that
	// both see changes in one order. It is taken before mu.
	writing sync.Mutex

	mu     sync.RWMutex
	agents map[dcvix.AgentID]Agent
	names  map[dcvix.Hostname]dcvix.AgentID // of registered agents
	labels map[string][]dcvix.AgentID       // first labels of those names
	seen   map[dcvix.AgentID]Seen           // not written yet
	counts map[dcvix.AgentState]int
}

func loadRegister(ctx context.Context, store AgentStore) (*register, error) {
	all, err := store.Agents(ctx)
	if err != nil {
		return nil, err
	}
	r := &register{
		store:  store,
		agents: make(map[dcvix.AgentID]Agent, len(all)),
		names:  make(map[dcvix.Hostname]dcvix.AgentID, len(all)),
		labels: make(map[string][]dcvix.AgentID, len(all)),
		seen:   make(map[dcvix.AgentID]Seen),
		counts: make(map[dcvix.AgentState]int),
	}
	for _, a := range all {
		r.insert(a)
	}
	return r, nil
}

func (r *register) get(id dcvix.AgentID) (Agent, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	a, ok := r.agents[id]
	return a.clone(), ok
}

// all returns every agent, ordered by ID.
func (r *register) all() []Agent {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]Agent, 0, len(r.agents))
	for _, a := range r.agents {
		all = append(all, a.clone())
	}
	slices.SortFunc(all, func(a, b Agent) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (r *register) count(state dcvix.AgentState) int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.counts[state]
}

// resolve returns the registered agent that a name means: the one whose name or
// alias equals it, else the only one whose first label does.
func (r *register) resolve(name string) (Agent, error) {
	host, err := dcvix.ParseHostname(name)
	if err != nil {
		return Agent{}, fmt.Errorf("host %.80q: %w", name, ErrNotFound)
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if id, ok := r.names[host]; ok {
		return r.agents[id].clone(), nil
	}
	if ids := r.labels[host.FirstLabel()]; len(ids) == 1 && r.shortens(ids[0], host) {
		return r.agents[ids[0]].clone(), nil
	}
	return Agent{}, fmt.Errorf("host %.80q: %w", name, ErrNotFound)
}

// shortens says whether host or a name of the agent is the first label alone:
// ws1 means ws1.lab, but ws1.other does not.
func (r *register) shortens(id dcvix.AgentID, host dcvix.Hostname) bool {
	a := r.agents[id]
	return string(host) == host.FirstLabel() || slices.ContainsFunc(a.names(), func(n dcvix.Hostname) bool {
		return string(n) == host.FirstLabel()
	})
}

// holders returns the registered agents other than id that have one of the names,
// each once.
func (r *register) holders(id dcvix.AgentID, names []dcvix.Hostname) []dcvix.AgentID {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var others []dcvix.AgentID
	for _, n := range names {
		if other, ok := r.names[n]; ok && other != id && !slices.Contains(others, other) {
			others = append(others, other)
		}
	}
	return others
}

// put adds an agent, unless there are as many of its state already as limit says:
// then it returns [ErrTooMany].
func (r *register) put(ctx context.Context, a Agent, limit int) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.count(a.State) >= limit {
		return ErrTooMany
	}
	if err := r.store.PutAgent(ctx, a); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.insert(a.clone())
	return nil
}

// update changes agents in the Store and the index. Only one update runs at a
// time, so change may rely on what it reads from the register.
func (r *register) update(ctx context.Context, change func([]*Agent) error, ids ...dcvix.AgentID) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	var after []Agent
	err := r.store.UpdateAgents(ctx, func(agents []*Agent) error {
		if err := change(agents); err != nil {
			return err
		}
		after = after[:0]
		for _, a := range agents {
			after = append(after, a.clone())
		}
		return nil
	}, ids...)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, a := range after {
		// The index may know of a later sign of life than the Store.
		if old := r.agents[a.ID]; old.LastSeenAt.After(a.LastSeenAt) {
			after[i].LastSeenAt, after[i].Address = old.LastSeenAt, old.Address
		}
		r.remove(a.ID)
	}
	for _, a := range after {
		r.insert(a)
	}
	return nil
}

// delete removes an agent that is in the given state, else it returns
// [ErrNotFound] or [ErrWrongState].
func (r *register) delete(ctx context.Context, id dcvix.AgentID, state dcvix.AgentState) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	switch a, ok := r.get(id); {
	case !ok:
		return ErrNotFound
	case a.State != state:
		return ErrWrongState
	}
	if err := r.store.DeleteAgent(ctx, id); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(id)
	delete(r.seen, id)
	return nil
}

// see notes that an agent was heard; takeSeen collects such notes for the Store.
func (r *register) see(s Seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.agents[s.ID]
	if !ok {
		return
	}
	a.LastSeenAt, a.Address = s.At, s.Address
	r.agents[s.ID] = a
	r.seen[s.ID] = s
}

func (r *register) takeSeen() []Seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := make([]Seen, 0, len(r.seen))
	for _, s := range r.seen {
		seen = append(seen, s)
	}
	clear(r.seen)
	return seen
}

// giveBack puts notes that were not written back, but for newer ones.
func (r *register) giveBack(seen []Seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range seen {
		if _, newer := r.seen[s.ID]; !newer {
			r.seen[s.ID] = s
		}
	}
}

// insert and remove keep the maps of the index together; mu is held.
func (r *register) insert(a Agent) {
	r.agents[a.ID] = a
	r.counts[a.State]++
	if a.State != dcvix.AgentRegistered {
		return
	}
	for _, n := range a.names() {
		r.names[n] = a.ID
		if ids := r.labels[n.FirstLabel()]; !slices.Contains(ids, a.ID) {
			r.labels[n.FirstLabel()] = append(ids, a.ID)
		}
	}
}

func (r *register) remove(id dcvix.AgentID) {
	a, ok := r.agents[id]
	if !ok {
		return
	}
	delete(r.agents, id)
	r.counts[a.State]--
	if a.State != dcvix.AgentRegistered {
		return
	}
	for _, n := range a.names() {
		if r.names[n] == id {
			delete(r.names, n)
		}
		left := slices.DeleteFunc(r.labels[n.FirstLabel()], func(other dcvix.AgentID) bool { return other == id })
		if len(left) == 0 {
			delete(r.labels, n.FirstLabel())
		} else {
			r.labels[n.FirstLabel()] = left
		}
	}
}
