package agentclient_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
	"github.com/dcvix/dcvix/session"
)

// interval is that of the reports in histories; what the director sees is to be
// right after two of them.
const interval = 30 * time.Second

// A history is what happens to one host: people open and close sessions through
// the director, others on the host itself, clients come and go, the dcv command
// misbehaves in every way that the fake knows, programs restart, the network
// breaks. All of it follows from the seed.
type history struct {
	t    testing.TB
	rng  *rand.Rand
	dcv  *dcvclitest.DCV
	host *witness
	*pairing

	on    []string       // the faults that are switched on
	drawn map[string]int // how often each was, in all histories

	tasks sync.WaitGroup // what people are waiting for

	mu    sync.Mutex // guards what follows
	asked map[string]bool
	made  map[string]string // id to owner of what the agent was to create
	story []string
	wrong []string
}

var (
	people  = []dcvix.Username{"alice", "bob"}
	locals  = []string{"alice", "bob", `LAB\dave`}
	foreign = []string{"console", "cad-7", "a b", "../etc", "größe", "dcvix_1"}
)

func (h *history) note(format string, args ...any) { // any: as fmt has it
	h.mu.Lock()
	defer h.mu.Unlock()
	h.story = append(h.story, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (h *history) isWrong(format string, args ...any) { // any: as fmt has it
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wrong = append(h.wrong, fmt.Sprintf(format, args...))
}

// closing judges a close-session at the moment it is run.
func (h *history) closing(s dcvclitest.Session) {
	h.note("dcv close-session %s of %s", s.ID, s.Owner)
	h.mu.Lock()
	ok := h.asked[s.ID+" of "+s.Owner]
	h.mu.Unlock()
	if !ok {
		h.isWrong("the agent closed %s of %s, which nobody asked for", s.ID, s.Owner)
	}
}

// creating judges a create-session.
func (h *history) creating(owner, id string) {
	h.note("dcv create-session %s of %s", id, owner)
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Contains(people, dcvix.Username(owner)) {
		h.wrong = append(h.wrong, fmt.Sprintf("the agent created %s for %q", id, owner))
	}
	h.made[id] = owner
}

// act lets one thing happen.
func (h *history) act() {
	switch h.rng.IntN(16) {
	case 0, 1, 2, 3:
		h.open()
	case 4, 5:
		h.close()
	case 6, 7:
		h.locally()
	case 8, 9, 10:
		h.clients()
	case 11:
		h.breaks()
	case 12:
		h.note("the agent restarts")
		h.restartAgent()
	case 13:
		h.note("the director restarts")
		h.restartDirector()
	case 14:
		h.note("the network is cut: %t", h.cut.Swap(h.rng.IntN(2) == 0))
	default:
		h.note("dcv goes missing: %t", h.host.missing.Swap(h.rng.IntN(2) == 0))
	}
}

// open is somebody who asks for a session, and may not wait for the answer.
func (h *history) open() {
	who := people[h.rng.IntN(len(people))]
	kind := []dcvix.SessionType{dcvix.SessionVirtual, dcvix.SessionVirtual, dcvix.SessionConsole}[h.rng.IntN(3)]
	patience := time.Duration(h.rng.IntN(60)) * time.Second
	broker := h.broker
	h.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(h.t.Context(), patience)
		defer cancel()
		h.note("%s asks for a %s session", who, kind)
		got, err := broker.Open(ctx, session.Actor{User: who}, session.OpenRequest{Owner: who, Server: "ws1", Type: kind})
		h.note("%s got %s %t: %v", who, got.ID, got.Reused, err)
	})
}

// close is somebody who wants a session closed: the owner, an admin, or another.
func (h *history) close() {
	view, _ := h.view()
	if len(view.Sessions) == 0 {
		return
	}
	s := view.Sessions[h.rng.IntN(len(view.Sessions))]
	if h.rng.IntN(3) == 0 {
		h.takeOver(string(s.ID)) // and the director does not know it yet
	}
	who := session.Actor{User: people[h.rng.IntN(len(people))]}
	if h.rng.IntN(3) == 0 {
		who = session.Actor{User: "root", Admin: true}
	}
	if who.Admin || who.User == s.Owner {
		h.mu.Lock()
		h.asked[string(s.ID)+" of "+string(s.Owner)] = true
		h.mu.Unlock()
	}
	broker := h.broker
	h.tasks.Go(func() {
		h.note("%s wants %s of %s closed", who.User, s.ID, s.Owner)
		h.note("%s heard of %s: %v", who.User, s.ID, broker.Close(h.t.Context(), who, s.ID, "ws1"))
	})
}

// locally is somebody at the host, who needs no agent.
func (h *history) locally() {
	id, owner := foreign[h.rng.IntN(len(foreign))], locals[h.rng.IntN(len(locals))]
	h.change(func(s *dcvclitest.State) {
		if old, ok := s.Session(id); ok || len(s.Sessions) > 0 && h.rng.IntN(3) == 0 {
			if !ok {
				old = &s.Sessions[h.rng.IntN(len(s.Sessions))]
			}
			h.note("%s of %s ends on the host", old.ID, old.Owner)
			s.Sessions = slices.DeleteFunc(s.Sessions, func(x dcvclitest.Session) bool { return x.ID == old.ID })
			return
		}
		kind := "virtual"
		if id == "console" {
			kind = "console"
		}
		if slices.ContainsFunc(s.Sessions, func(x dcvclitest.Session) bool { return x.Type != kind || kind == "console" }) {
			return
		}
		h.note("%s of %s begins on the host", id, owner)
		s.Sessions = append(s.Sessions, dcvclitest.Session{ID: id, Owner: owner, User: owner, Type: kind, CreationTime: time.Now()})
	})
}

// takeOver ends a session of that id, if it is not the agent's, and begins
// another of the same id for somebody else.
func (h *history) takeOver(id string) {
	h.change(func(s *dcvclitest.State) {
		old, ok := s.Session(id)
		if !ok || !slices.Contains(foreign, id) {
			return
		}
		h.note("%s of %s is mallory's now", id, old.Owner)
		*old = dcvclitest.Session{ID: id, Owner: "mallory", User: "mallory", Type: old.Type, CreationTime: time.Now()}
	})
}

// clients lets one come to a session or leave it.
func (h *history) clients() {
	h.change(func(s *dcvclitest.State) {
		if len(s.Sessions) == 0 {
			return
		}
		on := &s.Sessions[h.rng.IntN(len(s.Sessions))]
		if len(on.Connections) > 0 && h.rng.IntN(2) == 0 {
			on.Connections, on.LastDisconnectionTime = on.Connections[1:], time.Now()
			return
		}
		s.LastConnection++
		on.Connections = append(on.Connections, dcvclitest.Connection{ID: s.LastConnection, User: on.Owner, ConnectionTime: time.Now()})
	})
}

func (h *history) change(do func(*dcvclitest.State)) {
	require.NoError(h.t, h.dcv.Update(func(s *dcvclitest.State) error {
		do(s)
		return nil
	}))
}

// breaks switches on a fault.
func (h *history) breaks() {
	faults := dcvclitest.AllFaults()
	f := faults[h.rng.IntN(len(faults))]
	h.note("dcv: %s", f.Name)
	h.on = append(h.on, f.Name)
	h.drawn[f.Name]++
	long := f.Name == "slow" && h.rng.IntN(2) == 0
	h.change(func(s *dcvclitest.State) {
		f.Apply(&s.Faults)
		if long { // over the limit of a command
			s.Faults.Slow = 35 * time.Second
		}
	})
}

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
	blind := h.host.missing.Load() || slices.ContainsFunc(h.on, func(f string) bool { return slices.Contains(blinding, f) })
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
	h.cut.Store(false)
	h.host.missing.Store(false)
	time.Sleep(2*interval + time.Second)
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
	if len(view.Problems) > 0 {
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

// run is a history from the start of a director and an agent to their end. It
// returns what went wrong, with the story.
func runHistory(t *testing.T, seed uint64, drawn map[string]int, spoil func(agentclient.DCV) agentclient.DCV) (wrong []string, story string) {
	synctest.Test(t, func(t *testing.T) {
		h := &history{
			t: t, rng: rand.New(rand.NewPCG(seed, 7)), //nolint:gosec // repeatable on purpose
			drawn: drawn, asked: make(map[string]bool), made: make(map[string]string),
		}
		dcv, err := dcvclitest.New(dcvclitest.Config{})
		require.NoError(t, err)
		h.dcv, h.host = dcv, &witness{dcv: dcv, closing: h.closing, created: h.creating}
		cli, err := dcvcli.New(dcvcli.Config{Runner: h.host, Platform: "linux"})
		require.NoError(t, err)
		engine := agentclient.DCV(cli)
		if spoil != nil {
			engine = spoil(cli)
		}
		h.pairing = newPairing(t, engine, func(c *agentclient.Config) { c.UpdateInterval = interval })
		defer h.stop()
		synctest.Wait()
		h.approve()
		time.Sleep(interval)
		for range 3 {
			for range 4 + h.rng.IntN(8) {
				h.act()
				time.Sleep(time.Duration(h.rng.IntN(20_000)) * time.Millisecond)
			}
			h.endure()
			h.mend()
			h.check()
		}
		h.tasks.Wait()
		wrong = h.wrong
		story = strings.Join(h.story, "\n")
		if len(wrong) > 0 && os.Getenv("DCVIX_STORY") != "" {
			story += "\n" + h.log.String()
		}
	})
	return wrong, story
}

// TestTheDirectorSeesWhatIsOnTheHost: whatever the dcv command does, the
// director's view equals the host's two update intervals after it does well
// again, and no session of somebody else is ever touched.
func TestTheDirectorSeesWhatIsOnTheHost(t *testing.T) {
	histories := 200
	if os.Getenv("DCVIX_LONG") != "" {
		histories = 10_000
	}
	drawn := make(map[string]int)
	for seed := range uint64(histories) {
		wrong, story := runHistory(t, seed, drawn, nil)
		if len(wrong) > 0 {
			t.Fatalf("history %d:\n%s\n%s", seed, strings.Join(wrong, "\n"), story)
		}
	}
	t.Logf("%d histories; faults drawn: %v", histories, drawn)
	for _, f := range dcvclitest.AllFaults() {
		require.GreaterOrEqual(t, drawn[f.Name], histories/100, "histories with the fault %s", f.Name)
	}
}

// A spoiled engine has a defect. What it does not change it inherits.
type emptyWhenBlind struct{ agentclient.DCV }

func (e emptyWhenBlind) List(ctx context.Context) ([]dcvcli.Session, error) {
	list, err := e.DCV.List(ctx)
	if err != nil {
		return nil, nil // as if there were none
	}
	return list, nil
}

type closesTheFirst struct{ agentclient.DCV }

func (e closesTheFirst) Close(ctx context.Context, id string) error {
	if list, err := e.List(ctx); err == nil && len(list) > 0 {
		id = list[0].ID
	}
	return e.DCV.Close(ctx, id)
}

type createsBlindly struct{ agentclient.DCV }

func (e createsBlindly) List(ctx context.Context) ([]dcvcli.Session, error) {
	list, err := e.DCV.List(ctx)
	return slices.DeleteFunc(list, func(s dcvcli.Session) bool { return strings.HasPrefix(s.ID, "dcvix_") }), err
}

func TestTheHistoriesCatchADefectiveAgent(t *testing.T) {
	for name, spoil := range map[string]func(agentclient.DCV) agentclient.DCV{
		"a failed list is an empty one":    func(d agentclient.DCV) agentclient.DCV { return emptyWhenBlind{d} },
		"a close ends the first session":   func(d agentclient.DCV) agentclient.DCV { return closesTheFirst{d} },
		"it does not see its own sessions": func(d agentclient.DCV) agentclient.DCV { return createsBlindly{d} },
	} {
		t.Run(name, func(t *testing.T) {
			drawn := make(map[string]int)
			for seed := range uint64(60) {
				if wrong, _ := runHistory(t, seed, drawn, spoil); len(wrong) > 0 {
					t.Logf("history %d: %s", seed, wrong[0])
					return
				}
			}
			t.Error("no history saw it")
		})
	}
}
