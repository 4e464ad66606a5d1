package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
)

// A member is a host of a pool: the name that the policy gives and the agent that
// it means, "" when none.
type member struct {
	name  string
	agent dcvix.AgentID
}

// hosts are the members of a pool, each agent once, in the order of the policy.
type hosts struct {
	members []member

	mu      sync.Mutex // taken after that of the fleet
	changes uint64     // of the fleet, when live was made
	live    []*live    // of each member, nil when it does not report
}

// lives returns what the fleet knows of each member; the fleet's mu is held.
func (h *hosts) lives(f *Fleet) []*live {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.live != nil && h.changes == f.changes {
		return h.live
	}
	h.changes, h.live = f.changes, make([]*live, len(h.members))
	for i, m := range h.members {
		h.live[i] = f.hosts[m.agent]
	}
	return h.live
}

// memberships remembers which agents the pools' names mean, for as long as policy
// and register stay as they are. The zero value is empty and ready to use.
type memberships struct {
	mu       sync.Mutex
	rules    *Rules
	revision uint64
	pools    map[string]*hosts
}

// members returns the hosts of a pool.
func (b *Broker) members(pool Pool) *hosts {
	rules, revision := b.cfg.Policy.Rules(), b.register.revisionNow()
	m := &b.memberships
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rules != rules || m.revision != revision {
		m.rules, m.revision, m.pools = rules, revision, make(map[string]*hosts)
	}
	found, known := m.pools[pool.ID]
	if !known {
		found = &hosts{members: b.resolveAll(pool.Hosts)}
		m.pools[pool.ID] = found
	}
	return found
}

// resolveAll finds the agents that names mean.
func (b *Broker) resolveAll(names []string) []member {
	members := make([]member, 0, len(names))
	seen := make(map[dcvix.AgentID]bool, len(names))
	for _, name := range names {
		a, err := b.register.resolve(name)
		switch {
		case err != nil:
			members = append(members, member{name: name})
		case !seen[a.ID]:
			seen[a.ID] = true
			members = append(members, member{name: name, agent: a.ID})
		}
	}
	return members
}

// pool returns a pool that who may open, for an admin also one of the owner's. Its
// id is read without regard to case.
func (b *Broker) pool(who Actor, req OpenRequest) (Pool, error) {
	pools := b.Access(who.User, who.Groups).Pools
	if who.Admin {
		pools = append(slices.Clone(pools), b.Access(req.Owner, req.OwnerGroups).Pools...)
	}
	for _, p := range pools {
		if strings.EqualFold(p.ID, req.Pool) {
			return p, nil
		}
	}
	return Pool{}, fmt.Errorf("pool %.80q: %w", req.Pool, ErrForbidden)
}

// warmLimit is how long those who open a pool wait, right after a start, for hosts
// that have not been heard of.
const warmLimit = 3 * time.Second

// warm asks the hosts of a pool that were not heard of since the start: one of them
// may have the session that is wanted.
func (b *Broker) warm(ctx context.Context, in *hosts) {
	var cold []Agent
	for _, m := range in.members {
		if !b.asks.isCold(m.agent) {
			continue
		}
		if a, err := b.trusted(m.agent); err == nil {
			cold = append(cold, a)
		}
	}
	if len(cold) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, warmLimit)
	defer cancel()
	b.askEach(ctx, cold)
}

// A survey is what the hosts of a pool are to somebody who wants a session there.
type survey struct {
	candidates []*Candidate
	own        []dcvix.AgentID // hosts where the owner has such a session
	counts     map[ReasonCode]int
	verdicts   []verdict // of each member, when they are asked for
}

// survey judges the hosts of a pool. It appends to into.candidates, and when
// explain is true to into.verdicts. passOver are hosts that have failed.
func (b *Broker) survey(into *survey, in *hosts, w *want, passOver map[dcvix.AgentID]bool, explain bool) {
	into.counts = make(map[ReasonCode]int)
	f := b.fleet
	f.mu.RLock()
	defer f.mu.RUnlock()
	for i, l := range in.lives(f) {
		agent := in.members[i].agent
		code, e := ReasonFailed, (*tracked)(nil)
		switch {
		case l == nil:
			code = b.whyNotThere(agent)
		case len(passOver) == 0 || !passOver[agent]:
			code, e = l.fit(w)
		}
		switch code {
		case ReasonOwn:
			into.own = append(into.own, agent)
		case ReasonFree, ReasonReplaces:
			into.candidates = append(into.candidates, l.candidate)
		default: // it is out of the question
			into.counts[code]++
		}
		if explain {
			into.verdicts = append(into.verdicts, b.verdict(code, agent, l, e, w))
		}
	}
}

// whyNotThere says why the fleet does not know an agent's host.
func (b *Broker) whyNotThere(id dcvix.AgentID) ReasonCode {
	switch {
	case id == "":
		return ReasonNoAgent
	case b.asks.isCold(id):
		return ReasonStarting
	}
	return ReasonOffline
}

// verdict returns all that there is to say of a host; the fleet's mu is held.
func (b *Broker) verdict(code ReasonCode, id dcvix.AgentID, l *live, e *tracked, w *want) verdict {
	v := verdict{code: code, flags: b.fleet.flags[id], since: b.lastSeen(id)}
	if e != nil {
		v.by = e.session
	}
	if l != nil {
		v.lacks = lacking(l.host.Tags, w.require)
		if code.possible() {
			v.load, v.sessions = l.candidate.Load(), l.candidate.Sessions
		}
	}
	return v
}

func (b *Broker) lastSeen(id dcvix.AgentID) time.Time {
	a, _ := b.register.get(id)
	return a.LastSeenAt
}

func lacking(has, want []string) []string {
	var lacks []string
	for _, tag := range want {
		if !hasTags(has, []string{tag}) {
			lacks = append(lacks, tag)
		}
	}
	return lacks
}

// newCandidate returns the host as a [Placer] sees it.
func (l *live) newCandidate() *Candidate {
	c := &Candidate{Host: l.host.Name, Stats: l.host.Stats, GPUs: l.host.GPUs, Tags: l.host.Tags, agent: l.host.Agent}
	for _, e := range l.entries {
		if e.phase == phaseClosed {
			continue
		}
		c.Sessions++
		c.Clients += e.session.NumOfConnections
		if e.fresh || e.phase.promised() {
			c.Recent++
		}
	}
	c.load = c.busy()
	return c
}

// bestOwn returns which of some hosts with a session of the owner it is to be: one
// that is there rather than one that is being created, and that one rather than one
// on a host that is silent.
func (f *Fleet) bestOwn(hosts []dcvix.AgentID, w *want) dcvix.AgentID {
	f.mu.RLock()
	defer f.mu.RUnlock()
	best, rank := hosts[0], -1
	for _, id := range hosts {
		l := f.hosts[id]
		if l == nil {
			continue
		}
		r := 0
		switch e := l.own(w); {
		case e == nil:
			continue
		case e.phase.promised():
			r = 1
		case !l.host.Silent:
			r = 2
		}
		if r > rank {
			best, rank = id, r
		}
	}
	return best
}
