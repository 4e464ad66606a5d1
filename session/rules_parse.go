package session

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/dcvix/dcvix"
)

// PolicyFiles are the content of the files of a policy, and how the names in it
// compare. Empty content is an empty list.
type PolicyFiles struct {
	Users, Pools, Groups []byte // of UsersFile, PoolsFile and GroupsFile
	FoldUserCase         bool   // names of users and groups compare without case
}

// ParseRules reads a policy. A file that cannot be understood is a [*PolicyError]
// that names file and line; anything less is one of the Problems: duplicates, of which
// the first counts, names of pools that nobody knows, pools that hold themselves,
// keys that mean nothing.
func ParseRules(files PolicyFiles) (*Rules, error) {
	var lists [3][]entry
	var problems []Problem
	var refused PolicyError
	for i, data := range [...][]byte{files.Users, files.Pools, files.Groups} {
		list, found, err := readEntries(policyNames[i], data)
		if fatal := (*PolicyError)(nil); errors.As(err, &fatal) {
			refused.Problems = append(refused.Problems, fatal.Problems...)
		}
		lists[i], problems = list, append(problems, found...)
	}
	if len(refused.Problems) > 0 {
		return nil, &refused
	}
	p := &rulesParser{
		Rules: &Rules{fold: files.FoldUserCase, Problems: problems},
		known: make(map[dcvix.Hostname]int), byID: make(map[string]*pool, len(lists[1])),
	}
	p.readPools(lists[1])
	p.users = p.grantsIn(lists[0])
	p.groups = p.grantsIn(lists[2])
	sortProblems(p.Problems)
	return p.Rules, nil
}

// A rulesParser makes Rules of entries.
type rulesParser struct {
	*Rules

	known   map[dcvix.Hostname]int // index in hosts
	byID    map[string]*pool
	guesser *guesser // of pools
}

func (p *rulesParser) problem(e *entry, line int, suggestion, format string, args ...any) { // any: as package fmt
	p.Problems = append(p.Problems, Problem{File: e.file, Line: line, Entry: e.title(), Text: fmt.Sprintf(format, args...), Suggestion: suggestion})
}

// name returns the id of an entry, unless its two spellings say different ones.
func (p *rulesParser) name(e *entry) (string, bool) {
	if e.id != "" && e.otherID != "" && e.id != e.otherID {
		p.problem(e, e.line, "Keep one.", "is passed over: it has the other id %.80q too", e.otherID)
		return "", false
	}
	return cmp.Or(e.id, e.otherID), true
}

func (p *rulesParser) readPools(list []entry) {
	entries := make([]*entry, 0, len(list)) // of the pools that count
	ids := make([]string, 0, len(list))
	for i := range list {
		e := &list[i]
		id, ok := p.name(e)
		switch before := p.byID[strings.ToLower(id)]; {
		case !ok:
		case id == "":
			p.problem(e, e.line, "Give it one.", "is passed over: it has no id")
		case before != nil:
			p.problem(e, e.line, "Merge the entries.", "is there already in line %d, which counts", before.line)
		default:
			o := &pool{key: strings.ToLower(id), index: len(p.pools), line: e.line}
			o.ID, o.Strategy, o.Require = id, p.strategy(e), p.tags(e)
			o.hosts, o.custom = p.mentions(e)
			for _, m := range o.hosts {
				o.Hosts = append(o.Hosts, m.name)
			}
			p.pools, p.byID[o.key] = append(p.pools, o), o
			entries, ids = append(entries, e), append(ids, id)
		}
	}
	p.guesser = newGuesser(ids, "Add the pool to "+PoolsFile+", or take its name away.")
	for i, e := range entries {
		p.pools[i].inside = p.members(e)
	}
	p.reportCycles(entries)
}

// poolStrategies are the words that say which host of a pool is chosen.
func poolStrategies() []string {
	return []string{"least-loaded", "spread", "pack", "round-robin", "random"}
}

func (p *rulesParser) strategy(e *entry) string {
	all := poolStrategies()
	s := strings.ToLower(e.strategy.text)
	if s == "" || slices.Contains(all, s) {
		return s
	}
	p.problem(e, e.strategy.line, newGuesser(all, "Write one of "+strings.Join(all, ", ")+".").suggest(s),
		"has the strategy %.80q, which is none: the director's counts", e.strategy.text)
	return ""
}

func (p *rulesParser) tags(e *entry) []string {
	var tags []string
	for _, w := range e.require {
		switch {
		case strings.TrimSpace(w.text) != w.text || w.text == "" || strings.Contains(w.text, ","):
			p.problem(e, w.line, "Write one word as agents have it in their tags.", "requires the tag %.80q, which no host can have", w.text)
			tags = append(tags, w.text) // better no host than one that lacks what was meant
		case !slices.Contains(tags, w.text):
			tags = append(tags, w.text)
		}
	}
	return tags
}

// grantsIn returns what the entries of a file give.
func (p *rulesParser) grantsIn(list []entry) map[string]*grant {
	all := make(map[string]*grant, len(list))
	for i := range list {
		e := &list[i]
		id, ok := p.name(e)
		if !ok {
			continue
		}
		if err := checkGrantee(e.file, id); err != nil {
			p.problem(e, e.line, "Correct its id.", "is passed over: %v", err)
			continue
		}
		if before := all[p.key(id)]; before != nil {
			p.problem(e, e.line, "Merge the entries.", "is there already in line %d, which counts", before.at.line)
			continue
		}
		g := &grant{id: id, at: e.place, order: i, admin: e.admin}
		g.hosts, g.custom = p.mentions(e)
		g.pools = p.members(e)
		all[p.key(id)] = g
	}
	return all
}

var errBadGroup = errors.New("the name of a group has 1 to 4000 bytes and no control characters")

func checkGrantee(file, id string) error {
	if file == UsersFile {
		return dcvix.Username(id).Validate()
	}
	if id == "" || len(id) > 4000 || strings.ContainsFunc(id, unicode.IsControl) {
		return errBadGroup
	}
	return nil
}

// mentions returns the hosts that an entry names, each once, and whether it gives
// any host.
func (p *rulesParser) mentions(e *entry) (hosts []mention, custom bool) {
	if len(e.workstations) > 0 {
		hosts = make([]mention, 0, len(e.workstations))
	}
	for _, w := range e.workstations {
		if w.text == dcvix.AllowCustom {
			custom = true
			continue
		}
		name, err := dcvix.ParseHostname(w.text)
		if err != nil {
			p.problem(e, w.line, newGuesser([]string{dcvix.AllowCustom}, "Write the name of the host.").suggest(w.text),
				"has a workstation that is passed over: %v", err)
			continue
		}
		i, ok := p.known[name]
		if !ok {
			i = len(p.hosts)
			p.known[name] = i
			p.hosts = append(p.hosts, policyHost{name: name, at: place{e.file, w.line}, id: cmp.Or(e.id, e.otherID)})
		}
		hosts = append(hosts, mention{name: w.text, host: i, line: w.line})
	}
	return p.once(hosts), custom
}

// once drops the hosts that were named before.
func (p *rulesParser) once(hosts []mention) []mention {
	if len(hosts) < 2 {
		return hosts
	}
	seen := make(map[int]bool, len(hosts))
	return slices.DeleteFunc(hosts, func(m mention) bool {
		had := seen[m.host]
		seen[m.host] = true
		return had
	})
}

// members returns the pools that an entry names, each once.
func (p *rulesParser) members(e *entry) []*pool {
	var all []*pool
	for _, w := range e.pools {
		in := p.byID[strings.ToLower(w.text)]
		if in == nil {
			p.problem(e, w.line, p.guesser.suggest(w.text), "has the pool %.80q, which %s does not know", w.text, PoolsFile)
			continue
		}
		if !slices.Contains(all, in) {
			all = append(all, in)
		}
	}
	return all
}

// reportCycles finds the rows of pools inside one another that lead back to their
// beginning. What such pools hold counts all the same, once.
func (p *rulesParser) reportCycles(entries []*entry) {
	const (
		unseen = iota
		open   // on the row
		done
	)
	state := make([]int, len(p.pools))
	var row []*pool
	var visit func(o *pool)
	visit = func(o *pool) {
		state[o.index] = open
		row = append(row, o)
		for _, in := range o.inside {
			switch state[in.index] {
			case unseen:
				visit(in)
			case open:
				p.problem(entries[o.index], lineOf(entries[o.index], in), "Take one out of the other.",
					"holds itself: %s", path(append(row[slices.Index(row, in):], in)))
			}
		}
		row = row[:len(row)-1]
		state[o.index] = done
	}
	for _, o := range p.pools {
		if state[o.index] == unseen {
			visit(o)
		}
	}
}

// lineOf returns the line where an entry names a pool.
func lineOf(e *entry, in *pool) int {
	for _, w := range e.pools {
		if strings.ToLower(w.text) == in.key {
			return w.line
		}
	}
	return e.line
}

// path writes pools in a row, at most eight of them.
func path(row []*pool) string {
	names := make([]string, 0, 9)
	for i, o := range row {
		if i >= 7 && i < len(row)-1 {
			if i == 7 {
				names = append(names, "…")
			}
			continue
		}
		names = append(names, fmt.Sprintf("%.80q", o.ID))
	}
	return strings.Join(names, " > ")
}
