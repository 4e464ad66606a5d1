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

	mu    sync.RWMutex
	hosts map[dcvix.AgentID]*live
}

// A live host is what it reported and what we did since.
type live struct {
	host Host
	acts map[dcvix.SessionID]act
}

// An act is something that we did or began. Until its deadline passes, reports
// may be older than it; then what the host says counts. That something was opened
// is also forgotten when a report lists it.
type act struct {
	kind    actKind
	session dcvix.Session // one that we opened and that no report listed yet; else empty
	until   time.Time
}

type actKind int

const (
	opened actKind = iota
	closing
	closed
)

func newFleet(maxAge, deadline time.Duration) *Fleet {
	return &Fleet{maxAge: maxAge, deadline: deadline, hosts: make(map[dcvix.AgentID]*live)}
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
		Tags: orEmpty(update.Tags), Problems: update.Problems, Version: update.Version,
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
		l = &live{acts: make(map[dcvix.SessionID]act)}
		f.hosts[a.ID] = l
	}
	h.Sessions = l.merge(h.Name, update.Sessions, at)
	l.host = h
}

// merge returns what is reported, corrected by what we did since.
func (l *live) merge(name dcvix.Hostname, reported []dcvix.Session, at time.Time) []dcvix.Session {
	sessions := make([]dcvix.Session, 0, len(reported)+len(l.acts))
	seen := make(map[dcvix.SessionID]bool, len(reported))
	for _, s := range reported {
		seen[s.ID] = true
		act, ours := l.acts[s.ID]
		switch {
		case !ours:
		case at.After(act.until) || act.kind == opened:
			delete(l.acts, s.ID)
		case act.kind == closed:
			continue
		case act.kind == closing:
			act.session = dcvix.Session{}
			l.acts[s.ID] = act
			s.Status = dcvix.StatusClosing
		}
		sessions = append(sessions, located(s, name, at))
	}
	for id, act := range l.acts {
		switch {
		case seen[id]:
		case !at.Before(act.until):
			delete(l.acts, id)
		case act.session.ID != "":
			sessions = append(sessions, act.session)
		}
	}
	slices.SortFunc(sessions, func(a, b dcvix.Session) int { return cmp.Compare(a.ID, b.ID) })
	return sessions
}

func located(s dcvix.Session, host dcvix.Hostname, at time.Time) dcvix.Session {
	s.ServerID, s.LastSeen = host, dcvix.Time{Time: at}
	s.UID = string(s.ID) + "-" + string(host)
	return s
}

// Opened adds a session that was just created on a host that reported before.
func (f *Fleet) Opened(id dcvix.AgentID, s dcvix.Session, at time.Time) {
	f.change(id, func(l *live) {
		s = located(s, l.host.Name, at)
		l.acts[s.ID] = act{kind: opened, session: s, until: at.Add(f.deadline)}
		i, there := slices.BinarySearchFunc(l.host.Sessions, s.ID, func(other dcvix.Session, id dcvix.SessionID) int { return cmp.Compare(other.ID, id) })
		switch {
		case !there:
			l.host.Sessions = slices.Insert(slices.Clone(l.host.Sessions), i, s)
		case l.host.Sessions[i].Status == dcvix.StatusClosing: // its id is used anew
			l.host.Sessions = slices.Clone(l.host.Sessions)
			l.host.Sessions[i] = s
		}
	})
}

// Closing marks a session whose close was asked for.
func (f *Fleet) Closing(id dcvix.AgentID, session dcvix.SessionID, at time.Time) {
	f.change(id, func(l *live) {
		unlisted := l.acts[session].session
		if unlisted.ID != "" {
			unlisted.Status = dcvix.StatusClosing
		}
		l.acts[session] = act{kind: closing, session: unlisted, until: at.Add(f.deadline)}
		l.setStatus(session, dcvix.StatusClosing)
	})
}

// NotClosed takes back [Fleet.Closing] after a failure: the session is as before.
func (f *Fleet) NotClosed(id dcvix.AgentID, before dcvix.Session) {
	f.change(id, func(l *live) {
		if a := l.acts[before.ID]; a.session.ID != "" {
			a.kind, a.session.Status = opened, before.Status
			l.acts[before.ID] = a
		} else {
			delete(l.acts, before.ID)
		}
		l.setStatus(before.ID, before.Status)
	})
}

// Closed removes a session that has ended.
func (f *Fleet) Closed(id dcvix.AgentID, session dcvix.SessionID, at time.Time) {
	f.change(id, func(l *live) {
		l.acts[session] = act{kind: closed, until: at.Add(f.deadline)}
		l.host.Sessions = slices.DeleteFunc(slices.Clone(l.host.Sessions), func(s dcvix.Session) bool { return s.ID == session })
	})
}

func (l *live) setStatus(id dcvix.SessionID, status string) {
	l.host.Sessions = slices.Clone(l.host.Sessions)
	for i := range l.host.Sessions {
		if l.host.Sessions[i].ID == id {
			l.host.Sessions[i].Status = status
		}
	}
}

func (f *Fleet) change(id dcvix.AgentID, change func(*live)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.hosts[id]; l != nil {
		change(l)
	}
}

// Drop forgets a host.
func (f *Fleet) Drop(id dcvix.AgentID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.hosts, id)
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
	hosts := make([]Host, 0, len(f.hosts))
	for _, l := range f.hosts {
		hosts = append(hosts, l.host)
	}
	f.mu.RUnlock()
	// Hosts are large: what is moved often is pointers to them.
	order := make([]*Host, len(hosts))
	for i := range hosts {
		order[i] = &hosts[i]
	}
	slices.SortFunc(order, func(a, b *Host) int { return cmp.Compare(a.Name, b.Name) })
	sorted := make([]Host, len(hosts))
	for i, h := range order {
		sorted[i] = *h
	}
	return sorted
}

// sweep marks the hosts that fell silent and drops those silent ten times as
// long; it returns both.
func (f *Fleet) sweep(now time.Time) (silent, dropped []Host) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.hosts, func(_ dcvix.AgentID, l *live) bool {
		limit := max(f.maxAge, l.host.interval*5/2)
		age := now.Sub(l.host.LastSeen)
		if age > 10*limit {
			dropped = append(dropped, l.host)
			return true
		}
		if age > limit && !l.host.Silent {
			l.host.Silent = true
			l.host.Sessions = slices.Clone(l.host.Sessions)
			for i := range l.host.Sessions {
				l.host.Sessions[i].Status = dcvix.StatusUnknown
			}
			silent = append(silent, l.host)
		}
		return false
	})
	return silent, dropped
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
