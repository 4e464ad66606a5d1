package session

import (
	"fmt"

	"github.com/dcvix/dcvix"
)

// Sources say where what an [Access] gives comes from: each is an entry of the
// policy with file and line, in words.
type Sources struct {
	Entries []string // that count for the user
	Admin   []string // that make the user an admin
	Custom  []string // that let the user name any registered host
	Hosts   []string // of each of Access.Hosts
	Pools   []string // of each of Access.Pools
}

// Sources returns where the Access of the same user and groups comes from.
func (r *Rules) Sources(user dcvix.Username, groups []string) Sources {
	var s Sources
	grants := r.grants(user, groups)
	for _, g := range grants {
		s.Entries = append(s.Entries, g.title())
		if g.admin {
			s.Admin = append(s.Admin, g.title())
		}
		if g.custom {
			s.Custom = append(s.Custom, g.title())
		}
	}
	pools := r.poolsOf(grants)
	for _, p := range pools {
		s.Pools = append(s.Pools, fmt.Sprintf("%s of %s", p.pool.title(), p.by.title()))
		if r.gives(p.pool) {
			s.Custom = append(s.Custom, fmt.Sprintf("%s of %s", p.pool.title(), p.by.title()))
		}
	}
	r.walk(grants, pools, func(by *grant, top, in *pool, m mention) {
		switch top {
		case nil:
			s.Hosts = append(s.Hosts, fmt.Sprintf("%s, %s", by.name(), place{by.at.file, m.line}))
		case in:
			s.Hosts = append(s.Hosts, fmt.Sprintf("pool %.80q of %s, %s", top.ID, by.name(), place{PoolsFile, m.line}))
		default:
			s.Hosts = append(s.Hosts, fmt.Sprintf("pool %.80q in pool %.80q of %s, %s", in.ID, top.ID, by.name(), place{PoolsFile, m.line}))
		}
	})
	return s
}

// name returns the entry without its place.
func (g *grant) name() string {
	e := entry{place: g.at, id: g.id}
	return e.title()
}

func (g *grant) title() string { return fmt.Sprintf("%s (%s)", g.name(), g.at) }

func (p *pool) title() string {
	return fmt.Sprintf("pool %.80q (%s)", p.ID, place{PoolsFile, p.line})
}
