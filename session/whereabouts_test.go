package session_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// TestTheWhereaboutsOfASessionAreThoseOfTheHosts: whatever hosts report, however
// they fall silent and go, an id is found exactly where a look at every host finds
// it, and nothing is kept of ids that are gone.
func TestTheWhereaboutsOfASessionAreThoseOfTheHosts(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	f := session.NewFleet(time.Minute, deadline)
	agents := make([]session.Agent, 5)
	for i := range agents {
		agents[i] = session.Agent{ID: dcvix.AgentID(fmt.Sprintf("a%d", i)), Hostname: dcvix.Hostname(fmt.Sprintf("ws%d", i))}
	}
	now := start
	for range 2000 {
		now = now.Add(time.Duration(rng.IntN(40)) * time.Second)
		a := agents[rng.IntN(len(agents))]
		switch rng.IntN(8) {
		case 0:
			f.Drop(a.ID)
		case 1:
			f.Sweep(now)
		default:
			var update dcvix.AgentUpdate
			for i := range 6 {
				if rng.IntN(2) == 0 {
					update.Sessions = append(update.Sessions, dcvix.Session{ID: dcvix.SessionID(fmt.Sprintf("s%d", i)), Owner: pick(rng, []dcvix.Username{"alice", "Alice", "bob"}), Type: dcvix.SessionVirtual})
				}
			}
			f.Report(a, update, now)
		}
		there := make(map[dcvix.SessionID]map[dcvix.Hostname]bool)
		ids := make(map[dcvix.SessionID]bool)
		owners := make(map[string][]dcvix.Hostname) // hosts, by name in lower case
		for _, h := range f.Hosts() {
			for _, s := range h.Sessions {
				ids[s.ID] = true
				owner := strings.ToLower(string(s.Owner))
				if !slices.Contains(owners[owner], h.Name) {
					owners[owner] = append(owners[owner], h.Name)
				}
				if s.Status == dcvix.StatusUnknown || s.Status == dcvix.StatusClosing {
					continue
				}
				if there[s.ID] == nil {
					there[s.ID] = make(map[dcvix.Hostname]bool)
				}
				there[s.ID][h.Name] = true
			}
		}
		require.Equal(t, len(ids), f.IDs())
		require.Len(t, owners, f.Owners())
		for _, owner := range []dcvix.Username{"ALICE", "Bob"} {
			require.Equal(t, owners[strings.ToLower(string(owner))], f.HostsOf(owner))
		}
		for i := range 6 {
			id := dcvix.SessionID(fmt.Sprintf("s%d", i))
			found := make(map[dcvix.Hostname]bool)
			for _, e := range f.Offering(id) {
				require.False(t, found[e.Server], "twice on %s", e.Server)
				found[e.Server] = true
			}
			require.Len(t, found, len(there[id]))
			for name := range there[id] {
				require.True(t, found[name], "%s on %s", id, name)
			}
		}
	}
}
