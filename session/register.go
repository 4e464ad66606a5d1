package session

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session/internal/groupcommit"
)

// A register is the read index of the agents in a Store. Its methods that change
// something commit to the Store first and then change the index.
type register struct {
	store   AgentStore
	changed func(dcvix.AgentID) // is told of every change; it must not wait; set before the first one

	// changes are committed a batch at a time, so that Store and index see them in
	// one order. A commit takes mu when it is done.
	changes groupcommit.Queue[*change]

	mu       sync.RWMutex
	agents   index
	revision uint64                     // counts the changes of which registered agents there are and of their names
	labels   map[string][]dcvix.AgentID // first labels of the names of registered agents
	seen     map[dcvix.AgentID]Seen     // not written yet
}

func loadRegister(ctx context.Context, store AgentStore) (*register, error) {
	all, err := store.Agents(ctx)
	if err != nil {
		return nil, err
	}
	r := &register{
		store:  store,
		agents: newIndex(len(all)),
		labels: make(map[string][]dcvix.AgentID, len(all)),
		seen:   make(map[dcvix.AgentID]Seen),
	}
	for _, a := range all {
		r.insert(a)
	}
	return r, nil
}

func (r *register) get(id dcvix.AgentID) (Agent, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	a, ok := r.agents.all[id]
	return a.clone(), ok
}

// revisionNow returns a number that is another one when a name may mean another
// agent.
func (r *register) revisionNow() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.revision
}

// unordered returns every agent.
func (r *register) unordered() []Agent {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]Agent, 0, len(r.agents.all))
	for _, a := range r.agents.all {
		all = append(all, a.clone())
	}
	return all
}

// all returns every agent, ordered by ID.
func (r *register) all() []Agent {
	all := r.unordered()
	slices.SortFunc(all, func(a, b Agent) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// resolve returns the registered agent that a name means: the one whose name or
// alias equals it, else the only one whose first label does.
func (r *register) resolve(name string) (Agent, error) {
	if a, found := r.find(name); found {
		return a, nil
	}
	return Agent{}, fmt.Errorf("host %.80q: %w", name, ErrNotFound)
}

// find is resolve for those who expect not to find one.
func (r *register) find(name string) (Agent, bool) {
	host, err := dcvix.ParseHostname(name)
	if err != nil {
		return Agent{}, false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if id, ok := r.agents.names[host]; ok {
		return r.agents.all[id].clone(), true
	}
	if ids := r.labels[host.FirstLabel()]; len(ids) == 1 && r.shortens(ids[0], host) {
		return r.agents.all[ids[0]].clone(), true
	}
	return Agent{}, false
}

// shortens says whether host or a name of the agent is the first label alone:
// ws1 means ws1.lab, but ws1.other does not.
func (r *register) shortens(id dcvix.AgentID, host dcvix.Hostname) bool {
	a := r.agents.all[id]
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
		if other, ok := r.agents.names[n]; ok && other != id && !slices.Contains(others, other) {
			others = append(others, other)
		}
	}
	return others
}

// see notes that an agent was heard; takeSeen collects such notes for the Store.
func (r *register) see(s Seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.agents.all[s.ID]
	if !ok {
		return
	}
	a.LastSeenAt, a.Address = s.At, s.Address
	r.agents.all[s.ID] = a
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

// insert and remove keep the maps together; mu is held.
func (r *register) insert(a Agent) {
	r.agents.insert(a)
	if a.State != dcvix.AgentRegistered {
		return
	}
	for _, n := range a.names() {
		if ids := r.labels[n.FirstLabel()]; !slices.Contains(ids, a.ID) {
			r.labels[n.FirstLabel()] = append(ids, a.ID)
		}
	}
}

func (r *register) remove(id dcvix.AgentID) {
	a, ok := r.agents.all[id]
	if !ok {
		return
	}
	r.agents.remove(id)
	if a.State != dcvix.AgentRegistered {
		return
	}
	for _, n := range a.names() {
		left := slices.DeleteFunc(r.labels[n.FirstLabel()], func(other dcvix.AgentID) bool { return other == id })
		if len(left) == 0 {
			delete(r.labels, n.FirstLabel())
		} else {
			r.labels[n.FirstLabel()] = left
		}
	}
}

// An index finds agents by ID, and registered ones by name.
type index struct {
	all    map[dcvix.AgentID]Agent
	names  map[dcvix.Hostname]dcvix.AgentID
	counts map[dcvix.AgentState]int
}

func newIndex(size int) index {
	return index{
		all:    make(map[dcvix.AgentID]Agent, size),
		names:  make(map[dcvix.Hostname]dcvix.AgentID, size),
		counts: make(map[dcvix.AgentState]int),
	}
}

func (x *index) insert(a Agent) {
	x.all[a.ID] = a
	x.counts[a.State]++
	if a.State == dcvix.AgentRegistered {
		for _, n := range a.names() {
			x.names[n] = a.ID
		}
	}
}

func (x *index) remove(id dcvix.AgentID) {
	a, ok := x.all[id]
	if !ok {
		return
	}
	delete(x.all, id)
	x.counts[a.State]--
	if a.State == dcvix.AgentRegistered {
		for _, n := range a.names() {
			if x.names[n] == id {
				delete(x.names, n)
			}
		}
	}
}
