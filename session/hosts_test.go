package session_test

import (
	"fmt"
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

func TestAColdDirectorAsksBeforeItAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := sessiontest.Join(t, d.Broker, "ws1")
		d.agents.SetSessions(a.ID, desktop("s"))
		d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: time.Second})

		d.open(t) // nothing is known but the register
		require.Empty(t, d.Hosts())
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { assert.True(t, d.Verify(t.Context(), "alice", "s", "ws1")) })
			wg.Go(func() {
				_, err := d.Connect(t.Context(), "alice", "s", "ws1")
				assert.NoError(t, err)
			})
			wg.Go(func() {
				opened, err := d.Open(t.Context(), as("alice"), wants("alice", "ws1"))
				assert.NoError(t, err)
				assert.Equal(t, dcvix.SessionID("s"), opened.ID)
			})
		}
		begun := time.Now()
		wg.Wait()
		assert.LessOrEqual(t, time.Since(begun), 2*time.Second)
		assert.Zero(t, d.agents.Calls(a.ID).Create)
		reports := d.agents.Calls(a.ID).Report
		assert.True(t, d.Verify(t.Context(), "alice", "s", "ws1"))
		assert.Equal(t, reports, d.agents.Calls(a.ID).Report, "once known, it is not asked again")
	})
}

func TestAColdDirectorAndAHostThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := sessiontest.Join(t, d.Broker, "ws1")
		d.agents.Behave(a.ID, sessiontest.Behaviour{Hang: true})
		begun := time.Now()
		assert.False(t, d.Verify(t.Context(), "alice", "s", "ws1"))
		assert.Equal(t, 10*time.Second, time.Since(begun))
		_, err := d.Open(t.Context(), as("alice"), wants("alice", "ws1"))
		require.ErrorIs(t, err, session.ErrAgentTimeout)
		_, err = d.Connect(t.Context(), "alice", "s", "ws1")
		assert.ErrorIs(t, err, session.ErrForbidden)
	})
}

func TestRunAsksEveryRegisteredHostAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		for i := range 100 {
			a := sessiontest.Join(t, d.Broker, dcvix.Hostname(fmt.Sprintf("ws%d", i)))
			d.agents.SetSessions(a.ID, desktop("s"))
			d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: 100 * time.Millisecond})
			if i == 7 {
				d.agents.Behave(a.ID, sessiontest.Behaviour{Hang: true})
			}
			if i == 8 {
				require.NoError(t, d.Revoke(t.Context(), a.ID))
			}
		}
		d.open(t)
		d.run(t)
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Len(t, d.Hosts(), 98, "all but the one that hangs and the one that is revoked")
	})
}

func TestARevokedAgentIsNeverCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := sessiontest.Join(t, d.Broker, "ws1")
		d.agents.SetSessions(a.ID, desktop("s"))
		d.report(t, a)
		d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: 5 * time.Second})
		var wg sync.WaitGroup
		for _, user := range []dcvix.Username{"bob", "alice"} { // one is under way, the other waits for it
			wg.Go(func() {
				_, _ = d.Open(t.Context(), as(user), session.OpenRequest{Owner: user, Server: "ws1", Type: dcvix.SessionVirtual, ID: "n"})
			})
			synctest.Wait()
		}
		before := d.agents.Calls(a.ID)
		require.Equal(t, 1, before.Create)
		require.NoError(t, d.Revoke(t.Context(), a.ID))
		wg.Wait()

		_, err := d.Open(t.Context(), admin, wants("bob", "ws1"))
		require.ErrorIs(t, err, session.ErrNotFound)
		require.ErrorIs(t, d.Close(t.Context(), admin, "s", "ws1"), session.ErrNotFound)
		require.ErrorIs(t, d.Close(t.Context(), admin, "s", ""), session.ErrNotFound)
		assert.False(t, d.Verify(t.Context(), "alice", "s", "ws1"))
		require.Error(t, d.Ask(t.Context(), a))
		assert.Equal(t, before, d.agents.Calls(a.ID))
		assert.Empty(t, d.Sessions())
		assert.Empty(t, d.Hosts(), "also after what was under way has ended")
	})
}

// An update was authorized, and its agent is revoked before it is taken in.
func TestAReportOfAnAgentThatWasJustRevokedChangesNothing(t *testing.T) {
	d := newDirector(t)
	a := d.join(t, "ws1")
	require.NoError(t, d.Revoke(t.Context(), a.ID))
	require.ErrorIs(t, d.Report(t.Context(), a, "10.0.0.1", d.agents.Update(a)), session.ErrRevoked)
	assert.Empty(t, d.Hosts())
}

func TestRevocationWinsOverReportsThatStream(t *testing.T) {
	d := newDirector(t)
	for range 200 {
		a := d.join(t, "ws1")
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for d.Report(t.Context(), a, "10.0.0.1", d.agents.Update(a)) == nil {
				}
			})
			wg.Go(func() { _ = d.Ask(t.Context(), a) })
		}
		require.NoError(t, d.Revoke(t.Context(), a.ID))
		wg.Wait()
		require.Empty(t, d.Hosts())
	}
}

func TestAHostSpeaksUnderItsOwnNames(t *testing.T) {
	d := newDirector(t)
	a := sessiontest.Join(t, d.Broker, "ws1.lab")
	require.NoError(t, d.Approve(t.Context(), a.ID, session.Approval{Aliases: []dcvix.Hostname{"cad1.lab"}}))
	for name, ok := range map[string]bool{
		"ws1.lab": true, "WS1.LAB.": true, "ws1": true, "cad1.lab": true, "cad1": true,
		"ws2": false, "ws1.other": false, "lab": false, "": false, "10.0.0.1": false, "ws1\n": false,
	} {
		update := says()
		update.Stats.Hostname = name
		err := d.Report(t.Context(), a, "10.0.0.1", update)
		if ok {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorIs(t, err, session.ErrForbidden, name)
		}
	}
}

func TestSilentHostsAreSaidSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := sessiontest.Join(t, d.Broker, "ws1")
		d.agents.SetSessions(a.ID, desktop("s"))
		d.report(t, a)
		d.run(t)
		time.Sleep(121 * time.Second)
		synctest.Wait()
		require.Len(t, d.Hosts(), 1)
		assert.True(t, d.Hosts()[0].Silent)
		assert.Equal(t, dcvix.StatusUnknown, d.Sessions()[0].Status)
		assert.True(t, d.Verify(t.Context(), "alice", "s", "ws1"), "its agent is silent; its DCV server asks")
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Empty(t, d.Hosts())
	})
}
