package session

import (
	"fmt"

	"github.com/dcvix/dcvix"
)

// Trace returns what [Rules.Access] gives the user, with where each part of it comes
// from. The hosts are looked up in registered, unless that is nil.
func (r *Rules) Trace(user dcvix.Username, groups []string, registered *HostNames) dcvix.PolicyAccess {
	t := dcvix.PolicyAccess{
		User: user, Groups: append([]string{}, groups...), Entries: []string{}, Hosts: []dcvix.PolicyHost{}, Pools: []dcvix.PolicyPool{},
	}
	grants := r.grants(user, groups)
	for _, g := range grants {
		t.Entries = append(t.Entries, g.title())
		if g.admin {
			t.Admin = append(t.Admin, g.title())
		}
		if g.custom {
			t.Custom = append(t.Custom, g.title())
		}
	}
	pools := r.poolsOf(grants)
	for _, p := range pools {
		from := fmt.Sprintf("%s, of %s", place{PoolsFile, p.pool.line}, p.by.title())
		whole := r.whole(p.pool)
		t.Pools = append(t.Pools, dcvix.PolicyPool{
			ID: whole.ID, From: from, Hosts: append([]string{}, whole.Hosts...), Strategy: whole.Strategy, Require: whole.Require,
		})
		if r.gives(p.pool) {
			t.Custom = append(t.Custom, fmt.Sprintf("pool %.80q (%s)", whole.ID, from))
		}
	}
	r.walk(grants, pools, func(by *grant, top, in *pool, m mention) {
		h := dcvix.PolicyHost{Name: m.name, From: m.from(by, top, in)}
		if registered != nil {
			h.Agents = append([]dcvix.Hostname{}, registered.Find(r.hosts[m.host].name)...)
		}
		t.Hosts = append(t.Hosts, h)
	})
	return t
}

// from says where a host is named: in an entry itself, or in a pool of it, which may
// be inside another.
func (m mention) from(by *grant, top, in *pool) string {
	switch top {
	case nil:
		return fmt.Sprintf("%s (%s)", by.name(), place{by.at.file, m.line})
	case in:
		return fmt.Sprintf("pool %.80q (%s), of %s", top.ID, place{PoolsFile, m.line}, by.title())
	default:
		return fmt.Sprintf("pool %.80q (%s) in pool %.80q, of %s", in.ID, place{PoolsFile, m.line}, top.ID, by.title())
	}
}

// name returns the entry without its place.
func (g *grant) name() string {
	e := entry{place: g.at, id: g.id}
	return e.title()
}

func (g *grant) title() string { return fmt.Sprintf("%s (%s)", g.name(), g.at) }

// TraceAccess returns what [Broker.Access] gives the user, with where it comes from
// and which registered agents the hosts are. It takes time that grows with the fleet.
func (b *Broker) TraceAccess(user dcvix.Username, groups []string) dcvix.PolicyAccess {
	return b.cfg.Policy.Rules().Trace(user, groups, b.HostNames())
}
