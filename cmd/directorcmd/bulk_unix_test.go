//go:build unix

package directorcmd_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/directorcmd"
	"github.com/dcvix/dcvix/session"
)

func record(t *testing.T, line string) session.AuditRecord {
	t.Helper()
	var r session.AuditRecord
	require.NoError(t, json.Unmarshal([]byte(line), &r), line)
	return r
}

func TestAThousandPendingAgentsAreApprovedAtOnce(t *testing.T) {
	agents := make([]session.Agent, 1000)
	for i := range agents {
		agents[i] = waits(i, fmt.Sprintf("ws%03d", i))
	}
	agents[999].Hostname = "ws500" // twins
	path := home(t, conf(t, "", ""), agents...)
	start(t, process(t, "--conf", path))

	for answer, want := range map[string]string{"n\n": "nothing was approved", "": "nothing was approved", "yes, but\n": "nothing was approved"} {
		cmd := process(t, "agents", "approve", "--all", "--conf", path)
		cmd.Stdin = strings.NewReader(answer)
		got := finish(t, cmd)
		assert.Equal(t, directorcmd.ExitFailure, got.code, "%q", answer)
		assert.Equal(t, "Approve all 1000? [y/N] dcvix-director: "+want+"\n", got.stderr)
		assert.Equal(t, 1001, strings.Count(got.stdout, "\n"))
	}
	require.Empty(t, onRecord(t, path, session.AuditAgentApprove))

	cmd := process(t, "agents", "approve", "--all", "--conf", path)
	cmd.Stdin = strings.NewReader("Y\n")
	begin := time.Now()
	got := finish(t, cmd)
	t.Logf("1000 approvals took %v", time.Since(begin))

	assert.Equal(t, directorcmd.ExitFailure, got.code, "exactly one of the twins is not approved")
	assert.Equal(t, 999, strings.Count(got.stdout, "\napproved "))
	assert.Regexp(t, `^Approve all 1000\? \[y/N\] dcvix-director: ws500 \(\S+\): The registered agent ws500 has this name [^\n]*\n$`, got.stderr)
	outcomes := make(map[session.AuditOutcome]int)
	for _, r := range onRecord(t, path, session.AuditAgentApprove) {
		outcomes[r.Outcome]++
		assert.Equal(t, me(t), r.Actor)
		assert.Equal(t, "local", r.Address)
	}
	assert.Equal(t, map[session.AuditOutcome]int{session.AuditOK: 999, session.AuditRefused: 1}, outcomes)
	assert.Equal(t, 1, strings.Count(done(t, path, "agents", "list", "--state", "pending"), "\npending "))
}

func TestAnInterruptedQuestionIsANo(t *testing.T) {
	path := home(t, conf(t, "", ""), waits(1, "ws1"))
	cmd := process(t, "agents", "approve", "--all", "--conf", path)
	stdin, err := cmd.StdinPipe() // nobody ever answers
	require.NoError(t, err)
	defer func() { _ = stdin.Close() }()
	said := &running{t: t, cmd: cmd}
	cmd.Stderr = said
	require.NoError(t, cmd.Start())
	said.await(`\[y/N\]`)
	require.Contains(t, done(t, path, "agents", "list"), "pending", "others may act while it asks")

	require.NoError(t, cmd.Process.Signal(os.Interrupt))

	require.Error(t, cmd.Wait())
	assert.Equal(t, directorcmd.ExitFailure, cmd.ProcessState.ExitCode())
	assert.Contains(t, said.said(), "dcvix-director: interrupted: nothing was done\n")
	assert.Contains(t, done(t, path, "agents", "list"), "pending")
}

func TestApprovingAllWithoutAQuestion(t *testing.T) {
	path := home(t, conf(t, "", ""), waits(1, "ws1"), waits(2, "ws2"))
	var results []struct {
		GUID     dcvix.AgentID
		Hostname string
		Status   int
	}
	require.NoError(t, json.Unmarshal([]byte(done(t, path, "agents", "approve", "--all", "--yes", "--json")), &results))
	require.Len(t, results, 2)
	assert.Equal(t, "ws1 200", fmt.Sprint(results[0].Hostname, " ", results[0].Status))
	assert.Equal(t, "No agent is pending.\n", done(t, path, "agents", "approve", "--all"))
	assert.JSONEq(t, "[]", done(t, path, "agents", "approve", "--all", "--yes", "--json"))
}

func TestWhichAgentIsMeantIsNeverGuessed(t *testing.T) {
	one, other := waits(0xabcdef, "ws1"), waits(0xabcdef, "deadbeef")
	path := home(t, conf(t, "", ""), one, other)
	start(t, process(t, "--conf", path))
	for name, tt := range map[string]struct {
		words []string
		code  int
		want  string
	}{
		"a host name":                    {[]string{"ws1"}, 2, `"ws1" is no GUID: agents are chosen by GUID and never by host name, which a stranger may claim (see dcvix-director agents list)`},
		"a host name that might be one":  {[]string{"deadbeef"}, 1, `there is no GUID that begins with "deadbeef": see dcvix-director agents list`},
		"too short":                      {[]string{"00abcde"}, 2, `"00abcde" is too short: give the GUID or its first 8 characters or more`},
		"two agents":                     {[]string{"00abcdef"}, 1, `2 GUIDs begin with "00abcdef": give more of it`},
		"control characters":             {[]string{"\x1b[2J"}, 2, `"\x1b[2J" is no GUID`},
		"none":                           {nil, 2, "name an agent by its GUID, or give --all"},
		"one that is, and one that not":  {[]string{string(one.ID), "00000000"}, 1, `there is no GUID that begins with "00000000"`},
		"all and one":                    {[]string{"--all", string(one.ID)}, 2, "--all means every pending agent"},
		"all, in the place of others":    {[]string{"--all", "--replace"}, 2, "--all never replaces"},
		"all, with a name":               {[]string{"--all", "--alias", "x"}, 2, "gives no aliases"},
		"yes to one":                     {[]string{"--yes", string(one.ID)}, 2, "--yes goes with --all"},
		"an alias for two":               {[]string{"--alias", "x", string(one.ID), string(other.ID)}, 2, "--alias is for one agent"},
		"an alias that is no host name":  {[]string{"--alias", "a b", string(one.ID)}, 1, "An alias is not a host name"},
		"a question that nobody can see": {[]string{"--all", "--json"}, 2, "add --yes"},
		"a flag that is none":            {[]string{"--force"}, 2, "unknown flag: --force: see --help"},
	} {
		t.Run(name, func(t *testing.T) {
			got := say(t, path, append([]string{"agents", "approve"}, tt.words...)...)
			assert.Equal(t, tt.code, got.code)
			assert.Contains(t, got.sentence(t), tt.want)
			assert.Empty(t, got.stdout)
		})
	}
	assert.Equal(t, 2, strings.Count(done(t, path, "agents", "list"), "\npending "), "nothing was done")
	assert.Equal(t, directorcmd.ExitUsage, say(t, path, "agents", "list", "--state", "happy").code)
	assert.Equal(t, directorcmd.ExitUsage, say(t, path, "agents", "bless").code)
	assert.Equal(t, directorcmd.ExitUsage, say(t, path, "agents", "revoke").code)
	assert.Contains(t, done(t, path, "agents"), "Available Commands:")
}

func TestTheListSaysWhatAnAdminHasToKnow(t *testing.T) {
	long := time.Date(2026, 3, 5, 8, 41, 0, 0, time.UTC)
	known := func(n int, name string, state dcvix.AgentState, wish dcvix.Hostname) session.Agent {
		a := waits(n, name)
		a.State, a.CreatedAt, a.RegisteredAt, a.LastSeenAt, a.Requested = state, long, long, long, wish
		return a
	}
	path := home(t, conf(t, "", ""),
		known(1, "ws1", dcvix.AgentRegistered, ""), known(2, "ws0", dcvix.AgentRegistered, "ws9"), known(3, "a", dcvix.AgentRevoked, ""),
		waits(4, "ws1"), waits(5, "b"))
	var rows []string
	for line := range strings.Lines(done(t, path, "agents", "list")) {
		cells := regexp.MustCompile(`  +`).Split(strings.TrimSpace(line), -1)
		rows = append(rows, strings.Join(append(cells[:2], cells[4:]...), " | "))
	}
	assert.Equal(t, []string{
		"STATE | HOST | LAST SEEN | REMARKS",
		"pending | b | asked 2026-11-22 17:03 UTC",
		"pending | ws1 | asked 2026-11-22 17:03 UTC | the name is held by registered agent 00000001",
		"registered | ws0 | 2026-03-05 08:41 UTC | wishes the name ws9",
		"registered | ws1 | 2026-03-05 08:41 UTC | seems to have asked again with a new key, as 00000004",
		"revoked | a | 2026-03-05 08:41 UTC",
	}, rows)
}

func TestHostileNamesDoNotReachTheTerminal(t *testing.T) {
	hostile := waits(1, "ws1\x1b[2J\r\nregistered  trusted\u202e\u009b\U000e0001\x00")
	hostile.Requested, hostile.Conflict = "x\x1b]0;gotcha\a", true
	path := home(t, conf(t, "", ""), hostile)
	for _, runs := range []bool{false, true} {
		if runs {
			start(t, process(t, "--conf", path))
		}
		for _, words := range [][]string{{"list"}, {"list", "--json"}, {"approve", "--all", "--yes"}, {"approve", "00000001"}, {"approve", "00000001", "--json"}} {
			got := say(t, path, append([]string{"agents"}, words...)...)
			assert.NotRegexp(t, "[\x00-\x09\x0b-\x1f\x7f-\u009f\u202e\U000e0001]", got.stdout+got.stderr, words)
			assert.NotContains(t, got.stdout+got.stderr, "\nregistered  trusted", words)
		}
		assert.Contains(t, done(t, path, "agents", "list"), "KEY CONFLICT: another key was shown under this GUID; wishes the name x?]0;gotcha?")
		var agents []dcvix.Agent
		require.NoError(t, json.Unmarshal([]byte(done(t, path, "agents", "list", "--json")), &agents))
		assert.Equal(t, hostile.Hostname, agents[0].Hostname, "escaped, and not lost")
	}
}

func TestTheAuthorityIsShownAndExported(t *testing.T) {
	for name, runs := range map[string]bool{"a director that runs": true, "no director": false} {
		t.Run(name, func(t *testing.T) {
			path := home(t, conf(t, "", ""))
			if runs {
				start(t, process(t, "--conf", path))
			}
			want, err := os.ReadFile(filepath.Join(dataOf(path), ca.CertFile))
			require.NoError(t, err)
			chain, err := ca.ParseCerts(want)
			require.NoError(t, err)
			fingerprint := ca.FingerprintOf(chain[0]).String()

			assert.Equal(t, fingerprint+"\n", done(t, path, "ca", "fingerprint"))
			shown := done(t, path, "ca", "show")
			assert.Regexp(t, `^subject +CN=dcvix CA\nvalid from +20.* UTC\nvalid until +20.* UTC\nkey +ECDSA P-256\nfingerprint +`+fingerprint+`\n$`, shown)
			assert.Contains(t, done(t, path, "ca", "show", "--json"), `"key": "ECDSA P-256"`)
			assert.Equal(t, string(want), done(t, path, "ca", "export"))
			file := filepath.Join(t.TempDir(), "ca.pem")
			assert.Empty(t, done(t, path, "ca", "export", file))
			got, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(got))
			again := say(t, path, "ca", "export", file)
			assert.Equal(t, directorcmd.ExitFailure, again.code)
			assert.Equal(t, file+" is there already: remove it, or write to another path", again.sentence(t))
			assert.Contains(t, say(t, path, "ca", "export", filepath.Join(file, "x")).sentence(t), "a part of this path is a file")
			assert.Equal(t, directorcmd.ExitUsage, say(t, path, "ca", "export", "a", "b").code)
		})
	}
}
