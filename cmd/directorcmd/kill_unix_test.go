//go:build unix

package directorcmd_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient/agentclienttest"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/auditfile"
)

// TestADirectorThatIsKilledUnderLoadLosesNoSession kills a director while people
// open, enter and close desktops on agents with real certificates, and starts it
// again: whatever it answered is so, nobody logs in again, and nobody has two.
func TestADirectorThatIsKilledUnderLoadLosesNoSession(t *testing.T) {
	const hosts, people, kills = 3, 6, 5
	path := conf(t, "", "")
	users := []string{`{"id":"root","admin":true}`}
	for i := range people {
		users = append(users, fmt.Sprintf(`{"id":"user%d","workstations":["ws%d"]}`, i, i%hosts))
	}
	setUsers(t, path, "["+strings.Join(users, ",")+"]")
	r, address := start(t, process(t, "--conf", path))
	admin := person(t, path, address)
	require.NoError(t, admin.AdminLogin(t.Context(), dcvix.LoginRequest{UserID: "root", Password: password}))
	var agents []*agentclienttest.Agent
	for i := range hosts {
		a := agentclienttest.New(t, "https://"+address, agentclienttest.WithHostname(fmt.Sprintf("ws%d", i)))
		agents = append(agents, a)
		directorapitest.Await(t, "the agent is approved", func() bool {
			return admin.Approve(t.Context(), a.GUID(), dcvix.ApproveRequest{}) == nil
		})
	}
	for _, a := range agents {
		a.AwaitReport()
	}
	l := &load{t: t}
	for i := range people {
		c := person(t, path, address)
		require.NoError(t, c.Login(t.Context(), dcvix.LoginRequest{UserID: fmt.Sprintf("user%d", i), Password: password}))
		l.add(c, fmt.Sprintf("ws%d", i%hosts))
	}

	for range kills {
		l.await(people)
		require.NoError(t, r.cmd.Process.Kill())
		_ = r.cmd.Wait() // of course it was
		again := process(t, "--conf", path)
		again.Env = append(again.Env, "DCVIX_DIRECTOR_DIRECTOR_PORT="+strings.TrimPrefix(address, "127.0.0.1:"))
		r, _ = start(t, again)
	}
	l.await(people)
	l.end()

	var there []string
	for _, a := range agents {
		state, err := a.DCV().State()
		require.NoError(t, err)
		for _, s := range state.Sessions {
			there = append(there, s.ID)
		}
	}
	all, err := admin.Sessions(t.Context())
	require.NoError(t, err)
	var known []string
	for _, s := range all {
		known = append(known, string(s.ID))
	}
	slices.Sort(there)
	slices.Sort(known)
	assert.Equal(t, there, known, "the director knows what is on the hosts")
	assert.Len(t, known, people, "everybody has one")
	registered, err := admin.Agents(t.Context(), "")
	require.NoError(t, err)
	assert.Len(t, registered, hosts)
	l.onRecord(filepath.Join(filepath.Dir(path), "data", "audit.jsonl"))
}

// A load is people who open and close desktops all the time.
type load struct {
	t       *testing.T
	workers []*worker
	group   sync.WaitGroup
	ending  atomic.Bool
	did     atomic.Int64 // acts that were answered
}

// A worker is one of them, with what the director said last.
type worker struct {
	*load
	c      *client.Client
	host   string
	open   dcvix.SessionID // "" when none
	sure   bool            // that it is so: else the director was killed before it answered
	opened []dcvix.SessionID
}

func (l *load) add(c *client.Client, host string) {
	w := &worker{load: l, c: c, host: host}
	l.workers = append(l.workers, w)
	l.group.Go(func() {
		for !l.ending.Load() {
			w.step()
		}
		w.settle()
	})
}

// await waits until some acts more were answered.
func (l *load) await(acts int) {
	l.t.Helper()
	until := l.did.Load() + int64(acts)
	directorapitest.Await(l.t, "people go on", func() bool { return l.did.Load() >= until })
}

// end lets everybody come to rest with one desktop.
func (l *load) end() {
	l.ending.Store(true)
	l.group.Wait()
}

// onRecord looks that the audit is whole and has every session that was answered.
func (l *load) onRecord(path string) {
	_, err := auditfile.Verify(path)
	require.NoError(l.t, err)
	log, err := auditfile.Open(l.t.Context(), auditfile.Config{Path: path})
	require.NoError(l.t, err)
	defer func() { _ = log.Close() }()
	seen := make(map[string]bool)
	require.NoError(l.t, log.Scan(l.t.Context(), session.AuditQuery{Action: session.AuditSessionOpen, Outcome: session.AuditOK}, func(r session.AuditRecord) error {
		seen[r.Target] = true
		return nil
	}))
	for _, w := range l.workers {
		for _, id := range w.opened {
			assert.True(l.t, seen[string(id)], "session %s is not on record", id)
		}
	}
}

// step opens a desktop, or enters and closes the one that is open.
func (w *worker) step() {
	ctx := w.t.Context()
	if w.open == "" || !w.sure {
		w.begin()
		return
	}
	if _, err := w.c.ConnectionToken(ctx, w.open, w.host); w.failed(err, "enter") {
		return
	}
	if w.failed(w.c.CloseSession(ctx, w.open, w.host), "close") {
		w.sure = false
		return
	}
	w.open, w.sure = "", true
}

func (w *worker) begin() {
	opened, err := w.c.CreateSession(w.t.Context(), dcvix.CreateSessionRequest{ServerID: w.host, SessionType: "virtual"})
	if w.failed(err, "open") {
		w.sure = false
		return
	}
	if w.sure && w.open != "" {
		assert.Equal(w.t, w.open, opened.SessionID, "a desktop that was there is another one now")
	}
	if w.sure && w.open == "" {
		assert.False(w.t, opened.Reused, "a desktop that was closed is there again")
	}
	w.open, w.sure = opened.SessionID, true
	w.opened = append(w.opened, opened.SessionID)
}

// failed says whether an act got no answer, as when the director was killed. A
// director that answers must not fail.
func (w *worker) failed(err error, act string) bool {
	if err == nil {
		w.did.Add(1)
		return false
	}
	if said := (*dcvix.Error)(nil); errors.As(err, &said) {
		w.t.Errorf("%s on %s: %v", act, w.host, err)
	}
	time.Sleep(5 * time.Millisecond) // it is being started
	return true
}

// settle ends with one desktop that is known for sure.
func (w *worker) settle() {
	w.begin()
	mine, err := w.c.UserSessions(w.t.Context())
	if assert.NoError(w.t, err) && assert.Len(w.t, mine, 1) {
		assert.Equal(w.t, w.open, mine[0].ID)
	}
}
