package session

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
)

// The shape of what is remembered of all sessions together.
const (
	loadStep  = 15 * time.Minute
	loadSteps = 96 // a day
)

// licenceSoon is how long before its end a licence needs attention, and licenceNow
// how long before it presses.
const (
	licenceSoon = 30 * 24 * time.Hour
	licenceNow  = 7 * 24 * time.Hour
)

// A load is how many sessions there were at most within a step; the zero value is
// of a step that nobody looked at.
type load struct {
	dcvix.SessionCounts

	known bool
}

// loads remember a day. The zero value is empty and ready to use.
type loads struct {
	mu  sync.Mutex
	all ring[load]
}

// note takes in how many sessions there are now.
func (l *loads) note(now time.Time, counts dcvix.SessionCounts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all.slots == nil {
		l.all = newRing[load](loadSteps)
	}
	step := stepOf(now, loadStep)
	if step != l.all.last {
		*l.all.at(step) = load{}
	}
	most := l.all.at(step)
	most.known = true
	most.Total, most.Connected = max(most.Total, counts.Total), max(most.Connected, counts.Connected)
}

// until returns the day that ends with the step of now.
func (l *loads) until(now time.Time) dcvix.LoadHistory {
	h := dcvix.LoadHistory{
		Begin:       dcvix.Time{Time: now.UTC().Truncate(loadStep).Add(-(loadSteps - 1) * loadStep)},
		StepSeconds: int(loadStep / time.Second), Points: make([]*dcvix.SessionCounts, loadSteps),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all.slots == nil {
		return h
	}
	for i := range h.Points {
		if one := l.all.get(stepOf(now, loadStep) - loadSteps + 1 + int64(i)); one.known {
			h.Points[i] = &one.SessionCounts
		}
	}
	return h
}

// sessionCounts counts the sessions that people see.
func (f *Fleet) sessionCounts() (counts dcvix.SessionCounts) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, l := range f.hosts {
		counts.Total += len(l.host.Sessions)
		for i := range l.host.Sessions {
			if l.host.Sessions[i].NumOfConnections > 0 {
				counts.Connected++
			}
		}
	}
	return counts
}

// countSessions remembers how many sessions there are now.
func (b *Broker) countSessions() dcvix.SessionCounts {
	counts := b.fleet.sessionCounts()
	b.loads.note(b.cfg.Now(), counts)
	return counts
}

// Overview returns how things are with hosts, sessions, agents, pools and the
// policy, and what of it needs a person, in no order and unbounded. Certificates and
// the version are not the Broker's to know. It costs no disk read, and time that
// grows with the fleet: about 2 ms for each thousand hosts.
func (b *Broker) Overview() dcvix.Overview {
	now := b.cfg.Now()
	b.fleet.expire(now)
	agents := b.register.unordered()
	s := overseer{b: b, now: now, orphans: orphans(agents, now), heirs: make(map[dcvix.AgentID]dcvix.AgentID)}
	for old, heir := range s.orphans {
		if a, _ := b.register.get(old); a.State == dcvix.AgentRegistered {
			s.heirs[heir] = old
		}
	}
	s.Sessions, s.History = b.countSessions(), b.loads.until(now)
	s.Licences, s.Attention = []dcvix.LicenceEnd{}, []dcvix.Attention{}
	for i := range agents {
		switch a := &agents[i]; a.State {
		case dcvix.AgentPending:
			s.Agents.Pending++
			s.pending(a)
		case dcvix.AgentRegistered:
			s.Agents.Registered++
			s.registered(a)
		case dcvix.AgentRevoked:
			s.Agents.Revoked++
		}
	}
	s.demo()
	slices.SortFunc(s.Licences, func(a, b dcvix.LicenceEnd) int {
		return cmp.Or(compareEnds(a.EndsAt, b.EndsAt), cmp.Compare(a.ServerID, b.ServerID), cmp.Compare(a.Product, b.Product))
	})
	s.pools()
	s.policy()
	s.trouble()
	return s.Overview
}

// compareEnds puts what does not say its end last.
func compareEnds(a, b dcvix.Time) int {
	if a.IsZero() != b.IsZero() {
		if a.IsZero() {
			return 1
		}
		return -1
	}
	return a.Compare(b.Time)
}

// An overseer gathers an Overview.
type overseer struct {
	dcvix.Overview

	b       *Broker
	now     time.Time
	orphans map[dcvix.AgentID]dcvix.AgentID // see orphans
	heirs   map[dcvix.AgentID]dcvix.AgentID // of orphans that are registered
	demos   []dcvix.Hostname
}

func (s *overseer) say(kind string, severity dcvix.Severity, since time.Time, text string, acts ...string) *dcvix.Attention {
	s.Attention = append(s.Attention, dcvix.Attention{
		Kind: kind, Severity: severity, Text: text, Since: dcvix.Time{Time: since}, Acts: append([]string{}, acts...),
	})
	return &s.Attention[len(s.Attention)-1]
}

// about says something of an agent and its host.
func (s *overseer) about(a *Agent, kind string, severity dcvix.Severity, since time.Time, text string, acts ...string) {
	t := s.say(kind, severity, since, text, acts...)
	t.GUID, t.ServerID = a.ID, a.Hostname
}

func (s *overseer) pending(a *Agent) {
	text := fmt.Sprintf("Agent %q asks to join.", string(a.Hostname))
	if s.heirs[a.ID] != "" {
		text = fmt.Sprintf("Agent %q asks to join: it seems to be a registered host that has a new key.", string(a.Hostname))
	}
	s.about(a, "agent-pending", dcvix.SeverityWarning, a.CreatedAt, text, "approve", "deny")
	s.conflict(a, "deny")
}

func (s *overseer) conflict(a *Agent, act string) {
	if !a.Conflict {
		return
	}
	s.Agents.Conflicts++
	s.about(a, "key-conflict", dcvix.SeverityCritical, time.Time{},
		fmt.Sprintf("Somebody showed another key in the name of agent %q: compare the key on the host with the one on record.", string(a.Hostname)), "approve", act)
}

func (s *overseer) registered(a *Agent) {
	s.Hosts.Total++
	s.conflict(a, "revoke")
	if a.Requested != "" {
		s.about(a, "name-wish", dcvix.SeverityNotice, time.Time{}, fmt.Sprintf("%s asks for the name %s.", a.Hostname, a.Requested), "approve", "open")
	}
	host, reports := s.b.fleet.Host(a.ID)
	if reports {
		s.heard(a, &host)
	}
	switch {
	case s.b.flags(a.ID).Maintenance:
		s.Hosts.Drained++
	case reports && host.Silent:
		s.Hosts.Silent++
		s.about(a, "host-silent", dcvix.SeverityWarning, host.LastSeen, fmt.Sprintf("%s is silent.", a.Hostname), "open", "drain")
	case reports:
		s.Hosts.Ready++
	case s.b.asks.isCold(a.ID):
		s.Hosts.Starting++
	default:
		s.Hosts.Offline++
		if s.orphans[a.ID] == "" { // else its heir is there to be approved
			s.offline(a)
		}
	}
}

func (s *overseer) offline(a *Agent) {
	text, since := fmt.Sprintf("%s does not report.", a.Hostname), a.LastSeenAt
	if since.IsZero() {
		text, since = fmt.Sprintf("%s has never reported.", a.Hostname), a.RegisteredAt
	}
	s.about(a, "host-offline", dcvix.SeverityWarning, since, text, "open", "drain", "revoke")
}

// heard looks at what a host says of itself.
func (s *overseer) heard(a *Agent, h *Host) {
	if h.LastSeen.After(s.LastReportAt.Time) {
		s.LastReportAt = dcvix.Time{Time: h.LastSeen}
	}
	if n := len(h.Problems); n > 0 && !h.Silent {
		text := fmt.Sprintf("%s: %s", a.Hostname, h.Problems[0])
		if n > 1 {
			text = fmt.Sprintf("%s (and %d more)", text, n-1)
		}
		s.about(a, "host-problem", dcvix.SeverityWarning, time.Time{}, text, "open", "drain")
	}
	if h.Licence == nil {
		return
	}
	demo := strings.EqualFold(h.Licence.Mode, "demo")
	if demo {
		s.demos = append(s.demos, a.Hostname)
		if len(h.Licence.Products) == 0 {
			s.Licences = append(s.Licences, dcvix.LicenceEnd{ServerID: a.Hostname, Demo: true})
		}
	}
	for _, p := range h.Licence.Products {
		left := p.ExpiresAt.Sub(s.now)
		ends := !p.ExpiresAt.IsZero() && left < licenceSoon
		if ends || demo {
			s.Licences = append(s.Licences, dcvix.LicenceEnd{ServerID: a.Hostname, Product: p.Product, Demo: demo, EndsAt: p.ExpiresAt})
		}
		if ends {
			s.licence(a, p, left)
		}
	}
}

func (s *overseer) licence(a *Agent, p dcvix.LicensedProduct, left time.Duration) {
	severity, end := dcvix.SeverityWarning, "ends on"
	if left < licenceNow {
		severity = dcvix.SeverityCritical
	}
	if left <= 0 {
		end = "ended on"
	}
	s.about(a, "licence-ends", severity, time.Time{},
		fmt.Sprintf("%s: the licence of %s %s %s.", a.Hostname, p.Product, end, p.ExpiresAt.UTC().Format(time.DateOnly)), "open")
}

// demo says once which hosts run on DCV's demo licence.
func (s *overseer) demo() {
	if len(s.demos) == 0 {
		return
	}
	slices.Sort(s.demos)
	which := string(s.demos[0]) + " runs"
	if len(s.demos) > 1 {
		which = strings.Replace(either(s.demos), " or ", " and ", 1) + " run"
	}
	t := s.say("licence-demo", dcvix.SeverityNotice, time.Time{}, which+" on the demo licence of DCV.", "open")
	t.ServerID = s.demos[0]
}

// pools finds the busiest pool, and those that can take no more.
func (s *overseer) pools() {
	rules := s.b.cfg.Policy.Rules()
	for _, p := range rules.pools {
		use := s.b.use(rules.whole(p))
		best := s.BusiestPool
		if use.Used > 0 && (best == nil || use.Used*best.Hosts > best.Used*use.Hosts) {
			s.BusiestPool = &use
		}
		if use.Free > 0 || use.Hosts == 0 {
			continue
		}
		text := fmt.Sprintf("Pool %q can take no more sessions: %d of its %d hosts are in use.", use.ID, use.Used, use.Hosts)
		if use.Used == 0 {
			text = fmt.Sprintf("No host of pool %q can take a session.", use.ID)
		}
		s.say("pool-full", dcvix.SeverityWarning, time.Time{}, text, "policy").PoolID = use.ID
	}
}

// stranger is a user whom nobody can be.
const stranger dcvix.Username = "\x00"

// use says how much of a pool is in use.
func (b *Broker) use(p Pool) dcvix.PoolUse {
	in := b.members(p)
	use := dcvix.PoolUse{ID: p.ID, Hosts: len(in.members)}
	for _, kind := range []dcvix.SessionType{dcvix.SessionConsole, dcvix.SessionVirtual} {
		w := (&opening{b: b, req: OpenRequest{Owner: stranger, Type: kind}}).want()
		w.healthy, w.require = true, p.Require
		all := new(survey)
		b.survey(all, in, w, nil, false)
		use.Free = max(use.Free, len(all.candidates))
	}
	b.fleet.mu.RLock()
	defer b.fleet.mu.RUnlock()
	for _, l := range in.lives(b.fleet) {
		if l != nil && l.candidate.Sessions > 0 {
			use.Used++
		}
	}
	return use
}

func (s *overseer) policy() {
	problems := s.b.PolicyProblems()
	s.PolicyProblems = len(problems)
	switch len(problems) {
	case 0:
	case 1:
		s.say("policy-problems", dcvix.SeverityWarning, time.Time{}, "The policy has a mistake: "+problems[0].Sentence()+".", "policy")
	default:
		s.say("policy-problems", dcvix.SeverityWarning, time.Time{},
			fmt.Sprintf("The policy has %d mistakes, the first: %s.", len(problems), problems[0].Sentence()), "policy")
	}
}

// trouble says what the director itself has trouble with.
func (s *overseer) trouble() {
	if since := s.b.storeFails.Since(); !since.IsZero() {
		s.say("store-trouble", dcvix.SeverityCritical, since,
			"The register of agents cannot be written, so that approvals and logouts fail: the director's log says why.")
	}
	files, ok := s.b.cfg.Policy.(PolicyRefuser)
	if !ok {
		return
	}
	since, err := files.Refused()
	if err == nil {
		return
	}
	text := "The policy could not be read again, and the one before counts: the director's log says why."
	if refused := (*PolicyError)(nil); errors.As(err, &refused) && len(refused.Problems) > 0 {
		text = fmt.Sprintf("The policy was refused, and the one before counts: %s.", refused.Problems[0].Sentence())
	}
	s.say("policy-refused", dcvix.SeverityCritical, since, text, "policy")
}
