package session_test

import (
	"context"
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
