package session

import (
	"time"

	"github.com/dcvix/dcvix"
)

// orphanAfter is how long a newcomer waits before the holder of its host name, not
// heard of since, counts as its former self: longer than any agent is usually
// silent.
const orphanAfter = 2 * time.Minute

// orphans returns the agents whose host seems to have lost its key and asks anew
// under another GUID, and that GUID: they go by the name that a pending agent asks
// for, and were not heard of since that one first asked. It is a hint for admins
// and decides nothing.
func orphans(all []Agent, now time.Time) map[dcvix.AgentID]dcvix.AgentID {
	newcomers := make(map[dcvix.Hostname]Agent)
	for _, a := range all {
		if a.State != dcvix.AgentPending || now.Sub(a.CreatedAt) < orphanAfter {
			continue
		}
		if other, ok := newcomers[a.Hostname]; !ok || other.CreatedAt.Before(a.CreatedAt) {
			newcomers[a.Hostname] = a
		}
	}
	if len(newcomers) == 0 {
		return nil
	}
	found := make(map[dcvix.AgentID]dcvix.AgentID)
	for _, a := range all {
		if a.State == dcvix.AgentRevoked {
			continue
		}
		for _, name := range a.names() {
			if heir, ok := newcomers[name]; ok && heir.ID != a.ID && a.lastSign().Before(heir.CreatedAt) {
				found[a.ID] = heir.ID
			}
		}
	}
	return found
}

// lastSign is when the agent was last known to be there.
func (a *Agent) lastSign() time.Time {
	last := a.CreatedAt
	for _, at := range []time.Time{a.RegisteredAt, a.LastSeenAt} {
		if at.After(last) {
			last = at
		}
	}
	return last
}
