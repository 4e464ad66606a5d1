package agentclient_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
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

// idleTimeout is that of the reaper in every second history.
const idleTimeout = 4 * time.Minute

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

	closed time.Time // when the agent last closed a session
	reaped int       // in all histories; only one dcv command closes at a time
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

// closing judges a close-session at the moment it is run, when lists show what was
// that long ago.
func (h *history) closing(s dcvclitest.Session, lag time.Duration) {
	h.note("dcv close-session %s of %s", s.ID, s.Owner)
	h.mu.Lock()
	h.closed = time.Now()
	asked, ours := h.asked[s.ID+" of "+s.Owner], h.made[s.ID] == s.Owner
	h.mu.Unlock()
	left := s.CreationTime
	if s.LastDisconnectionTime.After(left) {
		left = s.LastDisconnectionTime
	}
	switch idle := time.Since(left); {
	case asked:
	// It makes room for somebody's session: an automatic console, as far as can be told.
	case s.ID == "console" && s.Type == dcvcli.Console && !slices.Contains(people, dcvix.Username(s.Owner)):
	case time.Since(s.CreationTime) <= lag: // dcv itself still lists another of that id
	case ours && s.Type == dcvcli.Virtual && len(s.Connections) == 0 && idle >= idleTimeout:
		h.reaped++
	default:
		h.isWrong("the agent closed %s of %s, which nobody asked for and has %d clients, the last %s ago", s.ID, s.Owner, len(s.Connections), idle)
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

// run is a history from the start of a director and an agent to their end. It
// returns what went wrong, with the story.
func runHistory(t *testing.T, seed uint64, drawn map[string]int, spoil func(agentclient.DCV) agentclient.DCV) (wrong []string, story string) {
	synctest.Test(t, func(t *testing.T) {
		h := &history{
			t: t, rng: rand.New(rand.NewPCG(seed, 7)),
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
		h.pairing = newPairing(t, engine, func(c *agentclient.Config) {
			c.UpdateInterval = interval
			if seed%2 == 0 {
				c.IdleTimeout, c.ReapInterval = idleTimeout, time.Minute
			}
		})
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
			drawn["(reaped)"] += h.reaped
			h.reaped = 0
		}
		h.tasks.Wait()
		wrong = h.wrong
		story = strings.Join(h.story, "\n")
	})
	return wrong, story
}

// TestTheDirectorSeesWhatIsOnTheHost: whatever the dcv command does, the
// director's view equals the host's two update intervals after it does well
// again, and no session of somebody else is ever touched.
func TestTheDirectorSeesWhatIsOnTheHost(t *testing.T) {
	histories := uint64(80)
	if longForm() {
		histories = 10_000
	}
	var counts []map[string]int
	t.Run("histories", func(t *testing.T) {
		workers := uint64(runtime.GOMAXPROCS(0))
		for first := range workers {
			drawn := make(map[string]int)
			counts = append(counts, drawn)
			t.Run(strconv.FormatUint(first, 10), func(t *testing.T) {
				t.Parallel()
				for seed := first; seed < histories; seed += workers {
					if wrong, story := runHistory(t, seed, drawn, nil); len(wrong) > 0 {
						t.Fatalf("history %d:\n%s\n%s", seed, strings.Join(wrong, "\n"), story)
					}
				}
			})
		}
	})
	drawn := make(map[string]int)
	for _, count := range counts {
		for name, n := range count {
			drawn[name] += n
		}
	}
	t.Logf("%d histories; faults drawn: %v", histories, drawn)
	for _, f := range dcvclitest.AllFaults() {
		require.GreaterOrEqual(t, uint64(drawn[f.Name]), histories/100, "histories with the fault %s", f.Name)
	}
}
