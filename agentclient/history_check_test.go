package agentclient_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// cosmetic are the faults in spite of which the agent sees what is there.
var cosmetic = []string{"warning", "noJSON", "extraKeys", "nullTimes", "noFraction", "upperCase", "unquotedIDs"}

// blinding are the faults that hide what is on the host, each by itself.
var blinding = []string{"hang", "crash", "down", "crashAfter", "failDone", "garbage", "truncate"}

// endure leaves a host alone with its faults for two intervals, in every second
// history: what cannot be seen has to be said.
func (h *history) endure() {
	if h.rng.IntN(2) == 0 {
		return
	}
	h.note("nothing happens, with %v", h.on)
	h.cut.Store(false)
	time.Sleep(2*interval + time.Second)
	view, _ := h.view()
	if age := time.Since(view.LastSeen); age > interval+lookLimit+time.Second || view.Silent {
		h.isWrong("the last report is %s old while dcv misbehaves: %v", age, h.on)
	}
	text := slices.Contains(h.on, "noJSON") // half of a text may be whole lines, which nobody can tell
	blind := h.host.missing.Load() || slices.ContainsFunc(h.on, func(f string) bool {
		return slices.Contains(blinding, f) && (f != "truncate" || !text)
	})
	if blind && len(view.Problems) == 0 {
		h.isWrong("dcv misbehaves (%v, missing: %t) and the director is not told", h.on, h.host.missing.Load())
	}
}

// lookLimit is how long a report waits for a list.
const lookLimit = 10 * time.Second

// mend switches the faults off that hide the truth, and the network on; then two
// intervals pass.
func (h *history) mend() {
	h.on = slices.DeleteFunc(h.on, func(name string) bool { return !slices.Contains(cosmetic, name) })
	h.note("all is well but for %v", h.on)
	h.change(func(s *dcvclitest.State) {
		s.Faults = dcvclitest.Faults{}
		for _, f := range dcvclitest.AllFaults() {
			if slices.Contains(h.on, f.Name) {
				f.Apply(&s.Faults)
			}
		}
	})
	if h.cut.Swap(false) {
		time.Sleep(lookLimit) // a try that began without a network fails first
	}
	h.host.missing.Store(false)
	time.Sleep(2*interval + time.Second)
	for h.sinceClosed() < 2*time.Second { // the reaper goes on: what it did a moment ago is reported within a second
		time.Sleep(2 * time.Second)
	}
}

func (h *history) sinceClosed() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(h.closed)
}

// check compares what the director sees with what is on the host.
func (h *history) check() {
	state, err := h.dcv.State()
	require.NoError(h.t, err)
	view, _ := h.view()
	there, seen := make(map[string]bool), make(map[string]bool)
	counts := !slices.Contains(h.on, "noJSON") // text has no counts
	line := func(id, owner, kind string, connected int) string {
		if !counts {
			return id + " of " + owner + ", " + kind
		}
		return fmt.Sprintf("%s of %s, %s, %d connected", id, owner, kind, connected)
	}
	for _, s := range state.Sessions {
		there[line(s.ID, s.Owner, s.Type, len(s.Connections))] = true
	}
	for _, s := range view.Sessions {
		seen[line(string(s.ID), string(s.Owner), string(s.Type), s.NumOfConnections)] = true
	}
	if !maps.Equal(there, seen) {
		h.isWrong("on the host: %v; the director sees: %v", slices.Sorted(maps.Keys(there)), slices.Sorted(maps.Keys(seen)))
	}
	if len(view.Problems) > 0 && counts { // without them, the reaper says that it cannot judge
		h.isWrong("problems of a host that has none: %v", view.Problems)
	}
	if age := time.Since(view.LastSeen); age > interval+time.Second || view.Silent {
		h.isWrong("the last report is %s old", age)
	}
	h.checkOwners(state)
}

// checkOwners finds what the agent made twice.
func (h *history) checkOwners(state dcvclitest.State) {
	h.mu.Lock()
	made := maps.Clone(h.made)
	h.mu.Unlock()
	count := make(map[string]int)
	for _, s := range state.Sessions {
		if made[s.ID] == s.Owner {
			count[s.Owner+" "+s.Type]++
		}
	}
	for whose, n := range count {
		if n > 1 {
			h.isWrong("%d sessions of %s", n, whose)
		}
	}
}
