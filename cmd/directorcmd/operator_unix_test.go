//go:build unix

package directorcmd_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/directorcmd"
	"github.com/dcvix/dcvix/cmd/internal/datadir"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/auditfile"
	"github.com/dcvix/dcvix/session/sqlite"
)

func dataOf(path string) string { return filepath.Join(filepath.Dir(path), "data") }

// home makes the files of a director and puts agents into its register, and
// returns its configuration.
func home(t *testing.T, path string, agents ...session.Agent) string {
	t.Helper()
	stopAtOnce(t, path)
	store, err := sqlite.Open(t.Context(), filepath.Join(dataOf(path), "agents.db"), nil)
	require.NoError(t, err)
	ids := make([]dcvix.AgentID, len(agents))
	for i, a := range agents {
		ids[i] = a.ID
	}
	require.NoError(t, store.ChangeAgents(t.Context(), func(stored []*session.Agent) error {
		for i := range agents {
			stored[i] = &agents[i]
		}
		return nil
	}, ids...))
	require.NoError(t, store.Close())
	return path
}

// guid returns a GUID whose first eight digits say its number.
func guid(n int) dcvix.AgentID {
	return dcvix.AgentID(fmt.Sprintf("%08x", n) + uuid.NewString()[8:])
}

func waits(n int, name string) session.Agent {
	return session.Agent{
		ID: guid(n), State: dcvix.AgentPending, Hostname: dcvix.Hostname(name), KeyHash: session.KeyHash{byte(n)},
		CreatedAt: time.Date(2026, 11, 22, 17, 3, 0, 0, time.UTC),
	}
}

// say runs a subcommand with the configuration.
func say(t *testing.T, path string, words ...string) result {
	t.Helper()
	return finish(t, process(t, append(words, "--conf", path)...))
}

// done returns what a subcommand that went well printed.
func done(t *testing.T, path string, words ...string) string {
	t.Helper()
	got := say(t, path, words...)
	require.Zero(t, got.code, got.stderr)
	require.Empty(t, got.stderr)
	return got.stdout
}

func onRecord(t *testing.T, path string, action session.AuditAction) []session.AuditRecord {
	t.Helper()
	file := filepath.Join(dataOf(path), "audit.jsonl")
	_, err := auditfile.Verify(file)
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var found []session.AuditRecord
	for line := range strings.Lines(string(text)) {
		r := record(t, line)
		if r.Action == action {
			found = append(found, r)
		}
	}
	return found
}

func me(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	require.NoError(t, err)
	return u.Username
}

// TestAnAdminNeedsNoBrowser walks through every command, with a director that runs
// and with none.
func TestAnAdminNeedsNoBrowser(t *testing.T) {
	for name, runs := range map[string]bool{"a director that runs": true, "no director": false} {
		t.Run(name, func(t *testing.T) {
			ws1, ws2, ws3, twin := waits(1, "ws1"), waits(2, "ws2"), waits(3, "ws3"), waits(4, "ws1")
			path := home(t, conf(t, "", ""), ws1, ws2, ws3, twin)
			if runs {
				start(t, process(t, "--conf", path))
			}
			list := done(t, path, "agents", "list")
			assert.Regexp(t, `(?m)^STATE +HOST +GUID +KEY +LAST SEEN +REMARKS\n`+
				`pending +ws1 +`+string(ws1.ID)+` +01(:00){31} +asked 2026-11-22 17:03 UTC +2 pending agents ask for this name$`, list)

			assert.Equal(t, fmt.Sprintf("approved ws1 (%s)\n", ws1.ID), done(t, path, "agents", "approve", string(ws1.ID[:8])))
			taken := say(t, path, "agents", "approve", string(twin.ID))
			assert.Equal(t, directorcmd.ExitFailure, taken.code)
			assert.Regexp(t, `^ws1 \(`+string(twin.ID)+`\): The registered agent ws1 has this name \(key 01:.*\), and this one is another \(key 04:.*\): compare both`, taken.sentence(t))
			assert.Contains(t, done(t, path, "agents", "list"), "the name is held by registered agent 00000001")
			some := say(t, path, "agents", "approve", string(ws2.ID), string(twin.ID), strings.ToUpper(string(ws3.ID)))
			assert.Equal(t, directorcmd.ExitFailure, some.code, "one of them was not approved")
			assert.Equal(t, fmt.Sprintf("approved ws2 (%s)\napproved ws3 (%s)\n", ws2.ID, ws3.ID), some.stdout)
			done(t, path, "agents", "approve", string(twin.ID), "--replace", "--alias", "cad1", "--alias", "cad2")
			assert.Regexp(t, `registered +ws1 +`+string(twin.ID)+` .* never +also named cad1, cad2\n`, done(t, path, "agents", "list", "--state", "registered"))
			assert.Equal(t, "No agent is pending.\n", done(t, path, "agents", "list", "--state", "pending"))
			assert.Equal(t, fmt.Sprintf("revoked ws2 (%s)\n", ws2.ID), done(t, path, "agents", "revoke", "00000002"))
			assert.Equal(t, fmt.Sprintf("reactivated ws2 (%s)\n", ws2.ID), done(t, path, "agents", "reactivate", "00000002"))

			for action, acts := range map[session.AuditAction]int{session.AuditAgentApprove: 4, session.AuditAgentRevoke: 1, session.AuditAgentReactivate: 1} {
				var good int
				for _, r := range onRecord(t, path, action) {
					if r.Outcome == session.AuditOK {
						good++
					}
					assert.Equal(t, "admin "+me(t)+" local", fmt.Sprint(r.Role, " ", r.Actor, " ", r.Address))
				}
				assert.Equal(t, acts, good, action)
			}
		})
	}
}

func TestARunningDirectorIsAskedForItsPolicyAndItsHosts(t *testing.T) {
	ws1, ws2, twin := waits(1, "ws1.lab"), waits(2, "ws2.lab"), waits(3, "ws2.annex")
	path := home(t, conf(t, "fold_user_case = true", ""), ws1, ws2, twin)
	folder := filepath.Join(filepath.Dir(path), "policydb")
	setUsers(t, path, `[{"id":"Alice","workstations":["ws1","ws2","ws3"]}]`)
	start(t, process(t, "--conf", path))
	done(t, path, "agents", "approve", string(ws1.ID), string(ws2.ID), string(twin.ID))

	assert.Equal(t, `user      alice
groups    none
asked     the running director
entries   user "Alice" (users.json:1)
admin     no
any host  no

HOST  AGENT                           FROM
ws1   ws1.lab                         user "Alice" (users.json:1)
ws2   one of 2: write the whole name  user "Alice" (users.json:1)
ws3   none is registered              user "Alice" (users.json:1)
`, done(t, path, "policy", "show", "--user", "alice"))
	assert.Contains(t, done(t, path, "policy", "show", "--user", "alice", "--json"), `"agents": []`)

	got := say(t, path, "policy", "check")
	assert.Equal(t, directorcmd.ExitFailure, got.code)
	assert.Empty(t, got.stderr)
	assert.Equal(t, `users.json:1: user "Alice" has the workstation "ws2", which could be ws2.lab or ws2.annex. Write the whole name of one.
users.json:1: user "Alice" has the workstation "ws3", which no registered agent is. Start an agent there and approve it, or take the name away.
`, got.stdout)

	elsewhere := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(elsewhere, "users.json"), []byte(`[{"id":"alice","workstations":["ws1","ws2.annex"]}]`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(elsewhere, "pools.json"), []byte(`[]`), 0o600))
	assert.Equal(t, "The policy in "+elsewhere+" has no mistakes; its hosts are registered agents.\n", done(t, path, "policy", "check", "--policydb", elsewhere))
	assert.NoFileExists(t, filepath.Join(folder, "groups.json"))
}

func TestADenialIsTakenBack(t *testing.T) {
	for name, runs := range map[string]bool{"a director that runs": true, "no director": false} {
		t.Run(name, func(t *testing.T) {
			ws1, ws2 := waits(1, "ws1"), waits(2, "ws2")
			path := home(t, conf(t, "", ""), ws1, ws2)
			if runs {
				start(t, process(t, "--conf", path))
			}
			assert.Equal(t, "No agent was denied within a day.\n", done(t, path, "agents", "denied"))
			done(t, path, "agents", "deny", "00000001", "00000002")
			assert.Regexp(t, `^GUID +KEY +DENIED\n0000000[12].* 0[12](:00){31} +20\d\d-.* UTC\n0000000`, done(t, path, "agents", "denied"))
			assert.Equal(t, fmt.Sprintf("forgotten the denial of %s\n", ws1.ID), done(t, path, "agents", "forget", "00000001"))
			again := say(t, path, "agents", "forget", "00000001")
			assert.Equal(t, directorcmd.ExitFailure, again.code)
			assert.Contains(t, again.sentence(t), `there is no GUID that begins with "00000001"`)
			assert.Contains(t, done(t, path, "agents", "denied", "--json"), string(ws2.ID))
			assert.Contains(t, done(t, path, "agents", "list"), "No agent has asked to join yet: start dcvix-agent on a host")
			records := onRecord(t, path, session.AuditForgetDenial)
			require.Len(t, records, 1)
			assert.Equal(t, me(t), records[0].Actor)
			assert.Equal(t, string(ws1.ID), records[0].Target)
		})
	}
}

func TestTheFlagsOfThe01GenerationDoTheSame(t *testing.T) {
	for _, dashes := range []string{"-", "--"} {
		ws1 := waits(1, "ws1")
		path := home(t, conf(t, "", ""), ws1)
		assert.Equal(t, done(t, path, "agents", "list", "--state", "pending"), done(t, path, dashes+"list-pending-agents"))
		assert.Equal(t, fmt.Sprintf("approved ws1 (%s)\n", ws1.ID), done(t, path, dashes+"approve-agent", string(ws1.ID)))
		assert.Equal(t, fmt.Sprintf("revoked ws1 (%s)\n", ws1.ID), done(t, path, dashes+"revoke-agent="+string(ws1.ID)))
		got := say(t, path, dashes+"revoke-agent=")
		assert.Equal(t, directorcmd.ExitUsage, got.code, "a slip, and no wish to serve")
		assert.Contains(t, got.sentence(t), "too short")
	}
}

func TestAKilledDirectorIsInNobodysWay(t *testing.T) {
	ws1, ws2 := waits(1, "ws1"), waits(2, "ws2")
	path := home(t, conf(t, "", ""), ws1, ws2)
	socket := filepath.Join(dataOf(path), "control.sock")
	r, _ := start(t, process(t, "--conf", path))
	info, err := os.Stat(socket)
	require.NoError(t, err)
	assert.Equal(t, fs.ModeSocket|0o600, info.Mode())
	require.NoError(t, r.cmd.Process.Kill())
	_ = r.cmd.Wait() // of course it was
	require.FileExists(t, socket, "it could not remove it")

	done(t, path, "agents", "approve", "00000001")
	r, _ = start(t, process(t, "--conf", path))
	assert.NotContains(t, r.said(), "no control socket")
	done(t, path, "agents", "approve", "00000002")

	require.NoError(t, r.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, r.cmd.Wait(), r.said())
	assert.NoFileExists(t, socket)
	assert.Equal(t, 2, strings.Count(done(t, path, "agents", "list"), "registered"))
}

func TestADataFolderWithALongPathHasASocketToo(t *testing.T) {
	data := filepath.Join(t.TempDir(), strings.Repeat("d", 120), strings.Repeat("e", 120))
	path := conf(t, "data_dir = "+data+"\ntoken_key_file = "+filepath.Join(data, "token.key"), "")
	r, _ := start(t, process(t, "--conf", path))
	fingerprint := r.await(`ca_fingerprint=(\S+)`)[1]
	assert.Equal(t, fingerprint+"\n", done(t, path, "ca", "fingerprint"))
	assert.FileExists(t, filepath.Join(data, "control.sock"))
}

func TestSomebodyElseIsRefusedByTheSocket(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("becoming somebody else needs root")
	}
	for name, tt := range map[string]struct {
		mode fs.FileMode // of the data folder
		runs bool
		want string
	}{
		"a folder that is open to look into":                   {mode: 0o755, runs: true, want: "permission denied: the director is for root and root alone: run sudo dcvix-director …"},
		"a folder that is closed":                              {mode: 0o700, runs: true, want: "permission denied: the director is for root and root alone: run sudo dcvix-director …"},
		"a folder that is open to look into, without director": {mode: 0o755, want: "no director runs, and "},
		"a folder that is closed, without director":            {mode: 0o700, want: "permission denied: the director is for root"},
	} {
		t.Run(name, func(t *testing.T) {
			path := home(t, confIn(t, openFolder(t), "", ""), waits(1, "ws1"))
			require.NoError(t, os.Chmod(path, 0o644))
			require.NoError(t, os.Chmod(dataOf(path), tt.mode))
			if tt.runs {
				start(t, process(t, "--conf", path))
			}
			for _, words := range [][]string{{"agents", "list"}, {"agents", "approve", "00000001"}, {"ca", "show"}} {
				cmd := process(t, append(words, "--conf", path)...)
				asSomebodyElse(t, cmd)
				got := finish(t, cmd)
				assert.Equal(t, directorcmd.ExitFailure, got.code)
				assert.Contains(t, got.sentence(t), tt.want)
				assert.Empty(t, got.stdout)
			}
			assert.Contains(t, done(t, path, "agents", "list"), "pending")
		})
	}
}

func TestRootLeavesNoFilesThatTheDirectorCannotUse(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("giving files away needs root")
	}
	path := home(t, conf(t, "", ""), waits(1, "ws1"))
	database := filepath.Join(dataOf(path), "agents.db")
	require.NoError(t, os.Chown(database, 65534, 65534))
	got := say(t, path, "agents", "approve", "00000001")
	assert.Equal(t, directorcmd.ExitFailure, got.code)
	assert.Regexp(t, `^no director runs, and `+database+` belongs to (\S+): start the director, or run this as that user: sudo -u (\S+) dcvix-director …$`, got.sentence(t))
}

func TestNoDirectorIsMadeWhereThereWasNone(t *testing.T) {
	path := conf(t, "", "")
	for _, words := range [][]string{{"agents", "list"}, {"agents", "approve", "00000001"}, {"ca", "export"}} {
		got := say(t, path, words...)
		assert.Equal(t, directorcmd.ExitFailure, got.code)
		assert.Equal(t, fmt.Sprintf("no director has run with the data folder %s, there is no agents.db: start the director, or name its configuration with --conf (%s:4: data_dir)",
			dataOf(path), path), got.sentence(t))
		assert.NoDirExists(t, dataOf(path))
	}
	home(t, path)
	require.NoError(t, os.Remove(filepath.Join(dataOf(path), "ca.pem")))
	assert.Contains(t, say(t, path, "agents", "list").sentence(t), "there is no ca.pem")
	assert.NoFileExists(t, filepath.Join(dataOf(path), "ca.pem"))
}

func TestCommandsNeedNoLoginBackend(t *testing.T) {
	path := home(t, conf(t, "token_key_file = token.key", ""), waits(1, "ws1"))
	before := filesIn(t, dataOf(path))
	cmd := process(t, "agents", "approve", "00000001", "--conf", path)
	cmd.Env = append(cmd.Env, "DCVIX_EXTERNAL_AUTH_EXTERNAL_COMMAND=/nothing/login")
	got := finish(t, cmd)
	assert.Zero(t, got.code, got.stderr)
	assert.Equal(t, before, filesIn(t, dataOf(path)), "no file is new")
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestCommandsWaitForADirectorThatStarts(t *testing.T) {
	path := home(t, conf(t, "", ""), waits(1, "ws1"))
	dir, err := datadir.Open(dataOf(path), "")
	require.NoError(t, err)
	cmd := process(t, "agents", "list", "--conf", path)
	ended := make(chan result, 1)
	go func() { ended <- finish(t, cmd) }()
	select {
	case got := <-ended:
		t.Fatalf("it did not wait: %+v", got)
	case <-time.After(500 * time.Millisecond): // nothing shows from outside that it waits
	}
	require.NoError(t, dir.Close())
	got := <-ended
	assert.Zero(t, got.code, got.stderr)
	assert.Contains(t, got.stdout, "ws1")
}

func TestADirectorWithoutASocketServesAllTheSame(t *testing.T) {
	path := home(t, conf(t, "", ""))
	require.NoError(t, os.MkdirAll(filepath.Join(dataOf(path), "control.sock", "in the way"), 0o700))
	r, address := start(t, process(t, "--conf", path))
	_, err := person(t, path, address).Health(t.Context())
	require.NoError(t, err)
	assert.Contains(t, r.said(), `level=ERROR msg="no control socket: command lines on this machine do not reach this director"`)

	got := say(t, path, "agents", "list")
	assert.Equal(t, directorcmd.ExitFailure, got.code)
	assert.Contains(t, got.sentence(t), "is starting or stopping, or has no control socket, and then its log says why: try again in a moment")
}

func TestAnAdminIsToldWhyAHostIsNotChosen(t *testing.T) {
	for name, runs := range map[string]bool{"a director that runs": true, "no director": false} {
		t.Run(name, func(t *testing.T) {
			path := home(t, conf(t, "", ""), waits(1, "ws1"))
			folder := filepath.Join(filepath.Dir(path), "policydb")
			setUsers(t, path, `[{"id":"alice","workstations":["ws1"],"pools":["gpu"]}]`)
			require.NoError(t, os.WriteFile(filepath.Join(folder, "pools.json"), []byte(`[{"id":"gpu","workstations":["ws1","ws2"]}]`), 0o600))
			if runs {
				start(t, process(t, "--conf", path))
			}
			done(t, path, "agents", "approve", "00000001")
			words := done(t, path, "explain", "--user", "alice", "--pool", "gpu", "--type", "virtual")
			assert.Regexp(t, `^ +HOST +LOAD +SESSIONS +WHY\n +ws1 +(The director has just started|It was last heard of).*\n`+
				` +ws2 +No registered agent goes by this name, or more than one\.\nNo host can take the session\. The strategy is least-loaded\.\n$`, words)
			assert.Contains(t, done(t, path, "explain", "--user", "alice", "--host", "ws2", "--json"), `"code": "not-registered"`)
			other := say(t, path, "explain", "--user", "bob", "--pool", "gpu")
			assert.Equal(t, directorcmd.ExitFailure, other.code)
			assert.Equal(t, "The policy gives this user no pool of this id: say one that it gives, or the groups of the user's login.", other.sentence(t))
		})
	}
	for _, args := range [][]string{{"--pool", "gpu"}, {"--user", "alice"}, {"--user", "alice", "--pool", "a", "--host", "b"}, {"--user", "alice", "--host", "b", "--type", "x"}} {
		assert.Equal(t, directorcmd.ExitUsage, finish(t, process(t, append([]string{"explain"}, args...)...)).code, args)
	}
}
