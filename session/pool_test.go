package session_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// newPool is a director with a pool "cad" of so many hosts, ws1 and on, for so many
// users, u1 and on.
func newPool(t testing.TB, hosts, people int, change ...func(*session.Config)) (*director, []session.Agent) {
	t.Helper()
	d := newDirector(t, change...)
	names, entries := make([]string, hosts), make([]string, people)
	for i := range names {
		names[i] = fmt.Sprintf("%q", fmt.Sprintf("ws%d", i+1))
	}
	for i := range entries {
		entries[i] = fmt.Sprintf(`{"id":"u%d","pools":["cad"]}`, i+1)
	}
	d.policy.set(t, "["+strings.Join(entries, ",")+"]", `[{"id":"cad","workstations":[`+strings.Join(names, ",")+`]}]`)
	agents := make([]session.Agent, hosts)
	for i := range agents {
		agents[i] = d.join(t, dcvix.Hostname(fmt.Sprintf("ws%d", i+1)))
	}
	return d, agents
}

func consoleOf(user dcvix.Username) session.OpenRequest {
	return session.OpenRequest{Owner: user, Pool: "cad", Type: dcvix.SessionConsole}
}

func user(n int) dcvix.Username { return dcvix.Username(fmt.Sprintf("u%d", n)) }

func TestTwoHundredUsersOnFiftyConsoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, agents := newPool(t, 50, 200, func(c *session.Config) { c.Logger = slog.New(slog.DiscardHandler) })
		for i, a := range agents {
			d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: time.Duration(1+i%7) * time.Second})
		}
		var mu sync.Mutex
		got := make(map[dcvix.Hostname]dcvix.Username)
		refused := 0
		var wg sync.WaitGroup
		for n := range 200 {
			wg.Go(func() {
				opened, err := d.Open(t.Context(), as(user(n+1)), consoleOf(user(n+1)))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					var none *session.NoCapacityError
					if assert.ErrorAs(t, err, &none) {
						assert.Equal(t, map[session.ReasonCode]int{session.ReasonConsole: 50}, none.Counts)
						assert.EqualError(t, err, `pool "cad": no host can take the session: 50 in use`)
					}
					refused++
					return
				}
				assert.Empty(t, got[opened.Server], "two got the console of %s", opened.Server)
				got[opened.Server] = user(n + 1)
			})
		}
		wg.Wait()
		assert.Len(t, got, 50)
		assert.Equal(t, 150, refused)
		for _, a := range agents {
			assert.Equal(t, 1, d.agents.Calls(a.ID).Create)
			require.Len(t, d.agents.Sessions(a.ID), 1)
			assert.Equal(t, got[a.Hostname], d.agents.Sessions(a.ID)[0].Owner)
		}
	})
}

func TestFiftyClicksOnAPoolMakeOneSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, agents := newPool(t, 5, 1)
		for _, a := range agents {
			d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: time.Second})
		}
		var mu sync.Mutex
		ids := make(map[dcvix.SessionID]bool)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				opened, err := d.Open(t.Context(), as("u1"), consoleOf("u1"))
				assert.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				ids[opened.ID] = true
			})
		}
		wg.Wait()
		assert.Len(t, ids, 1)
		assert.Len(t, d.Sessions(), 1)
	})
}

func TestTheUsersOwnSessionWins(t *testing.T) {
	d, agents := newPool(t, 3, 2)
	mine := dcvix.Session{ID: "console", Owner: "u1", Type: dcvix.SessionConsole, Status: "created"}
	d.agents.SetSessions(agents[1].ID, mine)
	d.report(t, agents[1])
	require.NoError(t, d.Drain(t.Context(), admin, "ws2", "new disk"))
	opened, err := d.Open(t.Context(), as("u1"), consoleOf("u1"))
	require.NoError(t, err)
	assert.Equal(t, session.OpenedSession{ID: "console", Server: "ws2", Type: dcvix.SessionConsole, Reused: true}, opened, "also on a drained host")

	opened, err = d.Open(t.Context(), as("u1"), session.OpenRequest{Owner: "u1", Pool: "CAD", Type: dcvix.SessionVirtual})
	require.NoError(t, err)
	assert.False(t, opened.Reused, "another type is another session")
	assert.NotEqual(t, dcvix.Hostname("ws2"), opened.Server)
}

func TestASessionOnASilentHostWinsOnlyIfTheHostAnswers(t *testing.T) {
	for name, answers := range map[string]bool{"it does": true, "it does not": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, agents := newPool(t, 2, 1)
				opened, err := d.Open(t.Context(), as("u1"), consoleOf("u1"))
				require.NoError(t, err)
				require.Equal(t, dcvix.Hostname("ws1"), opened.Server)
				d.report(t, agents[0])
				d.run(t)
				for range 5 { // ws1 falls silent, ws2 does not
					time.Sleep(30 * time.Second)
					d.report(t, agents[1])
				}
				if !answers {
					d.agents.Behave(agents[0].ID, sessiontest.Behaviour{Hang: true})
				}
				begun := time.Now()
				again, err := d.Open(t.Context(), as("u1"), consoleOf("u1"))
				require.NoError(t, err)
				assert.Equal(t, answers, again.ID == opened.ID)
				assert.LessOrEqual(t, time.Since(begun), 3*time.Second)
			})
		})
	}
}

func TestWhenTheChosenHostFailsAnotherIsTaken(t *testing.T) {
	for name, how := range map[string]sessiontest.Behaviour{
		"it fails":                             {Err: errors.New("dcv: no licence")},
		"it hangs":                             {Hang: true},
		"it answers when it has been given up": {Delay: 16 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, agents := newPool(t, 3, 1)
				d.agents.Behave(agents[0].ID, how)
				begun := time.Now()
				opened, err := d.Open(t.Context(), as("u1"), consoleOf("u1"))
				require.NoError(t, err)
				assert.Equal(t, dcvix.Hostname("ws2"), opened.Server)
				assert.Less(t, time.Since(begun), 30*time.Second)
				assert.Len(t, d.SessionsOf("u1"), 1)
			})
		})
	}
}

func TestWhenAllHostsFailTheErrorSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, agents := newPool(t, 3, 1)
		for _, a := range agents {
			d.agents.Behave(a.ID, sessiontest.Behaviour{Err: errors.New("dcv: no licence")})
		}
		_, err := d.Open(t.Context(), as("u1"), consoleOf("u1"))
		require.ErrorIs(t, err, session.ErrAgentFailed)
		for _, a := range agents {
			d.agents.Behave(a.ID, sessiontest.Behaviour{Hang: true})
		}
		begun := time.Now()
		_, err = d.Open(t.Context(), as("u1"), consoleOf("u1"))
		require.ErrorIs(t, err, session.ErrAgentTimeout)
		assert.LessOrEqual(t, time.Since(begun), 30*time.Second)
		assert.Empty(t, d.SessionsOf("u1"))
	})
}

// A host that was given up creates the session after all, when its owner has got
// another one: nobody is to hold two desktops.
func TestWhatComesTooLateIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, agents := newPool(t, 2, 1)
		d.run(t)
		d.agents.Behave(agents[0].ID, sessiontest.Behaviour{Hang: true, Late: true})
		opened, err := d.Open(t.Context(), as("u1"), consoleOf("u1"))
		require.NoError(t, err)
		require.Equal(t, dcvix.Hostname("ws2"), opened.Server)
		d.agents.Behave(agents[0].ID, sessiontest.Behaviour{})
		require.Len(t, d.agents.Sessions(agents[0].ID), 1, "it came too late")
		d.report(t, agents[0])
		synctest.Wait()
		assert.Empty(t, d.agents.Sessions(agents[0].ID))
		assert.Len(t, d.agents.Sessions(agents[1].ID), 1)
	})
}

func TestWhoMayOpenAPool(t *testing.T) {
	d, _ := newPool(t, 1, 1)
	for _, who := range []session.Actor{as("mallory"), {User: "root"}} {
		_, err := d.Open(t.Context(), who, consoleOf(who.User))
		require.ErrorIs(t, err, session.ErrForbidden)
	}
	_, err := d.Open(t.Context(), as("u1"), session.OpenRequest{Owner: "u1", Pool: "nope", Type: dcvix.SessionConsole})
	require.ErrorIs(t, err, session.ErrForbidden)
	_, err = d.Open(t.Context(), as("u1"), session.OpenRequest{Owner: "u1", Pool: "cad", Server: "ws1", Type: dcvix.SessionConsole})
	require.ErrorIs(t, err, session.ErrInvalid)
	opened, err := d.Open(t.Context(), admin, consoleOf("u1"))
	require.NoError(t, err, "an admin for a user, in the user's pool")
	assert.True(t, d.Verify(t.Context(), "u1", opened.ID, opened.Server))
}

func TestWhichHostsOfAPoolAreOutOfTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, agents := newPool(t, 7, 2)
		d.run(t)
		require.NoError(t, d.Drain(t.Context(), admin, "ws1", "new disk"))
		d.agents.SetSessions(agents[1].ID, dcvix.Session{ID: "x", Owner: "u2", Type: dcvix.SessionConsole, NumOfConnections: 1})
		d.agents.SetSessions(agents[2].ID, dcvix.Session{ID: "x", Owner: "u2", Type: dcvix.SessionVirtual})
		require.NoError(t, d.Revoke(t.Context(), agents[3].ID))
		for range 5 {
			time.Sleep(30 * time.Second)
			for i, a := range agents {
				if i != 3 && i != 4 { // ws5 falls silent
					d.report(t, a)
				}
			}
		}
		synctest.Wait()
		want := map[string]session.ReasonCode{
			"ws1": session.ReasonMaintenance, "ws2": session.ReasonConsole, "ws3": session.ReasonOtherType, "ws4": session.ReasonNoAgent,
			"ws5": session.ReasonSilent, "ws6": session.ReasonFree, "ws7": session.ReasonFree,
		}
		e, err := d.Explain(t.Context(), admin, consoleOf("u1"))
		require.NoError(t, err)
		got := make(map[string]session.ReasonCode)
		for _, h := range e.Hosts {
			got[h.Name] = h.Code
			assert.Equal(t, h.Name == "ws6", h.Chosen, h.Name)
		}
		assert.Equal(t, want, got)
		assert.Equal(t, dcvix.Hostname("ws6"), e.Chosen)
		assert.Equal(t, session.LeastLoaded, e.Strategy)
		assert.Equal(t, "It is in maintenance: new disk.", e.Hosts[0].Reason)
		assert.Equal(t, "Its console is taken by u2 (session x).", e.Hosts[1].Reason)

		before := d.agents.Calls(agents[5].ID)
		opened, err := d.Open(t.Context(), as("u1"), consoleOf("u1"))
		require.NoError(t, err)
		assert.Equal(t, e.Chosen, opened.Server, "as it was explained")
		assert.Equal(t, before.Create+1, d.agents.Calls(agents[5].ID).Create)
		e, err = d.Explain(t.Context(), admin, consoleOf("u1"))
		require.NoError(t, err)
		assert.Equal(t, session.ReasonOwn, e.Hosts[5].Code)
		assert.True(t, e.Hosts[5].Chosen)

		_, err = d.Explain(t.Context(), as("u1"), consoleOf("u1"))
		require.ErrorIs(t, err, session.ErrForbidden)
		_, err = d.Explain(t.Context(), admin, consoleOf("nobody"))
		require.ErrorIs(t, err, session.ErrForbidden, "the owner may not open it")
	})
}

func TestOneHostIsExplainedToo(t *testing.T) {
	d := newDirector(t)
	a := d.join(t, "ws1")
	d.join(t, "ws3")
	code := func(owner dcvix.Username, server string) session.ReasonCode {
		e, err := d.Explain(t.Context(), admin, session.OpenRequest{Owner: owner, Server: server, Type: dcvix.SessionVirtual})
		require.NoError(t, err)
		require.Len(t, e.Hosts, 1)
		assert.Equal(t, e.Hosts[0].Chosen, e.Chosen != "")
		assert.NotEmpty(t, e.Hosts[0].Reason)
		return e.Hosts[0].Code
	}
	assert.Equal(t, session.ReasonFree, code("alice", "ws1"))
	assert.Equal(t, session.ReasonNotAllowed, code("alice", "ws3"))
	assert.Equal(t, session.ReasonNoAgent, code("alice", "ws9"))
	d.agents.SetSessions(a.ID, desktop("s"))
	d.report(t, a)
	assert.Equal(t, session.ReasonOwn, code("alice", "ws1"))
}

func TestVirtualSessionsAreForLinux(t *testing.T) {
	d := newDirector(t)
	for name, tags := range map[dcvix.Hostname][]string{"ws1": {"gpu", "windows"}, "ws2": {"linux"}} {
		a := d.join(t, name)
		update := d.agents.Update(a)
		update.Tags = tags
		require.NoError(t, d.Report(t.Context(), a, "10.0.0.1", update))
	}
	_, err := d.Open(t.Context(), as("alice"), wants("alice", "ws1"))
	require.ErrorIs(t, err, session.ErrNoVirtual)
	require.ErrorIs(t, err, session.ErrConflict)
	_, err = d.Open(t.Context(), as("alice"), session.OpenRequest{Owner: "alice", Server: "ws1", Type: dcvix.SessionConsole})
	require.NoError(t, err)
	_, err = d.Open(t.Context(), as("alice"), wants("alice", "ws2"))
	require.NoError(t, err)
}

func TestAColdDirectorAsksThePoolBeforeItPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, agents := newPool(t, 20, 1)
		d.agents.SetSessions(agents[17].ID, dcvix.Session{ID: "console", Owner: "u1", Type: dcvix.SessionConsole})
		for _, a := range agents {
			d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: time.Second})
		}
		d.agents.Behave(agents[3].ID, sessiontest.Behaviour{Hang: true})
		d.open(t)
		begun := time.Now()
		opened, err := d.Open(t.Context(), as("u1"), consoleOf("u1"))
		require.NoError(t, err)
		assert.True(t, opened.Reused)
		assert.Equal(t, dcvix.Hostname("ws18"), opened.Server)
		assert.Equal(t, 3*time.Second, time.Since(begun), "one that hangs is not waited for")
		begun = time.Now()
		_, err = d.Open(t.Context(), as("u1"), consoleOf("u1"))
		require.NoError(t, err)
		assert.Zero(t, time.Since(begun))
	})
}

func TestAPlacerOfOnesOwn(t *testing.T) {
	var asked session.Placement
	choice := 1
	placer := session.PlacerFunc(func(p session.Placement, _ []*session.Candidate) int {
		asked = p
		return choice
	})
	d, _ := newPool(t, 3, 3, func(c *session.Config) { c.Placer = placer })
	opened, err := d.Open(t.Context(), as("u1"), consoleOf("u1"))
	require.NoError(t, err)
	assert.Equal(t, dcvix.Hostname("ws2"), opened.Server)
	asked.Draw = 0
	assert.Equal(t, session.Placement{Pool: "cad", Owner: "u1", Type: dcvix.SessionConsole}, asked)
	for _, choice = range []int{-1, 99} {
		_, err = d.Open(t.Context(), as("u2"), consoleOf("u2"))
		require.ErrorIs(t, err, session.ErrNoCapacity)
	}
	assert.Equal(t, dcvix.Hostname("ws2"), asked.Last)
}

func BenchmarkPlacement(b *testing.B) {
	for _, hosts := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("pool of %d", hosts), func(b *testing.B) {
			d, _ := newPool(b, hosts, 1, func(c *session.Config) {
				c.Logger, c.PendingMax = slog.New(slog.DiscardHandler), 2*hosts
			})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Place(b.Context(), as("u1"), consoleOf("u1")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
