package session_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// As the Windows installer of DCV makes it.
var automatic = dcvix.Session{ID: "console", Owner: "Administrator", Type: dcvix.SessionConsole, Status: "created"}

func TestAnAutomaticConsoleMakesRoom(t *testing.T) {
	used, ofOurs, ours, foreign := automatic, automatic, automatic, automatic
	used.NumOfConnections = 1
	ofOurs.Owner = "bob"
	ours.Owner = "alice"
	foreign.ID = "cad"
	tests := map[string]struct {
		reported, now dcvix.Session // what the director knows, and what is so
		keep          bool
		kind          dcvix.SessionType
		want          error
	}{
		"for a console":                         {reported: automatic, now: automatic, kind: dcvix.SessionConsole},
		"for a virtual session":                 {reported: automatic, now: automatic, kind: dcvix.SessionVirtual},
		"when it has gone meanwhile":            {reported: automatic, kind: dcvix.SessionConsole},
		"not when somebody uses it":             {reported: used, now: used, kind: dcvix.SessionConsole, want: session.ErrConsoleTaken},
		"not when somebody uses it by now":      {reported: automatic, now: used, kind: dcvix.SessionConsole, want: session.ErrConsoleTaken},
		"not when it is somebody else's by now": {reported: automatic, now: ofOurs, kind: dcvix.SessionConsole, want: session.ErrConsoleTaken},
		"not when a user of ours has it":        {reported: ofOurs, now: ofOurs, kind: dcvix.SessionConsole, want: session.ErrConsoleTaken},
		"not one of another id":                 {reported: foreign, now: foreign, kind: dcvix.SessionConsole, want: session.ErrConsoleTaken},
		"not when it is to be kept":             {reported: automatic, now: automatic, keep: true, kind: dcvix.SessionVirtual, want: session.ErrOtherType},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDirector(t, func(c *session.Config) { c.KeepAutomaticConsole = tt.keep })
			a := sessiontest.Join(t, d.Broker, "ws1")
			d.agents.SetSessions(a.ID, tt.reported)
			d.report(t, a)
			d.agents.SetSessions(a.ID)
			if tt.now.ID != "" {
				d.agents.SetSessions(a.ID, tt.now)
			}
			opened, err := d.Open(t.Context(), as("alice"), session.OpenRequest{Owner: "alice", Server: "ws1", Type: tt.kind})
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
				assert.Equal(t, []dcvix.Session{tt.now}, d.agents.Sessions(a.ID), "it is left alone")
				assert.Empty(t, d.SessionsOf("alice"))
				return
			}
			require.NoError(t, err)
			require.Len(t, d.agents.Sessions(a.ID), 1)
			assert.Equal(t, opened.ID, d.agents.Sessions(a.ID)[0].ID)
			assert.Len(t, d.Sessions(), 1)
		})
	}
}

func TestTheOwnersAutomaticConsoleIsUsed(t *testing.T) {
	d := newDirector(t)
	a := sessiontest.Join(t, d.Broker, "ws1")
	mine := automatic
	mine.Owner = "alice"
	d.agents.SetSessions(a.ID, mine)
	d.report(t, a)
	opened, err := d.Open(t.Context(), as("alice"), session.OpenRequest{Owner: "alice", Server: "ws1", Type: dcvix.SessionConsole})
	require.NoError(t, err)
	assert.Equal(t, session.OpenedSession{ID: "console", Server: "ws1", Type: dcvix.SessionConsole, Reused: true}, opened)
}

func TestTwoWhoWantTheRoomOfAnAutomaticConsole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := sessiontest.Join(t, d.Broker, "ws1")
		d.agents.SetSessions(a.ID, automatic)
		d.report(t, a)
		d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: time.Second})
		errs := make(chan error, 2)
		for _, u := range []dcvix.Username{"alice", "bob"} {
			go func() {
				_, err := d.Open(t.Context(), as(u), session.OpenRequest{Owner: u, Server: "ws1", Type: dcvix.SessionConsole})
				errs <- err
			}()
		}
		one, two := <-errs, <-errs
		assert.NotEqual(t, one == nil, two == nil, "exactly one gets it: %v, %v", one, two)
		assert.Len(t, d.agents.Sessions(a.ID), 1)
		assert.Equal(t, 1, d.agents.Calls(a.ID).Close)
	})
}

func TestTwoAdminsWhoCloseTheSameSession(t *testing.T) {
	for name, how := range map[string]sessiontest.Behaviour{"it ends": {Delay: time.Second}, "it does not": {Hang: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDirector(t)
				a := sessiontest.Join(t, d.Broker, "ws1")
				d.agents.SetSessions(a.ID, desktop("s"))
				d.report(t, a)
				d.agents.Behave(a.ID, how)
				errs := make(chan error, 2)
				for range 2 {
					go func() { errs <- d.Close(t.Context(), admin, "s", "ws1") }()
					synctest.Wait()
				}
				one, two := <-errs, <-errs
				for _, err := range []error{one, two} {
					assert.Equal(t, how.Hang, errors.Is(err, session.ErrAgentTimeout), "%v", err)
					assert.Equal(t, how.Hang, err != nil, "%v", err)
				}
				assert.Equal(t, 1, d.agents.Calls(a.ID).Close)
			})
		})
	}
}

func TestASessionThatIsBeingCreatedIsClosedWhenItIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := d.join(t, "ws1")
		d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: time.Second})
		opened := make(chan error, 1)
		go func() {
			_, err := d.Open(t.Context(), as("alice"), wants("alice", "ws1"))
			opened <- err
		}()
		synctest.Wait()
		require.NoError(t, d.Close(t.Context(), admin, d.Sessions()[0].ID, "ws1"))
		require.NoError(t, <-opened)
		assert.Empty(t, d.Sessions())
		assert.Empty(t, d.agents.Sessions(a.ID))
	})
}
