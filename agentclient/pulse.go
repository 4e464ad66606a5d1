package agentclient

import (
	"slices"
	"sync"
	"time"
)

// A pulse is by when each loop of the engine has to be heard of again.
type pulse struct {
	mu  sync.Mutex // guards due
	due map[string]time.Time
}

// callTime is for what a loop does between two waits, besides calling directors.
const callTime = time.Minute

// heard notes that a loop goes around, and that it waits no longer than that until
// it does so again. What it does before and after, with every director silent, is
// added.
func (a *Agent) heard(loop string, wait time.Duration) {
	calls := time.Duration(2*len(a.directors)) * 2 * callLimit // twice: a registration may look for the CA first
	a.pulse.mu.Lock()
	defer a.pulse.mu.Unlock()
	if a.pulse.due == nil {
		a.pulse.due = make(map[string]time.Time)
	}
	a.pulse.due[loop] = time.Now().Add(wait + calls + callTime)
}

// left notes that a loop has ended.
func (a *Agent) left(loop string) {
	a.pulse.mu.Lock()
	defer a.pulse.mu.Unlock()
	delete(a.pulse.due, loop)
}

// Stalled returns which loops of the agent should have gone around by now and did
// not: "reap", "register", "renew" or "report", in that order. It is empty while all is
// well, and before and after [Agent.Run]. A program that is watched, as by systemd,
// asks it before it says that it is alive: silent directors and a DCV that hangs
// stall nothing, since every call has an end.
func (a *Agent) Stalled() []string {
	a.pulse.mu.Lock()
	defer a.pulse.mu.Unlock()
	var late []string
	for loop, due := range a.pulse.due {
		if time.Now().After(due) {
			late = append(late, loop)
		}
	}
	slices.Sort(late)
	return late
}
