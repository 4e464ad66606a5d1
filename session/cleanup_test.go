package session_test

import (
	"bytes"
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

const day = 24 * time.Hour

// A logBook is a log that a test can read.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBook) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), message)
}

func (l *logBook) use(c *session.Config) { c.Logger = slog.New(slog.NewTextHandler(l, nil)) }

// rarely saves months of looking for silent hosts every 40 s.
func rarely(c *session.Config) { c.Housekeeping = time.Hour }

// fleetOf joins n hosts.
func (d *director) fleetOf(t testing.TB, n int) []session.Agent {
	t.Helper()
	all := make([]session.Agent, n)
	for i := range all {
		all[i] = d.join(t, dcvix.Hostname(fmt.Sprintf("ws%d", i)))
	}
	return all
}

// pass lets time go by in which these agents report every six hours.
func (d *director) pass(t testing.TB, span time.Duration, alive []session.Agent) {
	t.Helper()
	for step := 6 * time.Hour; span > 0; span -= step {
		for _, a := range alive {
			d.report(t, a)
		}
		time.Sleep(min(span, step))
	}
	synctest.Wait()
}

func (d *director) has(id dcvix.AgentID) bool {
	for _, a := range d.Agents("") {
		if a.ID == id {
			return true
		}
	}
	return false
}

func TestAnAgentUnseenFor30DaysOfRunningIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := new(logBook)
		d := newDirector(t, book.use, rarely)
		all := d.fleetOf(t, 21)
		revoked, gone, alive := all[0], all[1], all[2:]
		require.NoError(t, d.Revoke(t.Context(), revoked.ID))
		d.run(t)
		d.pass(t, 5*day, all[1:])
		last := d.entry(t, gone.ID).LastSeenAt

		d.pass(t, 30*day-time.Since(last)-time.Minute, alive)
		require.True(t, d.has(gone.ID), "not before its time")
		d.pass(t, 2*time.Hour, alive)

		require.False(t, d.has(gone.ID))
		require.Equal(t, 1, book.count("registered agent deleted, unseen for 30 days"))
		d.pass(t, 40*day, alive)
		assert.True(t, d.has(revoked.ID), "the revoked are kept for ever")
		assert.Len(t, d.Agents(dcvix.AgentRegistered), 19, "those that report stay")
		d.sameAsStore(t)
		_, err := d.Register(t.Context(), asks(gone.ID, 7, "ws1"))
		assert.ErrorIs(t, err, session.ErrPending, "if it comes back it is a stranger")
	})
}

func TestADirectorThatWasOffForMonthsDeletesNobodyBeforeAMonthAndADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t, rarely)
		all := d.fleetOf(t, 20)
		d.run(t)
		time.Sleep(11 * time.Second) // last-seen times are written
		time.Sleep(40 * day)         // with the old director, whose hosts are all silent
		require.Len(t, d.Agents(""), 20)
		d.open(t)
		begin := time.Now()
		d.run(t)
		alive := all[1:]
		d.pass(t, 31*day-time.Minute, alive)
		require.True(t, d.has(all[0].ID), "after %s", time.Since(begin))
		d.pass(t, 2*time.Hour, alive)
		require.False(t, d.has(all[0].ID))
		assert.Len(t, d.Agents(""), 19)
	})
}

func TestMoreThanATenthIsNeverDeletedAndThatIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const spared = "no unseen agent deleted: they are more than a tenth of all"
		book := new(logBook)
		d := newDirector(t, book.use, rarely)
		all := d.fleetOf(t, 20)
		d.run(t)
		d.pass(t, 60*day, all[3:])
		require.Len(t, d.Agents(""), 20)
		require.Equal(t, 1, book.count(spared))

		d.pass(t, time.Hour, all[2:]) // one comes back, two are a tenth
		d.pass(t, 2*time.Hour, all[2:])

		assert.Len(t, d.Agents(""), 18)
		assert.Equal(t, 1, book.count(spared))
		d.sameAsStore(t)
	})
}

func TestAClockThatJumpsDeletesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead time.Duration
		var mu sync.Mutex
		d := newDirector(t, func(c *session.Config) {
			c.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(ahead) }
		})
		all := d.fleetOf(t, 30)
		d.run(t)
		d.pass(t, 3*day, all)
		mu.Lock()
		ahead = 365 * day
		mu.Unlock()
		d.pass(t, 5*day, all[1:]) // one is off for some days
		assert.Len(t, d.Agents(""), 30)
	})
}

func TestAnAgentThatIsTakenBackHasItsWholeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t, rarely)
		all := d.fleetOf(t, 20)
		d.run(t)
		d.pass(t, 20*day, all[1:])
		require.NoError(t, d.Revoke(t.Context(), all[0].ID))
		d.pass(t, 40*day, all[1:])
		require.NoError(t, d.Reactivate(t.Context(), all[0].ID))
		d.pass(t, 29*day, all[1:])
		require.True(t, d.has(all[0].ID))
		d.pass(t, 2*day, all[1:])
		assert.False(t, d.has(all[0].ID))
	})
}

func TestADeletionThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := new(logBook)
		d := newDirector(t, book.use, rarely)
		var all []session.Agent
		for i := range 10 {
			all = append(all, sessiontest.Join(t, d.Broker, dcvix.Hostname(fmt.Sprintf("ws%d", i))))
		}
		d.run(t)
		d.pass(t, 30*day+23*time.Hour, all[1:])
		d.store.FailWith(assert.AnError)
		d.pass(t, 3*time.Hour, all[1:])
		require.True(t, d.has(all[0].ID))
		require.Positive(t, book.count("agents that are gone not forgotten"))
		d.store.FailWith(nil)
		d.pass(t, 2*time.Hour, all[1:])
		assert.False(t, d.has(all[0].ID))
	})
}

func TestWhatIsForgottenForItsAgeIsOnRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(sessiontest.AuditLog)
		d := newDirector(t, rarely, func(c *session.Config) { c.Audit = log })
		all := d.fleetOf(t, 20)
		_, _ = d.Register(t.Context(), asks("p", 1, "waits"))
		d.run(t)
		d.pass(t, 32*day, all[1:])
		require.False(t, d.has(all[0].ID))
		require.False(t, d.has("p"))

		records, err := log.Read(t.Context(), session.AuditQuery{Action: session.AuditAgentForget})
		require.NoError(t, err)
		require.Len(t, records, 2)
		for i, want := range []session.AuditRecord{
			{Target: "p", Reason: "not approved in time", Old: "pending waits, last seen never"},
			{Target: string(all[0].ID), Reason: "unseen for 30 days", Old: "registered ws0, last seen 2000-01-01T00:00:00Z"},
		} {
			want.Action, want.Outcome, want.Role, want.Time = session.AuditAgentForget, session.AuditOK, session.AuditDirector, records[i].Time
			assert.Equal(t, want, records[i])
		}
	})
}

func TestWhatCannotBePutOnRecordIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, log := new(logBook), new(sessiontest.AuditLog)
		d := newDirector(t, rarely, book.use, func(c *session.Config) { c.Audit = log })
		_, _ = d.Register(t.Context(), asks("p", 1, "waits"))
		log.Fail(assert.AnError)
		d.run(t)
		time.Sleep(8 * day)
		require.True(t, d.has("p"))
		require.Positive(t, book.count("pending agents not forgotten"))
		log.Fail(nil)
		time.Sleep(2 * time.Hour)
		assert.False(t, d.has("p"))
	})
}

func TestADeletionThatFailsIsOnRecordAsFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(sessiontest.AuditLog)
		d := newDirector(t, rarely, func(c *session.Config) { c.Audit = log })
		_, _ = d.Register(t.Context(), asks("p", 1, "waits"))
		d.run(t)
		time.Sleep(7*day - time.Hour)
		d.store.FailWith(assert.AnError)
		time.Sleep(150 * time.Minute)
		d.store.FailWith(nil)
		records, err := log.Read(t.Context(), session.AuditQuery{Target: "p"})
		require.NoError(t, err)
		require.NotEmpty(t, records)
		assert.Equal(t, session.AuditFailed, records[len(records)-1].Outcome)
	})
}
