package session_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// attention returns what the overview wants of a person, by kind.
func attention(o dcvix.Overview) map[string][]string {
	texts := make(map[string][]string)
	for _, a := range o.Attention {
		texts[a.Kind] = append(texts[a.Kind], a.Text)
	}
	return texts
}

func TestTheOverviewCountsEachHostOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		d.policy.set(t, "[]", "[]")
		agents := make(map[dcvix.Hostname]session.Agent)
		for _, name := range []dcvix.Hostname{"cold", "drained", "gone", "ready1", "ready2", "silent"} {
			agents[name] = sessiontest.Join(t, d.Broker, name)
		}
		d.open(t)
		assert.Equal(t, dcvix.HostCounts{Total: 6, Starting: 6}, d.Overview().Hosts)
		assert.True(t, d.Overview().LastReportAt.IsZero())
		d.agents.Behave(agents["gone"].ID, sessiontest.Behaviour{Err: errors.New("down")})
		require.Error(t, d.Ask(t.Context(), agents["gone"]))
		d.report(t, agents["silent"])
		d.report(t, agents["drained"])
		require.NoError(t, d.Drain(t.Context(), admin, "drained", ""))
		time.Sleep(2 * time.Minute)
		d.SweepNow()
		d.agents.SetSessions(agents["ready1"].ID, dcvix.Session{ID: "a", Owner: "alice", Type: dcvix.SessionVirtual, NumOfConnections: 2},
			dcvix.Session{ID: "b", Owner: "bob", Type: dcvix.SessionVirtual})
		d.report(t, agents["ready1"])
		d.report(t, agents["ready2"])

		o := d.Overview()

		assert.Equal(t, dcvix.HostCounts{Total: 6, Drained: 1, Silent: 1, Starting: 1, Offline: 1, Ready: 2}, o.Hosts)
		assert.Equal(t, dcvix.SessionCounts{Total: 2, Connected: 1}, o.Sessions)
		assert.Equal(t, dcvix.AgentCounts{Registered: 6}, o.Agents)
		assert.WithinDuration(t, time.Now(), o.LastReportAt.Time, 0)
		assert.Equal(t, map[string][]string{"host-silent": {"silent is silent."}, "host-offline": {"gone has never reported."}}, attention(o))
	})
}

func TestTheOverviewSaysWhatNeedsAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		d.policy.set(t, `[{"id":"alice","workstations":["nowhere"]}]`, `[{"id":"cad","workstations":["ws1","ws2"]},{"id":"other","workstations":["ws3"]},{"id":"none"}]`)
		agents := make(map[dcvix.Hostname]session.Agent)
		for _, name := range []dcvix.Hostname{"ws1", "ws2", "ws3"} {
			agents[name] = sessiontest.Join(t, d.Broker, name)
		}
		console := dcvix.Session{ID: "console", Owner: "alice", Type: dcvix.SessionConsole}
		for _, name := range []dcvix.Hostname{"ws1", "ws2"} {
			d.agents.SetSessions(agents[name].ID, console)
		}
		update := d.agents.Update(agents["ws1"])
		update.Problems = []string{"dcv does not answer.", "The disk is full."}
		update.Licence = &dcvix.Licence{Mode: "ec2", Products: []dcvix.LicensedProduct{
			{Product: "dcv", ExpiresAt: dcvix.Time{Time: time.Now().Add(4 * 24 * time.Hour)}},
			{Product: "dcv-gl", ExpiresAt: dcvix.Time{Time: time.Now().Add(20 * 24 * time.Hour)}},
			{Product: "far", ExpiresAt: dcvix.Time{Time: time.Now().Add(40 * 24 * time.Hour)}},
		}}
		require.NoError(t, d.Report(t.Context(), agents["ws1"], "10.0.0.1", update))
		update = d.agents.Update(agents["ws2"])
		update.Licence = &dcvix.Licence{Mode: "demo"}
		require.NoError(t, d.Report(t.Context(), agents["ws2"], "10.0.0.1", update))
		d.report(t, agents["ws3"])
		_, err := d.Register(t.Context(), session.Registration{ID: agents["ws3"].ID, KeyHash: session.KeyHash{9}, Hostname: "ws3"})
		require.ErrorIs(t, err, session.ErrKeyMismatch)
		newcomer := session.Registration{ID: sessiontest.NewAgentID(), KeyHash: session.KeyHash{1}, Hostname: "cad-14"}
		_, err = d.Register(t.Context(), newcomer)
		require.ErrorIs(t, err, session.ErrPending)
		_, err = d.Register(t.Context(), session.Registration{ID: agents["ws2"].ID, KeyHash: agents["ws2"].KeyHash, Hostname: "ws-two"})
		require.NoError(t, err)

		o := d.Overview()

		assert.Equal(t, map[string][]string{
			"agent-pending":   {`Agent "cad-14" asks to join.`},
			"key-conflict":    {`Somebody showed another key in the name of agent "ws3": compare the key on the host with the one on record.`},
			"name-wish":       {"ws2 asks for the name ws-two."},
			"host-problem":    {"ws1: dcv does not answer. (and 1 more)"},
			"licence-ends":    {"ws1: the licence of dcv ends on 2000-01-05.", "ws1: the licence of dcv-gl ends on 2000-01-21."},
			"licence-demo":    {"ws2 runs on the demo licence of DCV."},
			"pool-full":       {`Pool "cad" can take no more sessions: 2 of its 2 hosts are in use.`},
			"policy-problems": {`The policy has a mistake: users.json:1: user "alice" has the workstation "nowhere", which no registered agent is.`},
		}, attention(o))
		assert.Equal(t, &dcvix.PoolUse{ID: "cad", Hosts: 2, Used: 2}, o.BusiestPool)
		assert.Equal(t, dcvix.AgentCounts{Pending: 1, Registered: 3, Conflicts: 1}, o.Agents)
		assert.Equal(t, 1, o.PolicyProblems)
		require.Len(t, o.Licences, 3)
		assert.Equal(t, dcvix.LicenceEnd{ServerID: "ws2", Demo: true}, o.Licences[2])
		for _, a := range o.Attention {
			assert.True(t, strings.HasSuffix(a.Text, ".") || a.Kind == "host-problem", a.Text)
			assert.NotNil(t, a.Acts, a.Kind)
		}

		require.NoError(t, d.Approve(t.Context(), agents["ws3"].ID, session.Approval{}), "who has compared the keys says so by approving")
		assert.Zero(t, d.Overview().Agents.Conflicts)
		require.ErrorIs(t, d.Approve(t.Context(), agents["ws3"].ID, session.Approval{}), session.ErrWrongState)
	})
}

func TestAHostThatAsksAnewIsOneEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		d.policy.set(t, "[]", "[]")
		sessiontest.Join(t, d.Broker, "ws1")
		time.Sleep(time.Minute)
		_, err := d.Register(t.Context(), session.Registration{ID: sessiontest.NewAgentID(), KeyHash: session.KeyHash{1}, Hostname: "ws1"})
		require.ErrorIs(t, err, session.ErrPending)
		time.Sleep(3 * time.Minute)
		assert.Equal(t, map[string][]string{
			"agent-pending": {`Agent "ws1" asks to join: it seems to be a registered host that has a new key.`},
		}, attention(d.Overview()))
	})
}

func TestTheOverviewTellsOfTroubleWithStoreAndPolicy(t *testing.T) {
	dir := t.TempDir()
	write := func(users string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, session.UsersFile), []byte(users), 0o600))
	}
	write("[]")
	files, err := session.OpenPolicyDir(t.Context(), session.PolicyDirConfig{Dir: dir})
	require.NoError(t, err)
	d := newDirector(t, func(c *session.Config) { c.Policy = files })
	a := d.join(t, "ws1")
	assert.Empty(t, attention(d.Overview()))

	write("[{]")
	require.Error(t, files.Reload(t.Context()))
	first := d.Overview().Attention
	require.Len(t, first, 1)
	assert.Equal(t, "policy-refused", first[0].Kind)
	assert.Contains(t, first[0].Text, "The policy was refused, and the one before counts: users.json:1: the file is not JSON")
	require.Error(t, files.Reload(t.Context()))
	assert.Equal(t, first[0].Since, d.Overview().Attention[0].Since, "since it was refused first")
	write("[]")
	require.NoError(t, files.Reload(t.Context()))
	assert.Empty(t, attention(d.Overview()))

	d.report(t, a)
	d.store.FailWith(errors.New("disk full"))
	require.Error(t, d.WriteSeen(t.Context()))
	got := d.Overview().Attention
	require.Len(t, got, 1)
	assert.Equal(t, "store-trouble", got[0].Kind)
	assert.WithinDuration(t, time.Now(), got[0].Since.Time, time.Minute)
	d.store.FailWith(nil)
	require.NoError(t, d.WriteSeen(t.Context()))
	assert.Empty(t, attention(d.Overview()))
}

func TestTheSessionsOfADayAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := d.join(t, "ws1")
		b := d.join(t, "ws2")
		first := d.Overview().History
		assert.Equal(t, 900, first.StepSeconds)
		require.Len(t, first.Points, 96)
		assert.Equal(t, make([]*dcvix.SessionCounts, 95), first.Points[:95], "the director did not run")
		assert.Equal(t, &dcvix.SessionCounts{}, first.Points[95])

		d.run(t)
		keep := func(minutes int, sessions ...dcvix.Session) {
			d.agents.SetSessions(a.ID, sessions...)
			for range 2 * minutes {
				d.report(t, a)
				d.report(t, b)
				time.Sleep(30 * time.Second)
			}
		}
		one := dcvix.Session{ID: "s1", Owner: "alice", Type: dcvix.SessionVirtual, NumOfConnections: 1}
		keep(15, one, desktop("s2"))
		keep(5, one, desktop("s2"), desktop("s3"))
		keep(10)
		keep(15)
		h := d.Overview().History
		assert.Equal(t, []*dcvix.SessionCounts{nil, {Total: 2, Connected: 1}, {Total: 3, Connected: 1}, {}, {}}, h.Points[91:], "the most of each quarter of an hour")
		assert.Equal(t, time.Now().UTC().Truncate(15*time.Minute), h.Begin.Add(95*15*time.Minute))
	})
}

func BenchmarkOverview(b *testing.B) {
	d := newDirector(b)
	var pools strings.Builder
	for p := range 1000 {
		fmt.Fprintf(&pools, `,{"id":"p%d","workstations":[`, p)
		for h := range 10 {
			fmt.Fprintf(&pools, `"ws%d"`, 10*p+h)
			if h < 9 {
				pools.WriteString(",")
			}
		}
		pools.WriteString("]}")
	}
	d.policy.set(b, users, "["+pools.String()[1:]+"]")
	for i := range 10_000 {
		a := sessiontest.Join(b, d.Broker, dcvix.Hostname(fmt.Sprintf("ws%d", i)))
		d.agents.SetSessions(a.ID, desktop("s1"), desktop("s2"))
		d.report(b, a)
	}
	d.Overview()
	b.ResetTimer()
	for b.Loop() {
		if o := d.Overview(); o.Hosts.Ready != 10_000 {
			b.Fatal(o.Hosts)
		}
	}
}
