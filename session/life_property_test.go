package session_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// A life is what happens to a few hosts and those who want desktops there: they
// open and close sessions, agents fail in every way, people at the hosts do as they
// like, hosts are drained, the policy changes, the director restarts. All of it
// follows from the seed, and time is virtual.
type life struct {
	t      testing.TB
	rng    *rand.Rand
	d      *director
	hosts  []session.Agent
	counts map[string]int

	stop  func() // the director's Run
	tasks sync.WaitGroup

	mu      sync.Mutex // guards what follows, and counts
	policy  int        // which of the policies counts
	epoch   int        // counts restarts
	story   []string
	wrong   []string
	owners  map[string]map[dcvix.Username]bool // who ever had the session: by host and id
	granted map[string]grantedDesktop          // by host and id: what Open answered and nobody ended, of ids that are unique
	ended   map[string]bool                    // by host and id: whose close was asked for, likewise
	passing map[string]time.Time               // since when a session is seen in a passing phase
	drained map[dcvix.AgentID]bool
	closes  map[string]time.Time // by host, id and owner: when a close was last asked for
	gone    map[string]bool      // by host and id: closed for good, of ids that are unique
	late    map[dcvix.AgentID]captured
	checked time.Time
}

type grantedDesktop struct {
	owner dcvix.Username
	kind  dcvix.SessionType
}

const lifeHosts = 4

// lifePolicies are two: in the second one u4 may do nothing, and the pool is smaller.
var lifePolicies = []struct{ users, pools string }{
	{
		`[{"id":"u1","pools":["cad"]},{"id":"u2","pools":["cad"]},{"id":"u3","workstations":["ws1","ws2","ws3","ws4"]},{"id":"u4","pools":["cad"]}]`,
		`[{"id":"cad","workstations":["ws1","ws2","ws3","ws4"]}]`,
	},
	{
		`[{"id":"u1","pools":["cad"]},{"id":"u2","pools":["cad"]},{"id":"u3","workstations":["ws1","ws2","ws3","ws4"]},{"id":"u4"}]`,
		`[{"id":"cad","workstations":["ws2","ws3"],"strategy":"spread"}]`,
	},
}

func (l *life) note(format string, args ...any) { // any: as package fmt
	l.mu.Lock()
	defer l.mu.Unlock()
	l.story = append(l.story, time.Now().Format("04:05.000 ")+fmt.Sprintf(format, args...))
}

// isWrong is for callers that hold mu.
func (l *life) isWrong(format string, args ...any) { // any: as package fmt
	l.wrong = append(l.wrong, time.Now().Format("04:05.000 ")+fmt.Sprintf(format, args...))
}

func at(host dcvix.Hostname, id dcvix.SessionID) string { return string(host) + " " + string(id) }

func (l *life) someone() dcvix.Username { return user(1 + l.rng.IntN(4)) }

func (l *life) someKind() dcvix.SessionType {
	return pick(l.rng, []dcvix.SessionType{dcvix.SessionConsole, dcvix.SessionVirtual})
}

func (l *life) start() {
	l.d.open(l.t, func(c *session.Config) {
		c.Logger = slog.New(slog.DiscardHandler)
		c.PendingPerAddress = 1000
	})
	ctx, cancel := context.WithCancel(l.t.Context())
	ran := make(chan error, 1)
	go func() { ran <- l.d.Run(ctx) }()
	l.stop = func() {
		cancel()
		require.NoError(l.t, <-ran)
	}
}

func (l *life) setPolicy(which int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.policy = which
	l.d.policy.set(l.t, lifePolicies[which].users, lifePolicies[which].pools)
}

// act lets one thing happen.
func (l *life) act() {
	type deed struct {
		name   string
		weight int
		do     func()
	}
	deeds := []deed{
		{"open a host", 12, l.openHost},
		{"open the pool", 14, l.openPool},
		{"close", 12, l.close},
		{"report", 24, l.report},
		{"late report", 10, l.lateReport},
		{"somebody at the host", 7, l.locally},
		{"client comes or goes", 8, l.clients},
		{"agent behaves", 8, l.behave},
		{"drain or undrain", 3, l.drain},
		{"policy changes", 2, func() { l.setPolicy(l.rng.IntN(2)) }},
		{"restart", 1, l.restart},
		{"verify", 10, l.verify},
		{"wait", 3, func() { time.Sleep(time.Duration(l.rng.IntN(120)) * time.Second) }},
	}
	total := 0
	for _, d := range deeds {
		total += d.weight
	}
	n := l.rng.IntN(total)
	for _, d := range deeds {
		if n -= d.weight; n < 0 {
			l.mu.Lock()
			l.counts[d.name]++
			l.mu.Unlock()
			d.do()
			return
		}
	}
}

func (l *life) openHost() {
	who := as(l.someone())
	if l.rng.IntN(4) == 0 {
		who = admin
	}
	req := session.OpenRequest{Owner: who.User, Server: string(pick(l.rng, l.hosts).Hostname), Type: l.someKind()}
	if who.Admin {
		req.Owner = l.someone()
		if l.rng.IntN(2) == 0 {
			req.ID = dcvix.SessionID(fmt.Sprintf("job%d", l.rng.IntN(3)))
		}
	}
	l.open(who, req)
}

func (l *life) openPool() {
	who := l.someone()
	l.open(as(who), session.OpenRequest{Owner: who, Pool: "cad", Type: l.someKind()})
}

// open is somebody who asks for a session and may not wait for the answer.
func (l *life) open(who session.Actor, req session.OpenRequest) {
	patience := time.Duration(l.rng.IntN(90)) * time.Second
	broker := l.d.Broker
	before := l.allowedDrain(req)
	l.mu.Lock()
	epoch, policy := l.epoch, l.policy
	l.mu.Unlock()
	l.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(l.t.Context()), patience)
		defer cancel()
		l.note("%s asks for %s of %s on %s%s %s", who.User, req.Type, req.Owner, req.Server, req.Pool, req.ID)
		got, err := broker.Open(ctx, who, req)
		l.note("%s got %v: %v", who.User, got, err)
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil {
			l.counts["refused: "+reasonOf(err)]++
			return
		}
		l.counts["opened"]++
		key := at(got.Server, got.ID)
		l.own(key, req.Owner)
		if epoch != l.epoch {
			return // by a director that is no more
		}
		if policy == 1 && l.policy == 1 && who.User == "u4" {
			l.isWrong("u4 got %s, which the policy does not give", key)
		}
		if got.Reused || !unique(got.ID) || l.ended[key] {
			return
		}
		if before && l.drainedNow(got.Server) {
			l.isWrong("%s got %s on a drained host", req.Owner, key)
		}
		for other, g := range l.granted {
			if host, _, _ := strings.Cut(other, " "); host != string(got.Server) || g.owner == req.Owner {
				continue
			}
			if g.kind == dcvix.SessionConsole || req.Type == dcvix.SessionConsole {
				l.isWrong("%s got %s %s while %s has %s %s", req.Owner, req.Type, key, g.owner, g.kind, other)
			}
		}
		l.granted[key] = grantedDesktop{req.Owner, req.Type}
	})
}

// allowedDrain says whether all hosts that a request may end on are drained now; if
// they still are when it is answered, nothing new may have come of it.
func (l *life) allowedDrain(req session.OpenRequest) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.hosts {
		if (req.Pool != "" || req.Server == string(a.Hostname)) && !l.drained[a.ID] {
			return false
		}
	}
	return true
}

func (l *life) drainedNow(host dcvix.Hostname) bool {
	i := slices.IndexFunc(l.hosts, func(a session.Agent) bool { return a.Hostname == host })
	return l.drained[l.hosts[i].ID]
}

// unique says whether the director made the id, so that it never comes back.
func unique(id dcvix.SessionID) bool { return strings.HasPrefix(string(id), "dcvix_") }

func (l *life) own(key string, owner dcvix.Username) {
	if l.owners[key] == nil {
		l.owners[key] = make(map[dcvix.Username]bool)
	}
	l.owners[key][owner] = true
}

func reasonOf(err error) string {
	for _, known := range []error{
		session.ErrForbidden, session.ErrMaintenance, session.ErrConsoleTaken, session.ErrOtherType, session.ErrIDTaken, session.ErrClosing,
		session.ErrNoCapacity, session.ErrAgentFailed, session.ErrAgentTimeout, session.ErrNotFound, session.ErrConflict,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

// close is somebody who wants a session closed: its owner, an admin, or another.
func (l *life) close() {
	all := l.d.Sessions()
	if len(all) == 0 {
		return
	}
	s := pick(l.rng, all)
	who := pick(l.rng, []session.Actor{as(s.Owner), as(l.someone()), admin, admin})
	broker, key := l.d.Broker, at(s.ServerID, s.ID)
	l.mu.Lock()
	epoch := l.epoch
	l.closes[key+string(s.Owner)] = time.Now()
	if who.Admin || who.User == s.Owner { // whatever comes of it: the host may do it late
		l.ended[key] = true
		delete(l.granted, key)
	}
	l.mu.Unlock()
	l.tasks.Go(func() {
		l.note("%s wants %s of %s closed", who.User, key, s.Owner)
		err := broker.Close(context.WithoutCancel(l.t.Context()), who, s.ID, string(s.ServerID))
		l.note("%s heard of %s: %v", who.User, key, err)
		l.mu.Lock()
		defer l.mu.Unlock()
		switch {
		case err != nil:
			l.counts["not closed: "+reasonOf(err)]++
			return
		case !who.Admin && who.User != s.Owner && !l.owners[key][who.User]:
			l.isWrong("%s closed %s of %s", who.User, key, s.Owner)
		}
		l.counts["closed"]++
		l.gone[key] = epoch == l.epoch && unique(s.ID)
	})
}

// report is the agent of a host that says how it is.
func (l *life) report() {
	a := pick(l.rng, l.hosts)
	l.mu.Lock()
	delete(l.late, a.ID) // agents do not overtake themselves
	l.mu.Unlock()
	now := l.d.agents.Update(a)
	l.deliver(a, now)
	l.seesAll(a, now.Sessions)
}

func (l *life) deliver(a session.Agent, update dcvix.AgentUpdate) {
	l.mu.Lock()
	for _, s := range update.Sessions {
		l.own(at(a.Hostname, s.ID), s.Owner)
	}
	l.mu.Unlock()
	require.NoError(l.t, l.d.Report(l.t.Context(), a, "10.0.0.1", update))
}

// A captured report is under way.
type captured struct {
	update dcvix.AgentUpdate
	at     time.Time
	asked  int // how often the director had asked for one: an answer does not overtake it either
}

// lateReport is one that comes after things happened that it does not know.
func (l *life) lateReport() {
	for _, a := range l.hosts {
		l.mu.Lock()
		late, there := l.late[a.ID]
		delete(l.late, a.ID)
		l.mu.Unlock()
		switch {
		case there && time.Since(late.at) < 25*time.Second && late.asked == l.d.agents.Calls(a.ID).Report:
			l.deliver(a, late.update)
		case l.rng.IntN(2) == 0:
			l.mu.Lock()
			l.late[a.ID] = captured{l.d.agents.Update(a), time.Now(), l.d.agents.Calls(a.ID).Report}
			l.mu.Unlock()
		}
	}
}

// seesAll checks what a host has just said: what nobody of ours ends or ended is
// shown, as whose it is.
func (l *life) seesAll(a session.Agent, said []dcvix.Session) {
	shown := make(map[dcvix.SessionID]dcvix.Session)
	for _, h := range l.d.Hosts() {
		if h.Agent == a.ID {
			for _, s := range h.Sessions {
				shown[s.ID] = s
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range said {
		key := at(a.Hostname, s.ID)
		if unique(s.ID) || s.Owner == "dave" || s.Owner == "Administrator" || time.Since(l.closes[key+string(s.Owner)]) < 70*time.Second {
			continue
		}
		if got := shown[s.ID]; got.Owner != s.Owner && got.Status != dcvix.StatusCreating {
			l.isWrong("%s of %s was reported and is shown as of %q", key, s.Owner, got.Owner)
		}
	}
}

// locally is somebody at the host, who needs no agent.
func (l *life) locally() {
	a := pick(l.rng, l.hosts)
	l.d.agents.Change(a.ID, func(sessions []dcvix.Session) []dcvix.Session {
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(sessions) > 0 && l.rng.IntN(2) == 0 {
			i := l.rng.IntN(len(sessions))
			delete(l.granted, at(a.Hostname, sessions[i].ID))
			return slices.Delete(sessions, i, i+1)
		}
		s := dcvix.Session{
			ID: pick(l.rng, []dcvix.SessionID{"console", "job1", "by hand!"}), Type: l.someKind(), Status: "created",
			Owner: pick(l.rng, []dcvix.Username{"u1", "u2", "dave", "Administrator"}),
		}
		for _, other := range sessions {
			if other.ID == s.ID || other.Type != s.Type || s.Type == dcvix.SessionConsole {
				return sessions
			}
		}
		l.own(at(a.Hostname, s.ID), s.Owner)
		return append(sessions, s)
	})
}

func (l *life) clients() {
	l.d.agents.Change(pick(l.rng, l.hosts).ID, func(sessions []dcvix.Session) []dcvix.Session {
		if len(sessions) > 0 {
			sessions[l.rng.IntN(len(sessions))].NumOfConnections = l.rng.IntN(2)
		}
		return sessions
	})
}

func (l *life) behave() {
	how := pick(l.rng, []sessiontest.Behaviour{
		{},
		{},
		{Delay: time.Second},
		{Delay: 14 * time.Second},
		{Delay: 20 * time.Second, Late: true},
		{Err: errors.New("dcv: no licence")},
		{Hang: true},
		{Hang: true, Late: true},
	})
	l.d.agents.Behave(pick(l.rng, l.hosts).ID, how)
}

func (l *life) drain() {
	a := pick(l.rng, l.hosts)
	on := l.rng.IntN(2) == 0
	l.mu.Lock()
	delete(l.drained, a.ID) // what is under way is not judged
	l.mu.Unlock()
	if !on {
		require.NoError(l.t, l.d.Undrain(l.t.Context(), admin, string(a.Hostname)))
		return
	}
	require.NoError(l.t, l.d.Drain(l.t.Context(), admin, string(a.Hostname), "new disk"))
	l.mu.Lock()
	l.drained[a.ID] = true
	l.mu.Unlock()
}

// restart kills the director. What it had asked of agents goes on there.
func (l *life) restart() {
	l.note("restart")
	l.stop()
	l.mu.Lock()
	l.epoch++
	clear(l.passing)
	clear(l.granted) // only what this director answered is its to keep apart
	clear(l.gone)
	clear(l.late)
	l.mu.Unlock()
	l.start()
}

// verify asks as a DCV server does, for right and wrong pairs.
func (l *life) verify() {
	all := l.d.Sessions()
	if len(all) == 0 {
		return
	}
	s, other := pick(l.rng, all), pick(l.rng, all)
	who := pick(l.rng, []dcvix.Username{s.Owner, other.Owner, l.someone()})
	host := pick(l.rng, []dcvix.Hostname{s.ServerID, other.ServerID})
	yes := l.d.Verify(l.t.Context(), who, s.ID, host)
	i := slices.IndexFunc(l.hosts, func(a session.Agent) bool { return a.Hostname == host })
	there := l.d.agents.Sessions(l.hosts[i].ID) // the director may have asked the host itself
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range there {
		l.own(at(host, s.ID), s.Owner)
	}
	l.counts[fmt.Sprintf("verified %t", yes)]++
	if yes && !l.owners[at(host, s.ID)][who] {
		l.isWrong("the verifier let %s into %s", who, at(host, s.ID))
	}
}

// check holds what is shown against what must always be.
func (l *life) check() {
	hosts := l.d.Hosts()
	l.mu.Lock()
	defer l.mu.Unlock()
	now, passing := time.Now(), make(map[string]time.Time)
	if now.Sub(l.checked) > 20*time.Second { // one may have ended and another begun
		clear(l.passing)
	}
	l.checked = now
	unseen := maps.Clone(l.granted)
	for key := range unseen {
		host, _, _ := strings.Cut(key, " ")
		if !slices.ContainsFunc(hosts, func(h session.Host) bool { return string(h.Name) == host }) {
			delete(unseen, key) // silent for so long that it is shown no more
		}
	}
	for _, h := range hosts {
		consoles, virtual := 0, 0
		for _, s := range h.Sessions {
			key := at(h.Name, s.ID)
			delete(unseen, key)
			switch {
			case s.Owner == "":
				l.isWrong("%s has no owner", key)
			case l.gone[key]:
				l.isWrong("%s is shown as %q after its close was answered", key, s.Status)
			}
			switch s.Status {
			case dcvix.StatusCreating, dcvix.StatusClosing:
				if !unique(s.ID) {
					continue
				}
				passing[key+s.Status] = now
				if since, known := l.passing[key+s.Status]; known {
					passing[key+s.Status] = since
					if now.Sub(since) > 30*time.Second {
						l.isWrong("%s is %s since %s", key, s.Status, since.Format("04:05"))
					}
				}
			}
			if s.Status == dcvix.StatusClosing {
				continue
			}
			if s.Type == dcvix.SessionConsole {
				consoles++
			} else {
				virtual++
			}
		}
		if consoles > 1 || consoles > 0 && virtual > 0 {
			l.counts["shown together"]++
		}
	}
	l.passing = passing
	for key, g := range unseen {
		l.isWrong("%s of %s was answered and is not shown", key, g.owner)
	}
}

// settle lets all be well and everything end; then the director sees what is there.
func (l *life) settle() {
	clear(l.late)
	for _, a := range l.hosts {
		l.d.agents.Behave(a.ID, sessiontest.Behaviour{})
	}
	l.tasks.Wait()
	time.Sleep(31 * time.Second)
	for range 3 { // the reports find what came too late, and the next ones see it ended
		for _, a := range l.hosts {
			l.deliver(a, l.d.agents.Update(a))
		}
		time.Sleep(31 * time.Second)
	}
	for _, a := range l.hosts {
		l.deliver(a, l.d.agents.Update(a))
		want := make(map[string]bool)
		for _, s := range l.d.agents.Sessions(a.ID) {
			want[fmt.Sprintf("%s of %s, %s", s.ID, s.Owner, s.Status)] = true
		}
		got := make(map[string]bool)
		for _, h := range l.d.Hosts() {
			if h.Agent == a.ID {
				for _, s := range h.Sessions {
					got[fmt.Sprintf("%s of %s, %s", s.ID, s.Owner, s.Status)] = true
				}
			}
		}
		l.mu.Lock()
		if !maps.Equal(want, got) {
			l.isWrong("%s: shown %v, there is %v", a.Hostname, got, want)
		}
		l.mu.Unlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, g := range l.granted {
		host, id, _ := strings.Cut(key, " ")
		i := slices.IndexFunc(l.hosts, func(a session.Agent) bool { return string(a.Hostname) == host })
		if !slices.ContainsFunc(l.d.agents.Sessions(l.hosts[i].ID), func(s dcvix.Session) bool { return string(s.ID) == id && s.Owner == g.owner }) {
			l.isWrong("%s of %s was answered and is not there", key, g.owner)
		}
	}
}

// live runs a life of so many steps and returns what went wrong, and the story.
func live(t *testing.T, seed uint64, steps int, counts map[string]int) (wrong, story []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &life{
			t: t, rng: rand.New(rand.NewPCG(seed, 3)), d: newDirector(t), counts: counts, owners: make(map[string]map[dcvix.Username]bool),
			granted: make(map[string]grantedDesktop), passing: make(map[string]time.Time), drained: make(map[dcvix.AgentID]bool), ended: make(map[string]bool),
			closes: make(map[string]time.Time), gone: make(map[string]bool), late: make(map[dcvix.AgentID]captured),
		}
		l.d.agents.Lax = seed%2 == 0
		l.setPolicy(0)
		l.start()
		for i := range lifeHosts {
			l.hosts = append(l.hosts, l.d.join(t, dcvix.Hostname(fmt.Sprintf("ws%d", i+1))))
		}
		for step := range steps {
			l.act()
			time.Sleep(time.Duration(l.rng.IntN(4000)) * time.Millisecond)
			l.check()
			if step%100 == 99 {
				l.settle()
			}
			if len(l.wrong) > 0 {
				break
			}
		}
		l.settle()
		l.stop()
		wrong, story = l.wrong, l.story
	})
	return wrong, story
}

func TestNoOrderOfEventsBreaksTheLifeOfSessions(t *testing.T) {
	lives, steps := 25, 400
	seeds := []uint64{1, 2, 3, rand.Uint64()}
	if os.Getenv("DCVIX_LONG") == "1" { //nolint:forbidigo // the long form is asked for from outside
		lives = 1000 // of 400 steps each
	}
	for len(seeds) < lives {
		seeds = append(seeds, rand.Uint64())
	}
	counts := make(map[string]int)
	for _, seed := range seeds {
		wrong, story := live(t, seed, steps, counts)
		if len(wrong) > 0 {
			t.Fatalf("seed %d:\n%s\n%s", seed, strings.Join(wrong, "\n"), strings.Join(story[max(0, len(story)-80):], "\n"))
		}
	}
	t.Logf("%d steps; %v", lives*steps, counts)
}
