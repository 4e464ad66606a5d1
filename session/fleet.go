package session

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
)

// A Host is what one host last said of itself.
type Host struct {
	Agent    dcvix.AgentID
	Name     dcvix.Hostname // recorded in the register, not what the host calls itself
	Address  string
	DCVPort  int // web port of its DCV server
	Stats    dcvix.Stats
	Tags     []string // never nil
	Problems []string
	GPUs     []dcvix.GPU
	Licence  *dcvix.Licence // nil: not known
	Version  string
	LastSeen time.Time
	Silent   bool            // it has not reported for too long; its sessions are unknown
	Sessions []dcvix.Session // ordered by ID; never nil
	Flags    HostFlags       // what an admin decided about it; zero when nothing
	Revision uint64          // is another one whenever anything here is

	interval time.Duration // between its reports
}

// defaultInterval is how often agents report that do not say it.
const defaultInterval = 30 * time.Second

// defaultDCVPort is the web port of a DCV server unless its agent says another.
const defaultDCVPort = 8443

// A Fleet knows what is live: hosts, their figures and their sessions. A host's
// sessions are replaced in one step, what the director did itself is seen at
// once, and a report from before an act does not undo it.
//
// Hosts it hands out share no memory with it that changes. It is safe for
// concurrent use.
type Fleet struct {
	maxAge   time.Duration
	deadline time.Duration // of acts
	tell     func(Event)   // of what changed; it must not wait

	mu       sync.RWMutex
	hosts    map[dcvix.AgentID]*live
	order    byName // all hosts
	where    whereabouts[dcvix.SessionID]
	owners   whereabouts[string]         // by folded name
	flags    map[dcvix.AgentID]HostFlags // also of hosts that do not report
	past     map[dcvix.AgentID]*history  // of the last hour, also of hosts that were dropped for their silence
	due      time.Time                   // no passing phase ends before it; zero when there is none
	changes  uint64                      // counts the hosts that came and went
	revision uint64                      // counts the changes of what [Fleet.Hosts] returns
}

// A live host is what it reported, and its sessions as they are for us.
type live struct {
	host    Host
	entries []*tracked // in the order of their ids
	past    *history

	candidate *Candidate // made anew with every change
}

func newFleet(maxAge, deadline time.Duration, tell func(Event)) *Fleet {
	return &Fleet{
		maxAge: maxAge, deadline: deadline, tell: tell,
		hosts: make(map[dcvix.AgentID]*live), where: make(whereabouts[dcvix.SessionID]), owners: make(whereabouts[string]), flags: make(map[dcvix.AgentID]HostFlags),
		past: make(map[dcvix.AgentID]*history),
	}
}

// Bounds of what a host may say of itself.
const (
	maxInterval = 24 * time.Hour
	maxPort     = 65535
)

// Report takes in what a host says, as of the given time, unless a later report
// is there already. It keeps update.
func (f *Fleet) Report(a Agent, update dcvix.AgentUpdate, at time.Time) {
	interval := defaultInterval
	if s := update.UpdateIntervalSeconds; s > 0 {
		interval = time.Duration(min(s, int(maxInterval/time.Second))) * time.Second
	}
	port := update.DCVPort
	if port <= 0 || port > maxPort {
		port = defaultDCVPort
	}
	h := Host{
		Agent: a.ID, Name: a.Hostname, Address: a.Address, LastSeen: at,
		DCVPort: port, Stats: update.Stats,
		Tags: orEmpty(boundedLines(update.Tags, maxTags, maxWord)), Problems: boundedLines(update.Problems, maxProblems, maxSentence), Version: boundedWord(update.Version),
		GPUs: boundedGPUs(update.GPUs), Licence: boundedLicence(update.Licence),
		interval: interval,
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.hosts[a.ID]
	switch {
	case l != nil && at.Before(l.host.LastSeen) && l.host.LastSeen.Sub(at) < f.deadline:
		return // much older means that the clock was put back
	case l == nil:
		l = f.begin(a)
	case l.host.Name != a.Hostname:
		f.order.remove(l)
		l.host.Name = a.Hostname
		f.order.add(l)
	}
	h.Flags, h.Sessions = f.flags[a.ID], l.host.Sessions
	l.host = h
	l.hear(update.Sessions, at)
	f.show(l)
	l.past.note(&l.host, at)
	f.tell(Event{Kind: EventHost, Agent: a.ID})
}

// begin takes in a host that was not there; mu is held.
func (f *Fleet) begin(a Agent) *live {
	past := f.past[a.ID]
	if past == nil {
		past = newHistory()
		f.past[a.ID] = past
	}
	l := &live{host: Host{Agent: a.ID, Name: a.Hostname}, past: past}
	f.hosts[a.ID] = l
	f.order.add(l)
	f.changes++
	return l
}

// hear takes in the sessions that a report lists.
func (l *live) hear(reported []dcvix.Session, at time.Time) {
	entries := make([]*tracked, 0, max(len(reported), len(l.entries)))
	seen := make(map[dcvix.SessionID]bool, len(reported))
	for _, s := range reported {
		if seen[s.ID] {
			continue
		}
		seen[s.ID] = true
		s = located(s, l.host.Name, at)
		e := l.entry(s.ID)
		if e == nil || !e.phase.promised() && e.session.Owner != s.Owner { // an id may come back as somebody else's
			e = new(tracked)
		}
		e.hear(&s, at)
		entries = append(entries, e)
	}
	for _, e := range l.entries {
		if seen[e.session.ID] {
			continue
		}
		if e.hear(nil, at); e.phase != phaseGone {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b *tracked) int { return cmp.Compare(a.session.ID, b.session.ID) })
	l.entries = entries
}

// entry returns the session of that id, or nil.
func (l *live) entry(id dcvix.SessionID) *tracked {
	if i, there := l.search(id); there {
		return l.entries[i]
	}
	return nil
}

func (l *live) search(id dcvix.SessionID) (int, bool) {
	return slices.BinarySearchFunc(l.entries, id, func(e *tracked, id dcvix.SessionID) int { return cmp.Compare(e.session.ID, id) })
}

// put takes in an entry, in the place of the one of its id.
func (l *live) put(e *tracked) {
	i, there := l.search(e.session.ID)
	if there {
		l.entries[i] = e
	} else {
		l.entries = slices.Insert(l.entries, i, e)
	}
}

// show makes what people see of a host's sessions anew, and what has gone is let
// go of; mu is held.
func (f *Fleet) show(l *live) {
	l.entries = slices.DeleteFunc(l.entries, func(e *tracked) bool { return e.phase == phaseGone })
	sessions := make([]dcvix.Session, 0, len(l.entries))
	for _, e := range l.entries {
		if s, ok := e.shown(); ok {
			sessions = append(sessions, s)
		}
		if e.phase.passing() && (f.due.IsZero() || e.until.Before(f.due)) {
			f.due = e.until
		}
	}
	if !slices.EqualFunc(sessions, l.host.Sessions, sameSession) {
		f.tell(Event{Kind: EventSessions, Agent: l.host.Agent})
	}
	f.moved(l.host.Agent, l.host.Sessions, sessions)
	l.host.Sessions, l.candidate = sessions, l.newCandidate()
	f.changed(l)
}

// changed makes known that a host is no longer what it was; mu is held.
func (f *Fleet) changed(l *live) {
	f.revision++
	l.host.Revision = f.revision
}

// sameSession says whether two look the same but for when they were seen.
func sameSession(a, b dcvix.Session) bool {
	a.LastSeen, b.LastSeen = dcvix.Time{}, dcvix.Time{}
	return a == b
}

// expire ends what has been passing for too long.
func (f *Fleet) expire(now time.Time) {
	f.mu.RLock()
	due := !f.due.IsZero() && now.After(f.due)
	f.mu.RUnlock()
	if !due {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.due = time.Time{}
	for _, l := range f.hosts {
		changed := false
		for _, e := range l.entries {
			if !e.phase.passing() {
				continue
			}
			changed = true
			if now.After(e.until) {
				e.settle(evOverdue)
				e.act = nil
			}
			if l.host.Silent {
				e.happen(evSilence)
			}
		}
		if changed {
			f.show(l)
		}
	}
}

// Drop forgets a host.
func (f *Fleet) Drop(id dcvix.AgentID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.past, id)
	if l, there := f.hosts[id]; there {
		f.forget(l)
	}
}

// forget lets go of a host; mu is held.
func (f *Fleet) forget(l *live) {
	delete(f.hosts, l.host.Agent)
	f.order.remove(l)
	f.moved(l.host.Agent, l.host.Sessions, nil)
	f.changes++
	f.revision++
	f.tell(Event{Kind: EventHost, Agent: l.host.Agent})
}

// Host returns one host.
func (f *Fleet) Host(id dcvix.AgentID) (Host, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	l, ok := f.hosts[id]
	if !ok {
		return Host{}, false
	}
	return l.host, true
}

// Hosts returns every host, ordered by name.
func (f *Fleet) Hosts() []Host {
	f.mu.RLock()
	defer f.mu.RUnlock()
	hosts := make([]Host, len(f.order))
	for i, l := range f.order {
		hosts[i] = l.host
	}
	return hosts
}

// Revision returns a number that is another one whenever [Fleet.Hosts] returns
// something else.
func (f *Fleet) Revision() uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.revision
}

func compareNames(a, b Host) int { return cmp.Compare(a.Name, b.Name) }

// sweep marks the hosts that fell silent and drops those silent ten times as
// long; it returns both. What a dropped host reported is remembered for an hour.
func (f *Fleet) sweep(now time.Time) (silent, dropped []Host) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.past, func(id dcvix.AgentID, past *history) bool {
		return f.hosts[id] == nil && past.old(stepOf(now, HistoryStep))
	})
	for _, l := range f.hosts {
		limit := max(f.maxAge, l.host.interval*5/2)
		age := now.Sub(l.host.LastSeen)
		switch {
		case age > 10*limit:
			dropped = append(dropped, l.host)
			f.forget(l)
		case age > limit && !l.host.Silent:
			l.host.Silent = true
			for _, e := range l.entries {
				e.happen(evSilence)
			}
			f.show(l)
			f.tell(Event{Kind: EventHost, Agent: l.host.Agent})
			silent = append(silent, l.host)
		}
	}
	return silent, dropped
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
