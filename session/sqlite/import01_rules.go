package sqlite

import (
	"cmp"
	"slices"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// Why an entry is not as it was. [ReasonNoKey] is another.
const (
	reasonRevokedNoKey  = "imported without its key"
	reasonReplaced      = "replaced"
	reasonReserved      = "its host name is the director's own"
	reasonNoGUID        = "its GUID is no canonical UUID of version 4"
	reasonNoName        = "its host name is none"
	reasonRevokedBeside = "another entry of its GUID is revoked"
	reasonSameGUID      = "several entries have its GUID"
)

// A decision is what an entry becomes. Its agent counts when Now is not "".
type decision struct {
	Imported
	agent session.Agent
}

// decide says what each entry becomes, ordered by GUID. The result follows from
// the entries alone, not from their order.
func decide(found []entry, reserved []dcvix.Hostname) []decision {
	found = slices.Clone(found)
	slices.SortStableFunc(found, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.agent.ID, b.agent.ID), cmp.Compare(a.guid, b.guid), later(b.agent, a.agent), cmp.Compare(a.host, b.host))
	})
	forgetSharedKeys(found)
	repeated := repeatedGUIDs(found)
	all := make([]decision, 0, len(found))
	for i, e := range found {
		d := alone(e, reserved)
		if reason := repeated[i]; reason != "" && d.Now != "" {
			d.Now, d.Reason = "", reason
		}
		all = append(all, d)
	}
	replaceByName(all)
	return all
}

// alone says what an entry becomes if there were no other.
func alone(e entry, reserved []dcvix.Hostname) decision {
	d := decision{agent: e.agent, Imported: Imported{GUID: e.guid, Hostname: e.host, Was: e.agent.State, Now: e.agent.State}}
	keyless := e.agent.KeyHash == session.KeyHash{}
	switch {
	case e.agent.ID == "":
		d.Now, d.Reason = "", reasonNoGUID
	case e.agent.Hostname == "":
		d.Now, d.Reason = "", reasonNoName
	case keyless && e.agent.State == dcvix.AgentRevoked:
		d.Reason, d.agent.Reason = reasonRevokedNoKey, reasonRevokedNoKey
	case keyless:
		d.Now, d.Reason = "", ReasonNoKey
	case e.agent.State == dcvix.AgentRegistered && slices.Contains(reserved, e.agent.Hostname):
		d.Now, d.Reason = dcvix.AgentPending, reasonReserved
		d.agent.State, d.agent.RegisteredAt = dcvix.AgentPending, time.Time{}
	}
	return d
}

// forgetSharedKeys takes a key from all entries when several GUIDs have it: it is
// no agent's own, such as the director's in a column of every row.
func forgetSharedKeys(found []entry) {
	owner := make(map[session.KeyHash]dcvix.AgentID)
	shared := make(map[session.KeyHash]bool)
	for _, e := range found {
		if id, ok := owner[e.agent.KeyHash]; ok && id != e.agent.ID {
			shared[e.agent.KeyHash] = true
		}
		owner[e.agent.KeyHash] = e.agent.ID
	}
	for i := range found {
		if shared[found[i].agent.KeyHash] {
			found[i].agent.KeyHash = session.KeyHash{}
		}
	}
}

// repeatedGUIDs returns, by index, why an entry gives way to others of its GUID:
// a revoked one wins, and without one nobody can tell which is true.
func repeatedGUIDs(found []entry) map[int]string {
	byID := make(map[dcvix.AgentID][]int)
	for i, e := range found {
		byID[e.agent.ID] = append(byID[e.agent.ID], i)
	}
	reasons := make(map[int]string)
	for id, all := range byID {
		if id == "" || len(all) == 1 {
			continue
		}
		revoked := slices.IndexFunc(all, func(i int) bool { return found[i].agent.State == dcvix.AgentRevoked && found[i].agent.Hostname != "" })
		for n, i := range all {
			switch {
			case revoked < 0:
				reasons[i] = reasonSameGUID
			case n != revoked:
				reasons[i] = reasonRevokedBeside
			}
		}
	}
	return reasons
}

// replaceByName leaves each host name to the agent that was registered last.
func replaceByName(all []decision) {
	holder := make(map[dcvix.Hostname]*decision)
	for i := range all {
		d := &all[i]
		if d.Now != dcvix.AgentRegistered {
			continue
		}
		other, taken := holder[d.agent.Hostname]
		if !taken {
			holder[d.agent.Hostname] = d
			continue
		}
		older := other
		if later(other.agent, d.agent) > 0 {
			older = d
		} else {
			holder[d.agent.Hostname] = d
		}
		older.Now, older.Reason = dcvix.AgentRevoked, reasonReplaced
		older.agent.State, older.agent.Reason = dcvix.AgentRevoked, reasonReplaced
	}
}

// later compares when two agents were registered, or else seen or noted.
func later(a, b session.Agent) int {
	return cmp.Or(a.RegisteredAt.Compare(b.RegisteredAt), a.LastSeenAt.Compare(b.LastSeenAt), a.CreatedAt.Compare(b.CreatedAt))
}
