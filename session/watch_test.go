package session_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/session"
)

// kinds returns the kinds of all events that wait.
func kinds(events <-chan session.Event) map[session.EventKind]int {
	got := make(map[session.EventKind]int)
	for {
		select {
		case e, open := <-events:
			if !open {
				return got
			}
			got[e.Kind]++
		default:
			return got
		}
	}
}

func TestWhatChangesIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		d.run(t)
		ctx, leave := context.WithCancel(t.Context())
		events := d.Watch(ctx)
		step := func(what string, want map[session.EventKind]int, do func()) {
			t.Helper()
			do()
			synctest.Wait()
			assert.Equal(t, want, kinds(events), what)
		}
		type told = map[session.EventKind]int
		var a session.Agent
		step("an agent joins", told{session.EventAgent: 2, session.EventHost: 1}, func() { a = d.join(t, "ws1") })
		step("it reports the same", told{session.EventHost: 1}, func() { d.report(t, a) })
		step("a session is opened: its place, the session", told{session.EventSessions: 2}, func() {
			_, err := d.Open(t.Context(), as("alice"), wants("alice", "ws1"))
			require.NoError(t, err)
		})
		step("it is closed: closing, closed", told{session.EventSessions: 2}, func() {
			require.NoError(t, d.Close(t.Context(), as("alice"), d.SessionsOf("alice")[0].ID, ""))
		})
		step("a host is drained", told{session.EventHost: 1}, func() { require.NoError(t, d.Drain(t.Context(), admin, "ws1", "")) })
		step("the policy changes", told{session.EventPolicy: 1}, func() {
			d.policy.set(t, users, "")
			time.Sleep(time.Second)
		})
		step("the host falls silent", told{session.EventHost: 1}, func() { time.Sleep(130 * time.Second) })
		step("its agent is revoked", told{session.EventHost: 1, session.EventAgent: 1}, func() { require.NoError(t, d.Revoke(t.Context(), a.ID)) })
		leave()
		synctest.Wait()
		_, open := <-events
		assert.False(t, open)
		d.join(t, "ws2") // nobody is told, nothing breaks
	})
}

func TestASlowReaderIsToldThatItMissedSomething(t *testing.T) {
	d := newDirector(t)
	a := d.join(t, "ws1")
	events := d.Watch(t.Context())
	quick := d.Watch(t.Context())
	for range 1000 {
		d.report(t, a)
		require.Equal(t, map[session.EventKind]int{session.EventHost: 1}, kinds(quick), "others lack nothing")
	}
	assert.Equal(t, map[session.EventKind]int{session.EventHost: 256, session.EventResync: 1}, kinds(events))
	d.report(t, a)
	assert.Equal(t, map[session.EventKind]int{session.EventHost: 1}, kinds(events), "then it goes on")
}
