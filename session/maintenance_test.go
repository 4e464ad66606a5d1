package session_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

func TestADrainedHostGetsNothingNewAndKeepsWhatItHas(t *testing.T) {
	d := newDirector(t)
	a := d.join(t, "ws1")
	opened, err := d.Open(t.Context(), as("alice"), wants("alice", "ws1"))
	require.NoError(t, err)
	require.NoError(t, d.Drain(t.Context(), admin, "WS1", "new disk at 12"))

	_, err = d.Open(t.Context(), as("bob"), wants("bob", "ws1"))
	require.ErrorIs(t, err, session.ErrMaintenance)
	require.ErrorIs(t, err, session.ErrConflict)
	require.ErrorContains(t, err, "new disk at 12")
	_, err = d.Open(t.Context(), admin, wants("bob", "ws1"))
	require.ErrorIs(t, err, session.ErrMaintenance, "for admins too")

	again, err := d.Open(t.Context(), as("alice"), wants("alice", "ws1"))
	require.NoError(t, err)
	assert.True(t, again.Reused)
	assert.True(t, d.Verify(t.Context(), "alice", opened.ID, "ws1"))
	_, err = d.Connect(t.Context(), "alice", opened.ID, "")
	require.NoError(t, err)
	require.Len(t, d.Hosts(), 1)
	flags := d.Hosts()[0].Flags
	assert.Equal(t, session.HostFlags{Agent: a.ID, Maintenance: true, Message: "new disk at 12", By: "root", At: flags.At}, flags)

	d.open(t)
	d.report(t, a)
	_, err = d.Open(t.Context(), as("bob"), wants("bob", "ws1"))
	require.ErrorIs(t, err, session.ErrMaintenance, "also after a restart")
	require.NoError(t, d.Close(t.Context(), as("alice"), opened.ID, ""))

	require.NoError(t, d.Undrain(t.Context(), admin, "ws1"))
	require.NoError(t, d.Undrain(t.Context(), admin, "ws1"), "once more")
	assert.Zero(t, d.Hosts()[0].Flags)
	_, err = d.Open(t.Context(), as("bob"), wants("bob", "ws1"))
	require.NoError(t, err)
}

func TestMaintenanceIsForAdminsAndHosts(t *testing.T) {
	d := newDirector(t)
	d.join(t, "ws1")
	ctx := t.Context()
	require.ErrorIs(t, d.Drain(ctx, as("alice"), "ws1", ""), session.ErrForbidden)
	require.ErrorIs(t, d.Undrain(ctx, as("alice"), "ws1"), session.ErrForbidden)
	require.ErrorIs(t, d.Drain(ctx, admin, "ws9", ""), session.ErrNotFound)
	for _, message := range []string{"a\nb", "\x1b[31m", strings.Repeat("a", 301), "a\u202eb"} {
		require.ErrorIs(t, d.Drain(ctx, admin, "ws1", message), session.ErrInvalid)
	}
	d.store.FailWith(errors.New("disk full"))
	require.ErrorContains(t, d.Drain(ctx, admin, "ws1", ""), "disk full")
	d.store.FailWith(nil)
	assert.Zero(t, d.Hosts()[0].Flags, "what is not stored does not count")
	require.NoError(t, d.Drain(ctx, admin, "ws1", ""))
	d.store.FailWith(errors.New("disk full"))
	require.ErrorContains(t, d.Undrain(ctx, admin, "ws1"), "disk full")
	assert.True(t, d.Hosts()[0].Flags.Maintenance)
}

func TestDesktops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		d.policy.set(t, `[{"id":"alice","workstations":["ws1","WS2.lab","ws3","ws4","ws5","ws9"],"pools":["cad","none"]}]`,
			`[{"id":"cad","workstations":["ws2","ws6"]},{"id":"none","workstations":[]}]`)
		agents := make(map[dcvix.Hostname]session.Agent)
		for _, name := range []dcvix.Hostname{"ws1", "ws2", "ws3", "ws4", "ws5", "ws6"} {
			agents[name] = sessiontest.Join(t, d.Broker, name)
		}
		d.open(t)
		for _, desk := range d.Desktops(as("alice")) {
			want := session.DesktopStarting
			if desk.Name == "ws9" || desk.Name == "none" {
				want = session.DesktopUnusable
			}
			assert.Equal(t, want, desk.State, desk.Name)
		}
		console := func(owner dcvix.Username, clients int) dcvix.Session {
			return dcvix.Session{ID: "x", Owner: owner, Type: dcvix.SessionConsole, NumOfConnections: clients}
		}
		d.agents.SetSessions(agents["ws1"].ID, console("alice", 1))
		d.agents.SetSessions(agents["ws2"].ID, console("bob", 0))
		d.agents.SetSessions(agents["ws4"].ID, desktop("s"))
		for _, name := range []dcvix.Hostname{"ws1", "ws2", "ws3", "ws4", "ws6"} {
			d.report(t, agents[name])
		}
		require.Error(t, func() error { // ws5 does not answer
			d.agents.Behave(agents["ws5"].ID, sessiontest.Behaviour{Err: errors.New("down")})
			return d.Ask(t.Context(), agents["ws5"])
		}())
		require.NoError(t, d.Drain(t.Context(), admin, "ws3", "new disk."))

		both := []dcvix.SessionType{dcvix.SessionConsole, dcvix.SessionVirtual}
		type row struct {
			state    session.DesktopState
			detail   string
			sessions int
			types    []dcvix.SessionType
		}
		want := map[string]row{
			"cad":     {session.DesktopReady, "It is free.", 0, both},
			"none":    {session.DesktopUnusable, "It cannot be used as it is set up: tell your admin.", 0, nil},
			"ws1":     {session.DesktopInUse, "You have a session there, and a client is connected.", 1, both[:1]},
			"WS2.lab": {session.DesktopBusy, "Others have it: try again later.", 0, nil},
			"ws3":     {session.DesktopMaintenance, "It is in maintenance: new disk.", 0, nil},
			"ws4":     {session.DesktopOwn, "You have a session there.", 1, both[1:]},
			"ws5":     {session.DesktopOffline, "It does not report: tell your admin.", 0, nil},
			"ws6":     {session.DesktopReady, "It is free.", 0, both},
			"ws9":     {session.DesktopUnusable, "It cannot be used as it is set up: tell your admin.", 0, nil},
		}
		got := make(map[string]row)
		for _, desk := range d.Desktops(as("alice")) {
			assert.NotNil(t, desk.Sessions)
			assert.NotContains(t, desk.Detail, "bob")
			assert.Equal(t, desk.Name == "cad" || desk.Name == "none", desk.Pool)
			r := row{desk.State, desk.Detail, len(desk.Sessions), desk.Types}
			if len(r.types) == 0 {
				r.types = nil
			}
			got[desk.Name] = r
		}
		delete(want, "ws6") // the pool alone gives it
		assert.Equal(t, want, got)
		assert.Equal(t, dcvix.Hostname("ws2"), d.Desktops(as("alice"))[3].Host, "the names are the policy's, in its order, after the pools")
		assert.Empty(t, d.Desktops(as("mallory")))

		// What Types says is so.
		for _, desk := range d.Desktops(as("alice")) {
			if desk.Pool {
				continue
			}
			for _, kind := range both {
				_, err := d.Open(t.Context(), as("alice"), session.OpenRequest{Owner: "alice", Server: desk.Name, Type: kind})
				assert.Equal(t, len(desk.Types) > 0 && (desk.Types[0] == kind || len(desk.Types) > 1 && kind == dcvix.SessionConsole), err == nil, "%s on %s: %v", kind, desk.Name, err)
			}
		}
	})
}

func TestADesktopThatIsBeingOpenedSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := d.join(t, "ws1")
		d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: time.Second})
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = d.Open(t.Context(), as("alice"), wants("alice", "ws1"))
		}()
		synctest.Wait()
		desk := d.Desktops(as("alice"))[0]
		assert.Equal(t, session.DesktopPassing, desk.State)
		require.Len(t, desk.Sessions, 1)
		assert.Equal(t, dcvix.StatusCreating, desk.Sessions[0].Status)
		assert.False(t, d.Verify(t.Context(), "alice", desk.Sessions[0].ID, "ws1"), "it is not there yet")
		_, err := d.Connect(t.Context(), "alice", desk.Sessions[0].ID, "")
		require.ErrorIs(t, err, session.ErrForbidden)
		assert.Equal(t, session.DesktopReady, d.Desktops(as("bob"))[0].State, "another virtual one fits beside it")
		<-done
		assert.Equal(t, session.DesktopOwn, d.Desktops(as("alice"))[0].State)
	})
}

func BenchmarkDesktops(b *testing.B) {
	d, _ := newPool(b, 200, 1, func(c *session.Config) { c.Logger, c.PendingMax = slog.New(slog.DiscardHandler), 1000 })
	b.ReportAllocs()
	for b.Loop() {
		if got := d.Desktops(as("u1")); len(got) != 1 {
			b.Fatal(len(got))
		}
	}
}
