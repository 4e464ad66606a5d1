package session_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

const ours = "dcvix_0b6f8a52-6c1e-4c39-8d0a-3f1f1f0a9b11"

func TestUniqueIDsAreThoseThatTheDirectorMakes(t *testing.T) {
	for id, want := range map[dcvix.SessionID]bool{
		ours: true, "console": false, "dcvix_": false, "dcvix_console": false, "": false,
		"dcvix_{0b6f8a52-6c1e-4c39-8d0a-3f1f1f0a9b11}": false, "dcvix_0b6f8a526c1e4c398d0a3f1f1f0a9b11": false,
	} {
		assert.Equal(t, want, session.Unique(id), id)
	}
	d := newDirector(t)
	d.join(t, "ws1")
	opened, err := d.Open(t.Context(), as("alice"), wants("alice", "ws1"))
	require.NoError(t, err)
	assert.True(t, session.Unique(opened.ID))
}

func TestAGatewayFindsASessionByWhatItMayBeCalled(t *testing.T) {
	d := newDirector(t)
	for name, sessions := range map[dcvix.Hostname][]dcvix.Session{
		"ws1.lab.example": {desktop("console"), desktop(ours), desktop("only")},
		"ws2.lab.example": {desktop("console"), desktop("a"), desktop("a-b")},
		"b-ws2":           {desktop("a"), desktop("x")},
		"b":               {desktop("x-c")},
		"c-b":             {desktop("x")}, // so that x-c-b may mean two
		"ws3":             {desktop("console-ws2")},
	} {
		a := sessiontest.Join(t, d.Broker, name)
		d.agents.SetSessions(a.ID, sessions...)
		d.report(t, a)
	}
	tests := map[string]struct {
		id, server string
		err        error
	}{
		ours:                      {id: ours, server: "ws1.lab.example"},
		"only":                    {id: "only", server: "ws1.lab.example"},
		"only-ws1.lab.example":    {id: "only", server: "ws1.lab.example"},
		"console":                 {err: session.ErrAmbiguous},
		"console-ws1.lab.example": {id: "console", server: "ws1.lab.example"},
		"console-ws2.lab.example": {id: "console", server: "ws2.lab.example"},
		"console-ws1":             {id: "console", server: "ws1.lab.example"},
		"console-WS1.LAB.EXAMPLE": {id: "console", server: "ws1.lab.example"},
		"console-ws2":             {err: session.ErrAmbiguous}, // somebody's session on ws3 bears the name: nobody is sent there
		"a-b-ws2":                 {id: "a", server: "b-ws2"},  // there is a host of just that name
		"a-b-ws2.lab.example":     {id: "a-b", server: "ws2.lab.example"},
		"x-c-b":                   {err: session.ErrAmbiguous},
		"a-b":                     {id: "a-b", server: "ws2.lab.example"},
		"console-ws3":             {err: session.ErrNotFound},
		"console-ws9":             {err: session.ErrNotFound},
		"":                        {err: session.ErrNotFound},
		"-":                       {err: session.ErrNotFound},
		"console-":                {err: session.ErrNotFound},
		"-ws1":                    {err: session.ErrNotFound},
		"a/../b":                  {err: session.ErrNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := d.Locate(t.Context(), name)
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			server := dcvix.Hostname(tt.server)
			assert.Equal(t, session.Endpoint{Session: dcvix.SessionID(tt.id), Server: server, Host: server, Port: 8443, WebPath: "/"}, got)
			again, err := d.Locate(t.Context(), got.Shared())
			require.NoError(t, err)
			assert.Equal(t, got, again, "what is handed out leads back")
		})
	}
}

func TestASessionThatCannotBeEnteredIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := sessiontest.Join(t, d.Broker, "ws1")
		d.agents.SetSessions(a.ID, desktop("s"))
		d.report(t, a)
		_, err := d.Locate(t.Context(), "s")
		require.NoError(t, err)

		d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: time.Second})
		var closing sync.WaitGroup
		closing.Go(func() { assert.NoError(t, d.Close(t.Context(), as("alice"), "s", "")) })
		synctest.Wait()
		for _, name := range []string{"s", "s-ws1"} {
			_, err = d.Locate(t.Context(), name)
			require.ErrorIs(t, err, session.ErrNotFound, "closing")
		}
		closing.Wait()

		d.agents.Behave(a.ID, sessiontest.Behaviour{})
		d.agents.SetSessions(a.ID, desktop("t"))
		d.report(t, a)
		d.run(t)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		_, err = d.Locate(t.Context(), "t")
		require.ErrorIs(t, err, session.ErrNotFound, "its host is silent")

		require.NoError(t, d.Report(t.Context(), a, "10.0.0.1", d.agents.Update(a)))
		_, err = d.Locate(t.Context(), "t")
		require.NoError(t, err)
		require.NoError(t, d.Revoke(t.Context(), a.ID))
		_, err = d.Locate(t.Context(), "t")
		require.ErrorIs(t, err, session.ErrNotFound, "its agent is revoked")
	})
}

func TestAColdDirectorAsksHostsBeforeItTellsAGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		one, two := sessiontest.Join(t, d.Broker, "ws1"), sessiontest.Join(t, d.Broker, "ws2")
		slow := sessiontest.Join(t, d.Broker, "ws3")
		d.agents.SetSessions(one.ID, desktop("console"), desktop(ours))
		d.agents.SetSessions(two.ID, desktop("console"))
		d.agents.Behave(one.ID, sessiontest.Behaviour{Delay: 100 * time.Millisecond})
		d.agents.Behave(two.ID, sessiontest.Behaviour{Delay: 3 * time.Second})
		d.agents.Behave(slow.ID, sessiontest.Behaviour{Hang: true})

		d.open(t) // nothing is known but the register
		d.run(t)
		begun := time.Now()
		var asking sync.WaitGroup
		ask := func(name string, atMost time.Duration, want error) {
			asking.Go(func() {
				_, err := d.Locate(t.Context(), name)
				assert.ErrorIs(t, err, want, name)
				assert.LessOrEqual(t, time.Since(begun), atMost, name)
			})
		}
		for range 20 {
			ask(ours, time.Second, nil) // one slow or hanging host delays nobody else
			ask("console-ws1", time.Second, nil)
			ask("console-ws2", 4*time.Second, nil)
			ask("console", 8*time.Second, session.ErrAmbiguous)
			ask("nothing", 8*time.Second, session.ErrNotFound)
			ask("console-ws3", 8*time.Second, session.ErrNotFound)
		}
		asking.Wait()
		assert.Less(t, d.agents.Calls(slow.ID).Report, 15, "a host that hangs is not called by all twenty who ask")

		time.Sleep(10 * time.Second)
		synctest.Wait()
		begun = time.Now()
		ask("nothing", 0, session.ErrNotFound) // all hosts were asked: nobody waits any longer
		ask("console", 0, session.ErrAmbiguous)
		asking.Wait()
	})
}

func TestAGatewayThatLeavesIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := sessiontest.Join(t, d.Broker, "ws1")
		d.agents.Behave(a.ID, sessiontest.Behaviour{Hang: true})
		d.open(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		for _, name := range []string{"s", "s-ws1"} {
			_, err := d.Locate(ctx, name)
			require.ErrorIs(t, err, session.ErrNotFound)
		}
		assert.Equal(t, time.Second, time.Since(begun))
	})
}

// FuzzLocate holds the search against a list of all that a name may mean.
func FuzzLocate(f *testing.F) {
	d := newDirector(f, func(c *session.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	all := map[dcvix.Hostname][]dcvix.SessionID{
		"ws1.lab": {"console", "a"}, "ws2.lab": {"console", "a-b"}, "b-ws2": {"a", ours}, "b": {"a", "console-ws1"}, "lab-b-b": {"a-lab"},
	}
	for name, ids := range all {
		a := sessiontest.Join(f, d.Broker, name)
		var sessions []dcvix.Session
		for _, id := range ids {
			sessions = append(sessions, desktop(id))
		}
		d.agents.SetSessions(a.ID, sessions...)
		d.report(f, a)
	}
	for _, seed := range []string{"console", "console-ws1", "console-ws1.lab", "a-b", "a-b-ws2", "a-lab-b-b", ours, ours + "-b-ws2", "", "-", "a--b", "\xff-b", "console-WS2.LAB."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		type place struct {
			server dcvix.Hostname
			id     dcvix.SessionID
		}
		want, exact := map[place]bool{}, false
		for server, ids := range all {
			for _, id := range ids {
				exact = exact || name == string(id)+"-"+string(server)
			}
		}
		for server, ids := range all {
			for _, id := range ids {
				tail := len(id) + 1
				qualified := len(name) > tail && name[:tail] == string(id)+"-"
				if qualified {
					a, err := d.Resolve(name[tail:])
					qualified = err == nil && a.Hostname == server && (!exact || name[tail:] == string(server))
				}
				if name == string(id) || qualified {
					want[place{server, id}] = true
				}
			}
		}
		got, err := d.Locate(t.Context(), name)
		switch len(want) {
		case 0:
			require.ErrorIs(t, err, session.ErrNotFound)
		case 1:
			require.NoError(t, err)
			require.True(t, want[place{got.Server, got.Session}], "%v", got)
		default:
			require.ErrorIs(t, err, session.ErrAmbiguous)
		}
		if err != nil {
			require.Less(t, len(err.Error()), 400)
			require.False(t, errors.Is(err, session.ErrNotFound) && errors.Is(err, session.ErrAmbiguous))
		}
	})
}

// BenchmarkLocate finds a session on one of 10,000 hosts.
func BenchmarkLocate(b *testing.B) {
	d := newDirector(b, func(c *session.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	for i := range 10_000 {
		a := sessiontest.Join(b, d.Broker, dcvix.Hostname(fmt.Sprintf("ws%d", i)))
		d.agents.SetSessions(a.ID, desktop("console"), desktop(dcvix.SessionID(fmt.Sprintf("s%d", i))))
		d.report(b, a)
	}
	for _, name := range []string{"s5000", "console-ws5000", "nothing"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Locate(b.Context(), name); (err == nil) == (name == "nothing") {
					b.Fatal(err)
				}
			}
		})
	}
}
