package dcvclitest

import (
	"reflect"
	"slices"
	"time"
)

// A Past is what the sessions of a [State] were until a moment. It is kept for
// [Faults].Lag alone.
type Past struct {
	Until    time.Time `json:"until"`
	Sessions []Session `json:"sessions"`
}

// remember keeps what the sessions were before a change, as long as the lag
// needs it.
func (s *State) remember(before []Session, now time.Time) {
	if s.Faults.Lag <= 0 {
		s.Past = nil
		return
	}
	if !reflect.DeepEqual(before, s.Sessions) {
		s.Past = append(s.Past, Past{Until: now, Sessions: cloneSessions(before)})
	}
	shown := now.Add(-s.Faults.Lag)
	s.Past = slices.DeleteFunc(s.Past, func(p Past) bool { return !p.Until.After(shown) })
}

// seen returns the state as commands that only look see it.
func (s *State) seen(now time.Time) *State {
	shown := now.Add(-s.Faults.Lag)
	for _, past := range s.Past { // the oldest is first
		if past.Until.After(shown) {
			late := *s
			late.Sessions = cloneSessions(past.Sessions)
			return &late
		}
	}
	return s
}

func cloneSessions(sessions []Session) []Session {
	c := slices.Clone(sessions)
	for i := range c {
		c[i].Connections = slices.Clone(c[i].Connections)
		c[i].Layout = slices.Clone(c[i].Layout)
	}
	return c
}
