package session

import (
	"fmt"
	"slices"
	"time"

	"github.com/dcvix/dcvix"
)

// A want is a session that somebody wants on a host.
type want struct {
	owner dcvix.Username
	kind  dcvix.SessionType
	id    dcvix.SessionID                // if one is created
	same  func(a, b dcvix.Username) bool // whether two names are one user's

	healthy bool     // only on a host that reports
	require []string // tags that the host must have

	// replace says whether the automatic console of a host may be ended to make room,
	// when nobody is connected to it and known does not know its owner.
	replace bool
	known   func(dcvix.Username) bool
}

// A reservation is the place of a session that is being created.
type reservation struct {
	agent dcvix.AgentID
	id    dcvix.SessionID
	act   *act
	// replaces is the automatic console that has to end first; nil when there is none.
	replaces *dcvix.Session
}

// fit says whether a host can take what is wanted, and if not, why. When the owner
// has it there already, the entry is that one; else the one that is in the way.
func (l *live) fit(w *want) (ReasonCode, *tracked) {
	if e := l.own(w); e != nil {
		return ReasonOwn, e
	}
	switch {
	case l.host.Flags.Maintenance:
		return ReasonMaintenance, nil
	case w.healthy && l.host.Silent:
		return ReasonSilent, nil
	case !hasTags(l.host.Tags, w.require):
		return ReasonTags, nil
	case w.kind == dcvix.SessionVirtual && !virtualOn(l.host.Tags):
		return ReasonPlatform, nil
	}
	var automatic *tracked
	for _, e := range l.entries {
		if e.phase == phaseGone || e.phase == phaseClosed {
			continue
		}
		switch {
		case e.session.ID == w.id:
			return ReasonID, e
		case e.phase == phaseClosing, w.kind == dcvix.SessionVirtual && e.session.Type == w.kind:
		case w.replace && e.phase == phaseReady && e.automatic() && !w.known(e.session.Owner):
			automatic = e
		case e.session.Type != w.kind:
			return ReasonOtherType, e
		default:
			return ReasonConsole, e
		}
	}
	if automatic != nil {
		return ReasonReplaces, automatic
	}
	return ReasonFree, nil
}

// own returns the session that the owner has there of that kind: one that is there
// rather than one that is being created.
func (l *live) own(w *want) *tracked {
	var found *tracked
	for _, e := range l.entries {
		switch {
		case e.session.Type != w.kind, e.session.ID.Validate() != nil, !w.same(e.session.Owner, w.owner):
		case e.phase == phaseReady, e.phase == phaseInUse, e.phase == phaseUnknown:
			return e
		case e.phase.promised():
			found = e
		}
	}
	return found
}

// automaticConsole is the id of the console session that a DCV server makes by
// itself (session-management/automatic-console-session in the parameter reference of
// the DCV Administrator Guide).
const automaticConsole = "console"

// automatic says whether the DCV server made the session by itself, as far as can
// be told: the id is always the same, and nobody of ours chooses it.
func (e *tracked) automatic() bool {
	return e.session.ID == automaticConsole && e.session.Type == dcvix.SessionConsole
}

func hasTags(has, want []string) bool {
	for _, tag := range want {
		if !slices.Contains(has, tag) {
			return false
		}
	}
	return true
}

// virtualOn says whether a host can have virtual sessions, by the tag that agents
// add for their system: DCV has them on Linux alone (create-session in the DCV
// Administrator Guide). One that does not say its system may.
func virtualOn(tags []string) bool {
	return !slices.Contains(tags, "windows") && !slices.Contains(tags, "darwin")
}

// An offer is what came of a try to reserve.
type offer struct {
	code ReasonCode
	// session is the owner's own when the code is [ReasonOwn], else the one in the way.
	session dcvix.Session
	wait    *act         // the own one is being created
	taken   *reservation // when it fits
}

// reserve takes the place of a session on a host, so that from now on nobody else
// gets it, or says why it cannot. It returns false for a host that does not report.
func (f *Fleet) reserve(id dcvix.AgentID, w *want, now time.Time) (offer, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.hosts[id]
	if l == nil {
		return offer{}, false
	}
	code, e := l.fit(w)
	p := offer{code: code}
	if e != nil {
		p.session = e.session
	}
	switch code {
	case ReasonOwn:
		if e.phase.promised() {
			p.wait = e.act
		}
	case ReasonFree, ReasonReplaces:
		p.taken = &reservation{agent: id, id: w.id, act: newAct()}
		if code == ReasonReplaces {
			replaced := e.session
			p.taken.replaces = &replaced
		}
		fresh := &tracked{act: p.taken.act, until: now.Add(f.deadline)}
		fresh.session = located(dcvix.Session{
			ID: w.id, Owner: w.owner, Type: w.kind, Status: "created", CreationTime: dcvix.Time{Time: now},
		}, l.host.Name, now)
		fresh.happen(evReserved)
		l.put(fresh)
		f.show(l)
	default: // nothing is taken
	}
	return p, true
}

// calling notes that the agent is asked for the session now.
func (f *Fleet) calling(r *reservation) {
	f.onAct(r.agent, r.act, func(_ *live, e *tracked) { e.happen(evCalled) })
}

// answered notes that the agent says that the session is there, under the id asked
// for or that of one the owner had. It returns false when that one is just ending.
func (f *Fleet) answered(r *reservation, s dcvix.Session, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.hosts[r.agent]
	if l == nil {
		return true
	}
	e := l.entry(r.id)
	switch ours := e != nil && e.act == r.act; {
	case ours && s.ID == r.id:
	case ours:
		e.happen(evFailed)
		e = l.entry(s.ID)
	case s.ID != r.id:
		e = l.entry(s.ID)
	}
	if e == nil || e.phase == phaseGone {
		e = &tracked{session: located(s, l.host.Name, now)}
		l.put(e)
	}
	switch e.phase {
	case phaseClosing, phaseClosed:
		f.show(l)
		return false
	case phaseGone, phaseRequested, phaseCreating:
		e.happen(evCalled)
		e.happen(evAnswered)
		e.fresh, e.until, e.act = true, now.Add(f.deadline), nil
	case phaseReady, phaseInUse, phaseUnknown: // it was there
	}
	f.show(l)
	return true
}

// notCreated gives the place back.
func (f *Fleet) notCreated(r *reservation) {
	f.onAct(r.agent, r.act, func(_ *live, e *tracked) {
		e.settle(evFailed)
		e.act = nil
	})
}

// closing notes that a session is to end. mine says whether the caller is to ask the
// agent for it; else somebody does already, or it is still being created, and the
// caller waits for that. The error wraps [ErrNotFound].
func (f *Fleet) closing(id dcvix.AgentID, s dcvix.Session, now time.Time) (a *act, mine bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.hosts[id]
	if l == nil {
		return nil, false, fmt.Errorf("session %s: %w", s.ID, ErrNotFound)
	}
	e := l.entry(s.ID)
	switch {
	case e == nil || e.session.Owner != s.Owner || e.phase == phaseClosed:
		return nil, false, fmt.Errorf("session %s: %w", s.ID, ErrNotFound)
	case e.act != nil:
		return e.act, false, nil
	}
	e.act, e.until = newAct(), now.Add(f.deadline)
	e.act.closes = true
	e.happen(evClose)
	f.show(l)
	return e.act, true, nil
}

// closed notes that a session has ended.
func (f *Fleet) closed(id dcvix.AgentID, a *act, now time.Time) {
	f.onAct(id, a, func(_ *live, e *tracked) {
		e.happen(evEnded)
		e.act, e.until = nil, now.Add(f.deadline)
	})
}

// notClosed takes back [Fleet.closing]: the session is as before.
func (f *Fleet) notClosed(id dcvix.AgentID, a *act) {
	f.onAct(id, a, func(l *live, e *tracked) {
		e.settle(evFailed)
		if l.host.Silent {
			e.happen(evSilence)
		}
		e.act = nil
	})
}

// onAct changes the session that an act is about, if it is there still.
func (f *Fleet) onAct(id dcvix.AgentID, a *act, change func(*live, *tracked)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.hosts[id]
	if l == nil {
		return
	}
	for _, e := range l.entries {
		if e.act == a {
			change(l, e)
			f.show(l)
			return
		}
	}
}
