package session

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/dcvix/dcvix"
)

// HostNames find the registered agent that a name in a policy means: the one whose
// name or alias equals it, else the only one whose first label does (ws1 is
// ws1.lab.example). They never change.
type HostNames struct {
	exact  map[dcvix.Hostname]dcvix.Hostname // recorded names, by each name
	labels map[string][]labelled
	all    []string
}

// A labelled agent has a name with a certain first label.
type labelled struct {
	recorded dcvix.Hostname
	short    bool // one of its names is that label alone
}

// NewHostNames returns the HostNames of registered agents: of each its recorded
// name, then its aliases.
func NewHostNames(agents [][]dcvix.Hostname) *HostNames {
	n := &HostNames{
		exact:  make(map[dcvix.Hostname]dcvix.Hostname, len(agents)),
		labels: make(map[string][]labelled, len(agents)),
		all:    make([]string, 0, len(agents)),
	}
	for _, names := range agents {
		for _, name := range names {
			n.exact[name] = names[0]
			n.all = append(n.all, string(name))
			n.label(name, names[0])
		}
	}
	return n
}

func (n *HostNames) label(name, recorded dcvix.Hostname) {
	label := name.FirstLabel()
	short := string(name) == label
	same := n.labels[label]
	if i := slices.IndexFunc(same, func(l labelled) bool { return l.recorded == recorded }); i >= 0 {
		same[i].short = same[i].short || short
		return
	}
	n.labels[label] = append(same, labelled{recorded, short})
}

// Find returns the recorded names of the agents that a name could mean: of one
// when it means one, of several when it means none of them for being ambiguous, or
// of none.
func (n *HostNames) Find(name dcvix.Hostname) []dcvix.Hostname {
	if recorded, ok := n.exact[name]; ok {
		return []dcvix.Hostname{recorded}
	}
	same := n.labels[name.FirstLabel()]
	if string(name) != name.FirstLabel() && !slices.ContainsFunc(same, func(l labelled) bool { return l.short }) {
		return nil // ws1.lab and ws1.other are two hosts
	}
	found := make([]dcvix.Hostname, len(same))
	for i, l := range same {
		found[i] = l.recorded
	}
	return found
}

// HostProblems returns which hosts the policy names that are no registered agent,
// or could be several; each host once, where it is named first.
func (r *Rules) HostProblems(registered *HostNames) []Problem {
	var all []Problem
	meant := newGuesser(registered.all, "Start an agent there and approve it, or take the name away.")
	for _, h := range r.hosts {
		e := entry{place: h.at, id: h.id}
		p := Problem{File: h.at.file, Line: h.at.line, Entry: e.title()}
		switch found := registered.Find(h.name); len(found) {
		case 1:
			continue
		case 0:
			p.Text = fmt.Sprintf("has the workstation %q, which no registered agent is", string(h.name))
			p.Suggestion = meant.suggest(string(h.name))
		default:
			p.Text = fmt.Sprintf("has the workstation %q, which could be %s", string(h.name), either(found))
			p.Suggestion = "Write the whole name of one."
		}
		all = append(all, p)
	}
	sortProblems(all)
	return all
}

// either writes "a, b or 3 more".
func either(names []dcvix.Hostname) string {
	const shown = 4
	words := make([]string, 0, shown)
	for _, name := range names[:min(len(names), shown)] {
		words = append(words, string(name))
	}
	if len(names) > shown {
		return fmt.Sprintf("%s or %d more", strings.Join(words, ", "), len(names)-shown)
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// HostNames returns the HostNames of the agents that are registered now.
func (b *Broker) HostNames() *HostNames {
	var agents [][]dcvix.Hostname
	for _, a := range b.register.all() {
		if a.State == dcvix.AgentRegistered {
			agents = append(agents, a.names())
		}
	}
	return NewHostNames(agents)
}

// foundProblems remembers what is wrong with the policy, for as long as policy and
// register stay as they are. The zero value is empty and ready to use.
type foundProblems struct {
	mu       sync.Mutex
	rules    *Rules
	revision uint64
	all      []Problem
}

// PolicyProblems returns what is wrong with the policy of this moment: what its
// files alone show, then what the register does. It takes time that grows with the
// fleet when either has changed. The caller must not change what is in it.
func (b *Broker) PolicyProblems() []Problem {
	p := &b.problems
	p.mu.Lock()
	defer p.mu.Unlock()
	rules, revision := b.cfg.Policy.Rules(), b.register.revisionNow()
	if p.rules != rules || p.revision != revision {
		p.rules, p.revision = rules, revision
		p.all = slices.Concat(rules.Problems, rules.HostProblems(b.HostNames()))
	}
	return p.all
}
