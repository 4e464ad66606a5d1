package session

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dcvix/dcvix"
)

// Entries returns the entries of the policy that count: users, then groups, each in
// the order of their file.
func (r *Rules) Entries() []dcvix.PolicyEntry {
	grants := r.everyGrant()
	all := make([]dcvix.PolicyEntry, len(grants))
	for i, g := range grants {
		all[i] = dcvix.PolicyEntry{
			Kind: g.kind(), Name: g.id, File: g.at.file, Line: g.at.line, Admin: g.admin, Custom: g.custom, Hosts: len(g.hosts), Pools: poolIDs(g.pools),
		}
	}
	return all
}

// PoolEntries returns the pools of the policy that count, in the order of the file.
func (r *Rules) PoolEntries() []dcvix.PolicyPoolEntry {
	all := make([]dcvix.PolicyPoolEntry, len(r.pools))
	for i, p := range r.pools {
		all[i] = dcvix.PolicyPoolEntry{
			ID: p.ID, File: PoolsFile, Line: p.line, Hosts: append([]string{}, p.Hosts...), Pools: poolIDs(p.inside), Total: len(p.Hosts),
			Strategy: p.Strategy, Require: p.Require, Custom: p.custom,
		}
		if len(p.inside) > 0 {
			all[i].Total = len(r.whole(p).Hosts)
		}
	}
	return all
}

func poolIDs(pools []*pool) []string {
	var ids []string
	for _, p := range pools {
		ids = append(ids, p.ID)
	}
	return ids
}

func (g *grant) kind() dcvix.PolicyKind {
	if g.at.file == GroupsFile {
		return dcvix.PolicyGroup
	}
	return dcvix.PolicyUser
}

// everyGrant returns the users, then the groups, each in the order of their file.
func (r *Rules) everyGrant() []*grant {
	all := make([]*grant, 0, len(r.users)+len(r.groups))
	for _, grants := range []map[string]*grant{r.users, r.groups} {
		begin := len(all)
		for _, g := range grants {
			all = append(all, g)
		}
		slices.SortFunc(all[begin:], func(a, b *grant) int { return cmp.Compare(a.order, b.order) })
	}
	return all
}

// ReachServer says which entries of the policy give a host, and through which line:
// the first that does. Hosts are named as in a policy. The host that server means is
// found in registered, with all its names; one that is not registered has that name
// alone.
func (r *Rules) ReachServer(server dcvix.Hostname, registered *HostNames) dcvix.PolicyReach {
	reach := dcvix.PolicyReach{Name: string(server), By: []dcvix.PolicyReacher{}, Any: []dcvix.PolicyReacher{}}
	if found := registered.Find(server); len(found) == 1 {
		reach.ServerID = found[0]
	}
	meant := newBits(len(r.hosts))
	for i, h := range r.hosts {
		found := registered.Find(h.name)
		if h.name == server || reach.ServerID != "" && len(found) == 1 && found[0] == reach.ServerID {
			meant.add(i)
		}
	}
	t := tracer{rules: r, meant: meant, through: make(map[*pool]*hit)}
	for _, g := range r.everyGrant() {
		if from := t.from(g); from != "" {
			reach.By = append(reach.By, g.reacher(from))
		} else if from := r.anyFrom(g); from != "" && reach.ServerID != "" {
			reach.Any = append(reach.Any, g.reacher(from))
		}
	}
	return reach
}

// ReachPool says which entries of the policy give a pool, to open it or, from inside
// another, to use its hosts. Its id is read without regard to case. It says whether
// there is such a pool.
func (r *Rules) ReachPool(id string) (reach dcvix.PolicyReach, found bool) {
	i := slices.IndexFunc(r.pools, func(p *pool) bool { return p.key == strings.ToLower(id) })
	if i < 0 {
		return reach, false
	}
	reach = dcvix.PolicyReach{Name: r.pools[i].ID, By: []dcvix.PolicyReacher{}, Any: []dcvix.PolicyReacher{}}
	holds := make(map[*pool]bool) // whether the pool is inside
	for _, p := range r.pools {
		p.each(newBits(len(r.pools)), func(in *pool) { holds[p] = holds[p] || in == r.pools[i] })
	}
	for _, g := range r.everyGrant() {
		if slices.Contains(g.pools, r.pools[i]) {
			reach.By = append(reach.By, g.reacher(g.title()))
		} else if in := slices.IndexFunc(g.pools, func(p *pool) bool { return holds[p] }); in >= 0 {
			reach.By = append(reach.By, g.reacher(fmt.Sprintf("%s, of %s", g.pools[in].title(), g.title())))
		}
	}
	return reach, true
}

func (p *pool) title() string { return fmt.Sprintf("pool %.80q (%s)", p.ID, place{PoolsFile, p.line}) }

func (g *grant) reacher(from string) dcvix.PolicyReacher {
	return dcvix.PolicyReacher{Kind: g.kind(), Name: g.id, From: from}
}

// anyFrom says where it comes from that an entry gives any host; "" when it does not.
func (r *Rules) anyFrom(g *grant) string {
	if g.custom {
		return g.title()
	}
	for _, p := range g.pools {
		if r.gives(p) {
			return fmt.Sprintf("%s, of %s", p.title(), g.title())
		}
	}
	return ""
}

// A tracer finds where entries name a host. It looks into each pool once.
type tracer struct {
	rules   *Rules
	meant   bits // the names of the host
	through map[*pool]*hit
}

// A hit is the first mention of the host in a pool or in one inside it.
type hit struct {
	in *pool // nil when there is none
	m  mention
}

func (t *tracer) from(g *grant) string {
	for _, m := range g.hosts {
		if t.meant.has(m.host) {
			return m.from(g, nil, nil)
		}
	}
	for _, p := range g.pools {
		if h := t.hit(p); h.in != nil {
			return h.m.from(g, p, h.in)
		}
	}
	return ""
}

func (t *tracer) hit(p *pool) *hit {
	h, known := t.through[p]
	if known {
		return h
	}
	h = new(hit)
	t.through[p] = h
	p.each(newBits(len(t.rules.pools)), func(in *pool) {
		for _, m := range in.hosts {
			if h.in == nil && t.meant.has(m.host) {
				h.in, h.m = in, m
			}
		}
	})
	return h
}

// PolicyEntries returns the entries and the pools of the policy of this moment.
func (b *Broker) PolicyEntries() ([]dcvix.PolicyEntry, []dcvix.PolicyPoolEntry) {
	rules := b.cfg.Policy.Rules()
	return rules.Entries(), rules.PoolEntries()
}

// ReachServer is [Rules.ReachServer] for the policy and the register of this moment.
// It takes time that grows with both.
func (b *Broker) ReachServer(server dcvix.Hostname) dcvix.PolicyReach {
	return b.cfg.Policy.Rules().ReachServer(server, b.HostNames())
}

// ReachPool is [Rules.ReachPool] for the policy of this moment.
func (b *Broker) ReachPool(id string) (reach dcvix.PolicyReach, found bool) {
	return b.cfg.Policy.Rules().ReachPool(id)
}
