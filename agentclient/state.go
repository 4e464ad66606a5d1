package agentclient

import (
	"context"
	"log/slog"
	"time"

	"github.com/dcvix/dcvix"
)

// A State is where an agent stands with its director.
type State string

// The states of an agent.
const (
	Unenrolled State = "unenrolled" // has no certificate that the director takes
	Pending    State = "pending"    // asked; an admin has to approve
	Enrolled   State = "enrolled"   // has a certificate, reports and serves
	Expired    State = "expired"    // its certificate ran out; asks again
)

// next returns the state after the wish to go to another one. An agent without a
// good certificate may hear "pending" or be granted one; only one that has a
// certificate can see it run out or be refused.
func (s State) next(to State) State {
	switch {
	case to == Enrolled, to == Pending && s != Enrolled:
		return to
	case s == Enrolled && (to == Expired || to == Unenrolled):
		return to
	default:
		return s
	}
}

// A Status is what an agent can say about itself.
type Status struct {
	State         State
	GUID          dcvix.AgentID // "" before Run read it
	Fingerprint   string        // of the agent's key, in the form the director shows; "" before Run read it
	CAFingerprint string        // of the trusted CA of the director; "" while none is
	NotAfter      time.Time     // end of the certificate; zero when there is none
	LastReport    time.Time     // when the director last took a report; zero means never
	Trouble       string        // why the last call to the director failed, in words; "" when it did not
	Problems      []string      // what is wrong on the host, as in the last report
}

// Status returns what the agent knows about itself now.
func (a *Agent) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status
}

// set changes the status. The function must not call back.
func (a *Agent) set(change func(*Status)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.status)
}

// move is the only way from state to state.
func (a *Agent) move(ctx context.Context, to State) {
	var from, now State
	a.set(func(s *Status) {
		from, now = s.State, s.State.next(to)
		s.State = now
	})
	if from != now {
		a.cfg.Logger.InfoContext(ctx, "agent changed its state",
			slog.String("from", string(from)), slog.String("to", string(now)))
	}
}

// trouble logs why a call failed, once for every change of the reason, and the
// end of it. A nil error is the end.
func (a *Agent) trouble(ctx context.Context, doing string, err error) {
	why := ""
	if err != nil {
		why = reason(err)
	}
	var before string
	a.set(func(s *Status) { before, s.Trouble = s.Trouble, why })
	switch why {
	case before:
	case "":
		a.cfg.Logger.InfoContext(ctx, "the director answers again", slog.String("doing", doing))
	default:
		a.cfg.Logger.WarnContext(ctx, "the director did not take a call, trying again",
			slog.String("doing", doing), slog.String("reason", why))
	}
}
