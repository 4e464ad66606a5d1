package session

import (
	"context"
	"fmt"
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

// memberships remembers which agents the pools' names mean, for as long as policy
// and register stay as they are. The zero value is empty and ready to use.
type memberships struct {
	mu       sync.Mutex
	rules    *Rules
	revision uint64
	pools    map[string][]member
}

// members returns the hosts of a pool, each agent once, in the order of the policy.
// The caller must not change them.
func (b *Broker) members(pool Pool) []member {
	rules, revision := b.cfg.Policy.Rules(), b.register.revisionNow()
	m := &b.memberships
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rules != rules || m.revision != revision {
		m.rules, m.revision, m.pools = rules, revision, make(map[string][]member)
	}
	found, known := m.pools[pool.ID]
	if !known {
		found = b.resolveAll(pool.Hosts)
		m.pools[pool.ID] = found
	}
	return found
}

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
	users := []dcvix.Username{who.User}
	if who.Admin {
		users = append(users, req.Owner)
	}
	for _, user := range users {
		for _, p := range b.Access(user).Pools {
			if strings.EqualFold(p.ID, req.Pool) {
				return p, nil
			}
		}
	}
	return Pool{}, fmt.Errorf("pool %.80q: %w", req.Pool, ErrForbidden)
}

// warmLimit is how long those who open a pool wait, right after a start, for hosts
// that have not been heard of.
const warmLimit = 3 * time.Second

// warm asks the hosts of a pool that were not heard of since the start: one of them
// may have the session that is wanted.
func (b *Broker) warm(ctx context.Context, members []member) {
	var cold []Agent
	for _, m := range members {
		if m.agent == "" || !b.asks.isCold(m.agent) {
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
	candidates []Candidate
	own        []dcvix.AgentID // hosts where the owner has such a session
	counts     map[ReasonCode]int
	verdicts   []verdict // of each member, when they are asked for
}

// survey judges the hosts of a pool. It appends to into.candidates, and when
// explain is true to into.verdicts. passOver are hosts that have failed.
func (b *Broker) survey(into *survey, members []member, w *want, passOver map[dcvix.AgentID]bool, explain bool) {
	into.counts = make(map[ReasonCode]int)
	f := b.fleet
	f.mu.RLock()
	defer f.mu.RUnlock()
	for i, m := range members {
		l := f.hosts[m.agent]
		var v verdict
		var e *entry
		switch {
		case m.agent == "":
			v.code = ReasonNoAgent
		case passOver[m.agent]:
			v.code = ReasonFailed
		case l == nil:
			v.code = ReasonOffline
			if b.asks.isCold(m.agent) {
				v.code = ReasonStarting
			}
		default:
			v.code, e = l.fit(w)
		}
		switch v.code {
		case ReasonOwn:
			into.own = append(into.own, m.agent)
		case ReasonFree, ReasonReplaces:
			into.candidates = append(into.candidates, l.candidate(i))
		default: // it is out of the question
		}
		into.counts[v.code]++
		if !explain {
			continue
		}
		v.flags, v.since = f.flags[m.agent], b.lastSeen(m.agent)
		if e != nil {
			v.by = e.session
		}
		if v.code == ReasonTags {
			v.lacks = lacking(l.host.Tags, w.require)
		}
		into.verdicts = append(into.verdicts, v)
	}
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

// candidate returns the host as a [Placer] sees it.
func (l *live) candidate(position int) Candidate {
	c := Candidate{
		Host: l.host.Name, Stats: l.host.Stats, GPUs: l.host.GPUs, Tags: l.host.Tags, Position: position, agent: l.host.Agent,
	}
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
