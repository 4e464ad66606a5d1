package session_test

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

const deadline = 30 * time.Second

var (
	start = time.Date(2026, 3, 5, 8, 0, 0, 0, time.UTC)
	ws1   = session.Agent{ID: "a1", Hostname: "ws1", Address: "10.0.0.1"}
)

func after(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

func says(sessions ...dcvix.Session) dcvix.AgentUpdate {
	return dcvix.AgentUpdate{Sessions: sessions, Stats: dcvix.Stats{Hostname: "ws1"}}
}

func desktop(id dcvix.SessionID) dcvix.Session {
	return dcvix.Session{ID: id, Owner: "alice", Type: dcvix.SessionVirtual, Status: "created"}
}

// seen is what a fleet shows of ws1: "id status", in order.
func seen(t *testing.T, f *session.Fleet) []string {
	t.Helper()
	h, ok := f.Host(ws1.ID)
	require.True(t, ok)
	all := make([]string, 0)
	for _, s := range h.Sessions {
		assert.Equal(t, dcvix.Hostname("ws1"), s.ServerID)
		assert.Equal(t, string(s.ID)+"-ws1", s.UID)
		all = append(all, fmt.Sprint(s.ID, " ", s.Status))
	}
	return all
}

// A step is something that happens to the fleet, and what it then shows.
type step struct {
	do    func(f *session.Fleet)
	shows []string
}

func TestActsAndReports(t *testing.T) {
	report := func(at int, sessions ...dcvix.Session) func(*session.Fleet) {
		return func(f *session.Fleet) { f.Report(ws1, says(sessions...), after(at)) }
	}
	var reservation *session.Reservation
	var act *session.Act
	reserved := func(at int, id dcvix.SessionID) func(*session.Fleet) {
		return func(f *session.Fleet) { reservation = f.Reserve(ws1.ID, desktop(id), after(at)) }
	}
	answered := func(at int, id dcvix.SessionID) func(*session.Fleet) {
		return func(f *session.Fleet) { f.Answered(reservation, desktop(id), after(at)) }
	}
	notCreated := func(f *session.Fleet) { f.NotCreated(reservation) }
	opened := func(at int, id dcvix.SessionID) func(*session.Fleet) {
		return func(f *session.Fleet) {
			f.Answered(f.Reserve(ws1.ID, desktop(id), after(at)), desktop(id), after(at))
		}
	}
	closing := func(at int, id dcvix.SessionID) func(*session.Fleet) {
		return func(f *session.Fleet) { act = f.Closing(ws1.ID, id, after(at)) }
	}
	closed := func(at int, id dcvix.SessionID) func(*session.Fleet) {
		return func(f *session.Fleet) {
			if act == nil {
				act = f.Closing(ws1.ID, id, after(at))
			}
			f.Closed(ws1.ID, act, after(at))
			act = nil
		}
	}
	notClosed := func(f *session.Fleet) { f.NotClosed(ws1.ID, act) }
	expire := func(at int) func(*session.Fleet) { return func(f *session.Fleet) { f.Expire(after(at)) } }
	none, has := []string{}, func(s ...string) []string { return s }
	tests := map[string][]step{
		"an opened session is there at once, and an older report does not undo it": {
			{report(0), none}, {opened(1, "s"), has("s created")}, {report(2), has("s created")}, {report(30), has("s created")},
		},
		"after the deadline the host's word counts": {
			{report(0), none}, {opened(1, "s"), has("s created")}, {report(31), none}, {report(32, desktop("s")), has("s created")},
		},
		"a report that lists the session settles it": {
			{report(0), none}, {opened(1, "s"), has("s created")}, {report(2, desktop("s")), has("s created")}, {report(3), none},
		},
		"a report of before another does not take its place": {
			{report(5, desktop("s")), has("s created")}, {report(4), has("s created")}, {report(5), none},
		},
		"a clock that was put back does not stop reports": {
			{report(3600, desktop("s")), has("s created")}, {report(0), none},
		},
		"a close shows at once, and reports do not hide it": {
			{report(0, desktop("s")), has("s created")}, {closing(1, "s"), has("s closing")}, {report(2, desktop("s")), has("s closing")},
		},
		"a close that never ends is over at its deadline": {
			{report(0, desktop("s")), has("s created")}, {closing(1, "s"), has("s closing")}, {report(32, desktop("s")), has("s created")},
		},
		"a failed close is taken back": {
			{report(0, desktop("s")), has("s created")},
			{closing(1, "s"), has("s closing")},
			{notClosed, has("s created")},
			{report(2, desktop("s")), has("s created")},
		},
		"a session that was closed stays away, though late reports list it": {
			{report(0, desktop("s"), desktop("t")), has("s created", "t created")},
			{closing(1, "s"), has("s closing", "t created")},
			{closed(2, "s"), has("t created")},
			{report(3, desktop("s"), desktop("t")), has("t created")},
			{report(4, desktop("t")), has("t created")},
			{report(5, desktop("s"), desktop("t")), has("t created")},
			{report(33, desktop("s"), desktop("t")), has("s created", "t created")},
		},
		"a session may be opened again under the id of one that was closed": {
			{report(0, desktop("s")), has("s created")}, {closed(1, "s"), none}, {opened(2, "s"), has("s created")}, {report(3, desktop("s")), has("s created")},
		},
		"an id that is still closing is not given out again": {
			{report(0, desktop("s")), has("s created")}, {closing(1, "s"), has("s closing")}, {reserved(2, "s"), has("s closing")},
		},
		"a session that was asked for is shown, and reports change nothing about it": {
			{report(0), none},
			{reserved(1, "s"), has("s creating")},
			{report(2), has("s creating")},
			{report(3, desktop("s")), has("s creating")},
			{answered(4, "s"), has("s created")},
			{report(5), has("s created")},
		},
		"a creation that failed leaves nothing, and what the host has after all is shown": {
			{report(0), none}, {reserved(1, "s"), has("s creating")}, {notCreated, none}, {report(2, desktop("s")), has("s created")},
		},
		"a creation that nobody ends is over at its deadline": {
			{report(0), none}, {reserved(1, "s"), has("s creating")}, {expire(31), has("s creating")}, {expire(32), none}, {answered(33, "s"), has("s created")},
		},
		"a close that nobody ends is over at its deadline": {
			{report(0, desktop("s")), has("s created")}, {closing(1, "s"), has("s closing")}, {expire(31), has("s closing")}, {expire(32), has("s created")},
		},
		"the agent had one for the owner": {
			{report(0), none}, {reserved(1, "s"), has("s creating")}, {answered(2, "t"), has("t created")}, {report(3, desktop("t")), has("t created")},
		},
		"a session that ends while it is closed is gone before the answer": {
			{report(0, desktop("s")), has("s created")}, {closing(1, "s"), has("s closing")}, {report(2), none}, {report(3, desktop("s")), none},
		},
		"an id that comes back as somebody else's is that one's": {
			{report(0, desktop("s")), has("s created")},
			{closing(1, "s"), has("s closing")},
			{closed(2, "s"), none},
			{report(3, desktop("s")), none},
			{report(4, dcvix.Session{ID: "s", Owner: "bob", Status: "bob's"}), has("s bob's")},
		},
		"an opened session whose close fails before any report listed it is still there": {
			{report(0), none},
			{opened(1, "s"), has("s created")},
			{closing(2, "s"), has("s closing")},
			{report(3), has("s closing")},
			{notClosed, has("s created")},
			{report(4), has("s created")},
			{report(40), none},
		},
		"sessions are in the order of their ids": {
			{report(0, desktop("c"), desktop("a")), has("a created", "c created")}, {opened(1, "b"), has("a created", "b created", "c created")},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			f := session.NewFleet(deadline, deadline)
			reservation, act = nil, nil
			for i, s := range steps {
				s.do(f)
				require.Equal(t, s.shows, seen(t, f), "step %d", i)
			}
		})
	}
}

func TestActsOnAHostThatIsNotThereDoNothing(t *testing.T) {
	f := session.NewFleet(deadline, deadline)
	assert.Nil(t, f.Reserve("a1", desktop("s"), start))
	act := f.Closing("a1", "s", start)
	assert.Nil(t, act)
	f.NotClosed("a1", act)
	f.Closed("a1", act, start)
	f.Drop("a1")
	assert.Empty(t, f.Hosts())
}

func TestWhatAHostSaysOfItselfIsBounded(t *testing.T) {
	tests := map[string]struct {
		port, want int
	}{"none": {0, 8443}, "its own": {9443, 9443}, "negative": {-1, 8443}, "too large": {65536, 8443}, "the largest": {65535, 65535}}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := session.NewFleet(deadline, deadline)
			f.Report(ws1, dcvix.AgentUpdate{DCVPort: tt.port}, start)
			h, _ := f.Host(ws1.ID)
			assert.Equal(t, tt.want, h.DCVPort)
			assert.NotNil(t, h.Tags)
			assert.NotNil(t, h.Sessions)
		})
	}
}

func TestHostsFallSilentAndAreDropped(t *testing.T) {
	tests := map[string]struct {
		interval int // seconds; as the agent says
		maxAge   time.Duration
		silent   int // seconds after which it is silent
	}{
		"says nothing: 2.5 times 30 s":   {0, 30 * time.Second, 75},
		"says 10 s: max age is longer":   {10, 30 * time.Second, 30},
		"says 60 s":                      {60, 30 * time.Second, 150},
		"a longer max age":               {10, 100 * time.Second, 100},
		"a negative interval is nothing": {-60, 30 * time.Second, 75},
		"at most a day":                  {math.MaxInt, 30 * time.Second, 60 * 60 * 60},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := session.NewFleet(tt.maxAge, deadline)
			update := says(desktop("s"))
			update.UpdateIntervalSeconds = tt.interval
			f.Report(ws1, update, start)
			before, _ := f.Host(ws1.ID)

			silent, dropped := f.Sweep(after(tt.silent))
			assert.Empty(t, append(silent, dropped...))
			silent, _ = f.Sweep(after(tt.silent + 1))
			require.Len(t, silent, 1)
			assert.Equal(t, []string{"s unknown"}, seen(t, f))
			again, _ := f.Sweep(after(tt.silent + 2))
			assert.Empty(t, again, "told once")
			assert.Equal(t, "created", before.Sessions[0].Status, "what was handed out does not change")

			f.Report(ws1, update, after(tt.silent+3))
			h, _ := f.Host(ws1.ID)
			assert.False(t, h.Silent)
			assert.Equal(t, []string{"s created"}, seen(t, f))

			_, dropped = f.Sweep(after(tt.silent + 3 + 10*tt.silent))
			assert.Empty(t, dropped)
			_, dropped = f.Sweep(after(tt.silent + 4 + 10*tt.silent))
			assert.Len(t, dropped, 1)
			assert.Empty(t, f.Hosts())
		})
	}
}

// A report has all sessions of one letter, or it is two halves.
func TestReadersNeverSeeHalfAReport(t *testing.T) {
	f := session.NewFleet(time.Hour, time.Hour)
	version := func(v byte) dcvix.AgentUpdate {
		sessions := make([]dcvix.Session, 20)
		for i := range sessions {
			sessions[i] = dcvix.Session{ID: dcvix.SessionID(fmt.Sprintf("s%02d", i)), Status: string(v)}
		}
		return dcvix.AgentUpdate{Sessions: sessions, Stats: dcvix.Stats{Hostname: string(v)}}
	}
	f.Report(ws1, version('a'), start)
	stop := make(chan struct{})
	var readers, writer sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				hosts := f.Hosts()
				if !assert.Len(t, hosts, 1) || !assert.Len(t, hosts[0].Sessions, 20) {
					return
				}
				for _, s := range hosts[0].Sessions {
					if !assert.Equal(t, hosts[0].Stats.Hostname, s.Status) {
						return
					}
				}
			}
		})
	}
	writer.Go(func() {
		for i := range 2000 {
			f.Report(ws1, version('a'+byte(i%26)), start.Add(time.Duration(i)))
			f.Expire(start)
		}
	})
	writer.Wait()
	close(stop)
	readers.Wait()
}

func BenchmarkReport(b *testing.B) {
	for _, hosts := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("fleet of %d", hosts), func(b *testing.B) {
			f := session.NewFleet(deadline, deadline)
			agents := make([]session.Agent, hosts)
			update := says(desktop("s1"), desktop("s2"))
			for i := range agents {
				name := fmt.Sprintf("ws%d", i)
				agents[i] = session.Agent{ID: dcvix.AgentID(name), Hostname: dcvix.Hostname(name)}
				f.Report(agents[i], update, start)
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				f.Report(agents[i%hosts], update, start)
				i++
			}
		})
	}
}
