package session_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// TestTheRevisionTellsWhetherHostsChanged: whatever hosts report, under whatever
// name, however they fall silent and go and whatever is done to their sessions, the
// hosts are in order, and they are the same as long as the revision is.
func TestTheRevisionTellsWhetherHostsChanged(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	f := session.NewFleet(time.Minute, deadline)
	now, revision, before := start, f.Revision(), f.Hosts()
	for range 3000 {
		now = now.Add(time.Duration(rng.IntN(40)) * time.Second)
		a := session.Agent{ID: dcvix.AgentID(fmt.Sprint("a", rng.IntN(5))), Hostname: dcvix.Hostname(fmt.Sprint("ws", rng.IntN(5)))}
		id := dcvix.SessionID(fmt.Sprint("s", rng.IntN(3)))
		what := rng.IntN(9)
		switch what {
		case 0:
			f.Drop(a.ID)
		case 1:
			f.Sweep(now)
		case 2:
			if r := f.Reserve(a.ID, desktop(id), now); r != nil && rng.IntN(2) == 0 {
				f.Answered(r, desktop(id), now)
			}
		case 3:
			if act := f.Closing(a.ID, id, now); act != nil && rng.IntN(2) == 0 {
				f.Closed(a.ID, act, now)
			}
		case 4:
			f.Expire(now)
		case 5:
			f.SetFlags(a.ID, session.HostFlags{Agent: a.ID, Maintenance: rng.IntN(2) == 0, Message: strconv.Itoa(rng.IntN(3))})
		case 6: // nothing
		default:
			f.Report(a, says(desktop(id)), now)
		}
		hosts := f.Hosts()
		if f.Revision() == revision {
			require.True(t, reflect.DeepEqual(before, hosts), "after act %d", what)
		} else {
			require.NotEqual(t, 6, what, "nothing happened")
		}
		require.True(t, slices.IsSortedFunc(hosts, func(a, b session.Host) int { return cmp.Compare(a.Name, b.Name) }))
		ids := make(map[dcvix.AgentID]bool)
		for _, h := range hosts {
			one, reports := f.Host(h.Agent)
			require.True(t, reports && reflect.DeepEqual(one, h), "%s is one that reports", h.Name)
			ids[h.Agent] = true
		}
		for i := range 5 {
			agent := dcvix.AgentID(fmt.Sprint("a", i))
			_, reports := f.Host(agent)
			require.Equal(t, reports, ids[agent], "%s after act %d", agent, what)
		}
		revision, before = f.Revision(), hosts
	}
}

// A revision taken before the hosts is never newer than they are, so that a client
// that has it is not kept from what came after.
func TestARevisionIsNeverNewerThanTheHosts(t *testing.T) {
	f := session.NewFleet(time.Hour, time.Hour)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 5000 {
			f.Report(ws1, says(desktop(dcvix.SessionID(fmt.Sprint("s", i)))), start.Add(time.Duration(i)))
		}
	}()
	seen := make(map[uint64][]session.Host)
	for reporting := true; reporting; {
		select {
		case <-done:
			reporting = false
		default:
		}
		revision := f.Revision()
		hosts := f.Hosts()
		if f.Revision() != revision {
			continue
		}
		if before, known := seen[revision]; known {
			require.Equal(t, before, hosts)
		}
		seen[revision] = hosts
	}
	require.NotEmpty(t, seen)
	require.Equal(t, f.Hosts(), seen[f.Revision()], "the last look was after the last report")
}
