package session

import (
	"time"

	"github.com/dcvix/dcvix"
)

// A phase is where a session stands in its life. A session that nobody knows of is
// gone, so that is the zero value.
type phase int

const (
	phaseGone      phase = iota // not there
	phaseRequested              // its place on the host is taken; the agent was not called yet
	phaseCreating               // the agent was asked for it
	phaseReady                  // it is there, without a client
	phaseInUse                  // it is there, with a client
	phaseClosing                // the agent was asked to end it
	phaseClosed                 // the agent ended it; reports may still list it
	phaseUnknown                // its host has been silent for too long
)

// An event is something that happens to a session.
type event int

const (
	evReserved event = iota // we want it
	evCalled                // the agent is asked for it
	evAnswered              // the agent says that it is there
	evFailed                // what the agent was asked for did not come about
	evClose                 // we want it to end
	evEnded                 // the agent says that it has ended
	evOverdue               // what the agent was asked for has had its time
	evIdle                  // the host lists it, without a client
	evInUse                 // the host lists it, with a client
	evMissing               // the host does not list it
	evSilence               // the host is silent
)

// transitions are all changes of phase; an event that is not there changes
// nothing. Reports that may be older than what we did are no events (see
// [tracked.hear]).
var transitions = map[phase]map[event]phase{ //nolint:gochecknoglobals // a table that nobody changes
	phaseGone:      {evReserved: phaseRequested, evAnswered: phaseReady, evIdle: phaseReady, evInUse: phaseInUse},
	phaseRequested: {evCalled: phaseCreating, evFailed: phaseGone, evOverdue: phaseGone},
	phaseCreating:  {evAnswered: phaseReady, evFailed: phaseGone, evOverdue: phaseGone},
	phaseReady:     {evClose: phaseClosing, evInUse: phaseInUse, evMissing: phaseGone, evSilence: phaseUnknown},
	phaseInUse:     {evClose: phaseClosing, evIdle: phaseReady, evMissing: phaseGone, evSilence: phaseUnknown},
	phaseClosing:   {evFailed: phaseReady, evOverdue: phaseReady, evEnded: phaseClosed, evIdle: phaseReady, evInUse: phaseInUse, evMissing: phaseClosed},
	phaseClosed:    {evReserved: phaseRequested, evIdle: phaseReady, evInUse: phaseInUse, evMissing: phaseGone},
	phaseUnknown:   {evClose: phaseClosing, evIdle: phaseReady, evInUse: phaseInUse, evMissing: phaseGone},
}

// next returns the phase after an event.
func next(p phase, e event) phase {
	if to, ok := transitions[p][e]; ok {
		return to
	}
	return p
}

// passing says whether a phase must not last: it ends by itself at its deadline.
func (p phase) passing() bool { return p.promised() || p == phaseClosing }

// promised says whether somebody waits for a session of that id to be created.
func (p phase) promised() bool { return p == phaseRequested || p == phaseCreating }

// A tracked session is one of a host, as we know it.
type tracked struct {
	session dcvix.Session // as last listed, or as we asked for it
	phase   phase
	// until is when what the host says counts again, whatever we did; the zero time
	// is always.
	until time.Time
	fresh bool // we opened it, and no report listed it yet
	act   *act // what the agent is asked for; nil when nothing
}

// An act is something that an agent is asked for. Others who want the same wait for
// it to be over.
type act struct {
	over   chan struct{} // closed when it is
	err    error         // what came of it; set before over is closed
	closes bool          // it is to end a session
}

func newAct() *act { return &act{over: make(chan struct{})} }

// happen lets an event change the entry.
func (e *tracked) happen(what event) { e.phase = next(e.phase, what) }

// listed is the event of a report that lists the session.
func listed(s dcvix.Session) event {
	if s.NumOfConnections > 0 {
		return evInUse
	}
	return evIdle
}

// hear takes in what a report of the given time says of the session: that it is so,
// or, when s is nil, that it is not there.
//
// The report may be older than what we did, so it does not undo that until the
// deadline has passed.
func (e *tracked) hear(s *dcvix.Session, at time.Time) {
	if s == nil {
		switch {
		case e.phase.promised():
		case e.phase == phaseClosing && !e.fresh: // it ended before the agent's answer is here
			e.happen(evMissing)
		case at.Before(e.until) && (e.fresh || e.phase == phaseClosed):
		default:
			e.happen(evMissing)
		}
		return
	}
	if e.phase.promised() { // the answer decides
		return
	}
	e.session, e.fresh = *s, false
	if (e.phase == phaseClosing || e.phase == phaseClosed) && !at.After(e.until) {
		return
	}
	e.happen(listed(*s))
	e.until = time.Time{}
}

// settle is for the end of an act that changed nothing after all: the session is
// as the host last said.
func (e *tracked) settle(what event) {
	e.happen(what)
	if e.phase == phaseReady {
		e.happen(listed(e.session))
	}
	if !e.fresh {
		e.until = time.Time{}
	}
}

// shown returns the session as people see it, and false when they do not.
func (e *tracked) shown() (dcvix.Session, bool) {
	s := e.session
	switch e.phase {
	case phaseGone, phaseClosed:
		return s, false
	case phaseRequested, phaseCreating:
		s.Status = dcvix.StatusCreating
	case phaseClosing:
		s.Status = dcvix.StatusClosing
	case phaseUnknown:
		s.Status = dcvix.StatusUnknown
	case phaseReady, phaseInUse:
	}
	return s, true
}

// enterable says whether a session that people see can be connected to: one that is
// unknown can, because only its agent is silent.
func enterable(s dcvix.Session) bool {
	return s.Status != dcvix.StatusCreating && s.Status != dcvix.StatusClosing
}
