package session

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dcvix/dcvix"
)

// The files of a policy, in its folder. [GroupsFile] may be absent.
const (
	UsersFile  = "users.json"
	PoolsFile  = "pools.json"
	GroupsFile = "groups.json"
)

// Rules are a policy: who may use which hosts. They never change; a new policy
// is a new value. The zero value lets nobody do anything.
type Rules struct {
	// Problems are what is wrong with the files but does not keep the rest from
	// counting, in the order of the files.
	Problems []Problem

	fold   bool
	users  map[string]*grant // by UserKey
	groups map[string]*grant // by UserKey
	pools  []*pool           // in the order of the file
	hosts  []policyHost      // every name of a host, at its first place
}

// Access is what one user may do. The caller must not change what is in it.
type Access struct {
	Known bool // the policy names the user, or a group of theirs
	Admin bool
	// Hosts are the names the policy gives: the workstations of the user and of the
	// user's groups, then the members of the pools of both, without duplicates, and
	// without ALLOW_CUSTOM. Groups count in the order of the policy.
	Hosts []string
	// Direct is how many of the Hosts, the first ones, are workstations: the others
	// come from pools alone.
	Direct int
	// Pools are those whose members are among the Hosts, in the same order.
	Pools []Pool
	// Custom lets the user name any registered host.
	Custom bool
}

// A Pool is a set of hosts that somebody may open without saying which.
type Pool struct {
	ID       string   // as the policy writes it; ids compare without regard to case
	Hosts    []string // its own and those of pools inside it, without duplicates
	Strategy string   // one of least-loaded, spread, pack, round-robin, random; "" means the director's default
	Require  []string // tags that a host must have to be chosen; may be nil
}

// A grant is what an entry of users.json or groups.json gives.
type grant struct {
	id     string
	at     place
	order  int // in its file
	admin  bool
	custom bool
	hosts  []mention
	pools  []*pool
}

// A pool is an entry of pools.json.
type pool struct {
	Pool // its Hosts are its own

	key    string
	index  int // in Rules.pools
	line   int
	custom bool
	hosts  []mention
	inside []*pool
}

// A mention is a name of a host as a file writes it.
type mention struct {
	name string
	host int // index in Rules.hosts
	line int
}

// A policyHost is a host that the policy names.
type policyHost struct {
	name dcvix.Hostname
	at   place  // of its first name
	id   string // of the entry there
}

// Access returns what a user may do whose login brought these groups. A user whom
// no file knows may do nothing. Groups compare as users do. It is safe for
// concurrent use and waits for nothing.
func (r *Rules) Access(user dcvix.Username, groups []string) Access {
	grants := r.grants(user, groups)
	a := Access{Known: len(grants) > 0}
	size := 0
	for _, g := range grants {
		a.Admin = a.Admin || g.admin
		a.Custom = a.Custom || g.custom
		size += len(g.hosts)
	}
	pools := r.poolsOf(grants)
	for _, p := range pools {
		size += len(p.pool.hosts)
		a.Custom = a.Custom || r.gives(p.pool)
	}
	if size > 0 { // what pools inside pools add is not counted
		a.Hosts = make([]string, 0, size)
	}
	r.walk(grants, pools, func(_ *grant, top, _ *pool, m mention) {
		a.Hosts = append(a.Hosts, m.name)
		if top == nil {
			a.Direct++
		}
	})
	for _, p := range pools {
		a.Pools = append(a.Pools, r.whole(p.pool))
	}
	return a
}

// grants returns the entries that count for a user: the user's own, then those of
// the groups in the order of the file, each once.
func (r *Rules) grants(user dcvix.Username, groups []string) []*grant {
	var found []*grant
	for _, name := range groups {
		if g, ok := r.groups[r.key(name)]; ok {
			found = append(found, g)
		}
	}
	slices.SortFunc(found, func(a, b *grant) int { return cmp.Compare(a.order, b.order) })
	found = slices.Compact(found)
	if own, ok := r.users[r.key(string(user))]; ok {
		found = slices.Insert(found, 0, own)
	}
	return found
}

// A granted is a pool and the entry that gives it.
type granted struct {
	by   *grant
	pool *pool
}

// poolsOf returns the pools that entries give, each once.
func (r *Rules) poolsOf(grants []*grant) []granted {
	var all []granted
	seen := newBits(len(r.pools))
	for _, g := range grants {
		for _, p := range g.pools {
			if seen.add(p.index) {
				all = append(all, granted{g, p})
			}
		}
	}
	return all
}

// walk calls f for each host that entries and their pools give, in the order of
// the policy and each once: with the entry, and for the member of a pool that pool
// and the one inside it that names the host.
func (r *Rules) walk(grants []*grant, pools []granted, f func(by *grant, top, in *pool, m mention)) {
	hosts, visited := newBits(len(r.hosts)), newBits(len(r.pools))
	for _, g := range grants {
		for _, m := range g.hosts {
			if hosts.add(m.host) {
				f(g, nil, nil, m)
			}
		}
	}
	for _, p := range pools {
		p.pool.each(visited, func(in *pool) {
			for _, m := range in.hosts {
				if hosts.add(m.host) {
					f(p.by, p.pool, in, m)
				}
			}
		})
	}
}

// each calls f for the pool and those inside it at any depth, each once.
func (p *pool) each(visited bits, f func(*pool)) {
	if !visited.add(p.index) {
		return
	}
	f(p)
	for _, in := range p.inside {
		in.each(visited, f)
	}
}

// whole returns a pool with the hosts of those inside it.
func (r *Rules) whole(p *pool) Pool {
	if len(p.inside) == 0 {
		return p.Pool
	}
	all := p.Pool
	all.Hosts = nil
	r.walk(nil, []granted{{pool: p}}, func(_ *grant, _, _ *pool, m mention) { all.Hosts = append(all.Hosts, m.name) })
	return all
}

// gives says whether a pool lets those who have it name any host.
func (r *Rules) gives(p *pool) bool {
	if len(p.inside) == 0 {
		return p.custom
	}
	custom := false
	p.each(newBits(len(r.pools)), func(in *pool) { custom = custom || in.custom })
	return custom
}

// SameUser says whether two names are of one user to this policy: they are equal,
// or equal but for the case of letters when it folds case.
func (r *Rules) SameUser(a, b dcvix.Username) bool {
	return a == b || r.fold && strings.EqualFold(string(a), string(b))
}

// UserKey returns the same for names that are of one user, so that users can be
// found in a map. It is no name to show.
func (r *Rules) UserKey(user dcvix.Username) string { return r.key(string(user)) }

func (r *Rules) key(name string) string {
	if !r.fold {
		return name
	}
	return folded(name)
}

// folded folds as [strings.EqualFold] compares: each letter becomes the least of
// those that Unicode takes for the same.
func folded(name string) string {
	return strings.Map(func(c rune) rune {
		if c < utf8.RuneSelf {
			return unicode.ToUpper(c)
		}
		least := c
		for next := unicode.SimpleFold(c); next != c; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}

// bits is a set of small numbers.
type bits []uint64

func newBits(n int) bits { return make(bits, (n+63)/64) }

// add says whether i was not in the set before.
func (b bits) add(i int) bool {
	word, bit := i/64, uint64(1)<<(i%64)
	had := b[word]&bit != 0
	b[word] |= bit
	return !had
}

func (b bits) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }
