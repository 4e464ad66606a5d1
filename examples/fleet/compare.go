package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/client"
)

// A truth is what a host is, as opposed to what the director thinks.
type truth struct {
	name     dcvix.Hostname
	fault    fault
	sessions []dcvix.Session
}

func (f *fleet) truths() []truth {
	all := make([]truth, len(f.agents))
	for i, a := range f.agents {
		sessions, _ := a.host.list()
		all[i] = truth{name: a.name, fault: a.fault, sessions: sessions}
	}
	return all
}

// compare waits until the director's view is that of the fleet, in which nothing
// happens any more, or notes how they differ when it does not become so. It
// returns how many registered agents the director has seen.
func (f *fleet) compare(ctx context.Context, admin *client.Client) (seen int) {
	interval := f.opts.interval
	for end := time.Now().Add(time.Minute + 4*interval); ; _ = sleep(ctx, min(interval/4, 2*time.Second)) {
		hosts, err := admin.Hosts(ctx)
		differences := []string{fmt.Sprintf("the hosts cannot be listed: %v", err)}
		if err == nil {
			differences = differ(f.truths(), hosts)
		}
		if len(differences) > 0 && time.Now().Before(end) {
			continue
		}
		for _, d := range differences {
			f.wrong("%s", d)
		}
		return f.seen(ctx, admin)
	}
}

// seen counts our agents that are registered and were heard of.
func (f *fleet) seen(ctx context.Context, admin *client.Client) (n int) {
	agents, err := admin.Agents(ctx, dcvix.AgentRegistered)
	if err != nil {
		f.wrong("the agents cannot be listed: %v", err)
	}
	for _, a := range agents {
		if own := f.byName[string(a.Hostname)]; own != nil && own.guid == a.GUID && !a.LastSeenAt.IsZero() {
			n++
		}
	}
	if n != len(f.agents) {
		f.wrong("the director has seen %d agents of %d", n, len(f.agents))
	}
	return n
}

// differ says how the view differs from the truth, one sentence for each host.
// Hosts of others are passed over.
func differ(all []truth, view []dcvix.Server) []string {
	shown := make(map[dcvix.Hostname]dcvix.Server, len(view))
	var differences []string
	for _, s := range view {
		if _, twice := shown[dcvix.Hostname(s.Hostname)]; twice {
			differences = append(differences, s.Hostname+" is shown twice")
		}
		shown[dcvix.Hostname(s.Hostname)] = s
	}
	for _, t := range all {
		s, ok := shown[t.name]
		switch {
		case !ok && t.fault == silent: // for so long that it is shown no more
		case !ok:
			differences = append(differences, string(t.name)+" is not shown")
		default:
			if d := t.differ(s.Sessions); d != "" {
				differences = append(differences, fmt.Sprintf("%s: %s", t.name, d))
			}
		}
	}
	return differences
}

// differ says how the sessions that are shown of a host differ from those that it
// has; "" when they do not.
func (t truth) differ(shown []dcvix.Session) string {
	has := make(map[dcvix.SessionID]dcvix.Session, len(t.sessions))
	for _, s := range t.sessions {
		has[s.ID] = s
	}
	for _, s := range shown {
		own, ok := has[s.ID]
		delete(has, s.ID)
		switch {
		case !ok && !t.fault.usable() && s.Status != "created": // it is waited for in vain
		case !ok:
			return fmt.Sprintf("session %s of %s is shown, which is not there", s.ID, s.Owner)
		case own.Owner != s.Owner || own.Type != s.Type || s.ServerID != t.name:
			return fmt.Sprintf("session %s is of %s and %s, and shown as of %s and %s on %s", s.ID, own.Owner, own.Type, s.Owner, s.Type, s.ServerID)
		case (s.Status == dcvix.StatusUnknown) != (t.fault == silent):
			return fmt.Sprintf("session %s is shown as %s", s.ID, s.Status)
		case s.Status == dcvix.StatusClosing:
			return fmt.Sprintf("session %s is shown as closing, which nobody asked for", s.ID)
		}
	}
	if len(has) > 0 {
		return fmt.Sprintf("sessions %v are there and not shown", slices.Sorted(maps.Keys(has)))
	}
	return ""
}
