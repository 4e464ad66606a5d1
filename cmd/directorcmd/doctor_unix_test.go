//go:build unix

package directorcmd_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/directorcmd"
	"github.com/dcvix/dcvix/cmd/internal/diagnosis"
	"github.com/dcvix/dcvix/session"
)

// freePort returns a port that nobody has for the moment.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// healthy returns the configuration of a director that runs, in which a doctor finds
// nothing.
func healthy(t *testing.T, agents ...session.Agent) string {
	t.Helper()
	path := home(t, conf(t, fmt.Sprintf("director_port = %d\nserver_names = director.example", freePort(t)), ""), agents...)
	setUsers(t, path, `[{"id": "root", "admin": true}]`)
	start(t, process(t, "--conf", path))
	return path
}

func change(t *testing.T, path, from, to string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), from)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), from, to, 1)), 0o600))
}

func TestADirectorInOrderIsFoundInOrder(t *testing.T) {
	path := healthy(t)
	report := directorcmd.Examine(t.Context(), path, directorcmd.Machine{})
	for _, f := range report.Findings {
		assert.Equal(t, diagnosis.OK, f.Level, "%+v", f)
	}
	assert.GreaterOrEqual(t, len(report.Findings), 12)
	got := say(t, path, "doctor", "--json")
	assert.NotContains(t, got.stdout, "problem\"")
	var shown diagnosis.Report
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &shown))
	assert.Zero(t, shown.Problems)
	assert.Zero(t, got.code)
}

func TestEachTroubleOfADirectorIsFoundAndItsRemedySaid(t *testing.T) {
	silent := waits(7, "ws7")
	silent.State, silent.LastSeenAt = dcvix.AgentRegistered, time.Now().Add(-time.Hour)
	tests := map[string]struct {
		runs    bool                            // the director
		agents  []session.Agent                 // in its register
		spoil   func(t *testing.T, path string) // the configuration's path
		machine directorcmd.Machine
		level   diagnosis.Level
		check   string
		want    []string // in text, remedy or command
	}{
		"a mistake in the configuration": {
			spoil: func(t *testing.T, path string) { change(t, path, "[director]\n", "[director]\nwhat = 1\n") },
			level: diagnosis.Problem, check: "configuration", want: []string{"what", "does not start with it"},
		},
		"secrets that everybody reads": {
			spoil: func(t *testing.T, path string) {
				change(t, path, "[director]\n", "[director]\nregistration_token = "+secret+"\n")
				require.NoError(t, os.Chmod(path, 0o644))
			},
			level: diagnosis.Problem, check: "configuration", want: []string{"has secrets in it", "chmod o= "},
		},
		"no token key": {
			spoil: func(t *testing.T, path string) { change(t, path, "token_key_file = data/token.key\n", "") },
			level: diagnosis.Warning, check: "configuration", want: []string{"logged out whenever", "Set token_key_file"},
		},
		"a key that others read": {
			spoil: func(t *testing.T, path string) {
				require.NoError(t, os.Chmod(filepath.Join(dataOf(path), "ca.key"), 0o644))
			},
			level: diagnosis.Problem, check: "keys", want: []string{"chmod 600", "who may have read"},
		},
		"no director yet": {
			spoil: func(t *testing.T, path string) { require.NoError(t, os.RemoveAll(dataOf(path))) },
			level: diagnosis.Problem, check: "keys", want: []string{"no director has run with this data folder", "systemctl start"},
		},
		"a CA that ends soon": {
			machine: directorcmd.Machine{Now: time.Now().AddDate(9, 8, 0)}, level: diagnosis.Warning, check: "CA", want: []string{"It ends on", "Plan for a new CA"},
		},
		"a CA that has ended": {
			machine: directorcmd.Machine{Now: time.Now().AddDate(30, 0, 0)}, level: diagnosis.Problem, check: "CA", want: []string{"It ended on"},
		},
		"a clock before the CA": {
			machine: directorcmd.Machine{Now: time.Now().AddDate(-1, 0, 0)}, level: diagnosis.Problem, check: "CA", want: []string{"this machine's clock says", "Set the clock"},
		},
		"a certificate that has ended": {
			machine: directorcmd.Machine{Now: time.Now().AddDate(3, 0, 0)}, level: diagnosis.Problem, check: "certificate", want: []string{"It ended on", "Restart the director"},
		},
		"a name that the certificate lacks": {
			spoil: func(t *testing.T, path string) { change(t, path, "server_names = ", "server_names = new.example, ") },
			level: diagnosis.Warning, check: "names", want: []string{"lacks new.example of server_names", "takes new names at its start"},
		},
		"a clock that nothing keeps right": {
			machine: directorcmd.Machine{Adrift: true}, level: diagnosis.Warning, check: "clock", want: []string{"Nothing keeps", "timedatectl set-ntp true"},
		},
		"a full disk": {
			machine: directorcmd.Machine{Free: 1 << 20}, level: diagnosis.Problem, check: "disk", want: []string{"1 MiB are free", "Free some space"},
		},
		"an almost full disk": {
			machine: directorcmd.Machine{Free: 100 << 20}, level: diagnosis.Warning, check: "disk", want: []string{"[audit] max_bytes"},
		},
		"a damaged register": {
			spoil: func(t *testing.T, path string) {
				file := filepath.Join(dataOf(path), "agents.db")
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				copy(text[4096:], strings.Repeat("?", 4096))
				require.NoError(t, os.WriteFile(file, text, 0o600))
			},
			level: diagnosis.Problem, check: "register", want: []string{"is damaged", "restore FILE"},
		},
		"a changed audit": {
			spoil: func(t *testing.T, path string) {
				file := placesOf(path).Audit
				f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
				require.NoError(t, err)
				_, err = f.WriteString("what nobody did\n")
				require.NoError(t, errors.Join(err, f.Close()))
			},
			level: diagnosis.Problem, check: "audit", want: []string{"not what was written", "the line is no record", "compare them with a backup"},
		},
		"a policy that cannot be read": {
			spoil: func(t *testing.T, path string) { setUsers(t, path, "[{") },
			level: diagnosis.Problem, check: "policy", want: []string{"users.json", "policy check"},
		},
		"a policy with a mistake": {
			spoil: func(t *testing.T, path string) { setUsers(t, path, `[{"id": "alice", "pools": ["no-such-pool"]}]`) },
			level: diagnosis.Warning, check: "policy", want: []string{"no-such-pool"},
		},
		"a login backend that cannot work": {
			spoil: func(t *testing.T, path string) {
				change(t, path, "external_command = ", "external_command = /nothing/here")
			},
			level: diagnosis.Problem, check: "logins", want: []string{"/nothing/here", "Correct the section of auth_type = external"},
		},
		"a login service that does not answer": {
			spoil: func(t *testing.T, path string) {
				change(t, path, "auth_type = external", "auth_type = ldap")
				change(t, path, "[external_auth]", fmt.Sprintf("[ldap_auth]\nldap_address = ldap://127.0.0.1:%d\nldap_base_dn = dc=x\n[external_auth]", freePort(t)))
			},
			level: diagnosis.Problem, check: "logins", want: []string{"auth_type = ldap cannot be asked", "auth test --user NAME"},
		},
		"a director that does not run": {level: diagnosis.Problem, check: "director", want: []string{"It does not run", "systemctl start"}},
		"a port that another program has": {
			spoil: func(t *testing.T, path string) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(t, err)
				t.Cleanup(func() { _ = l.Close() })
				change(t, path, "director_port = ", fmt.Sprintf("director_port = %d\n#", l.Addr().(*net.TCPAddr).Port))
			},
			level: diagnosis.Problem, check: "port", want: []string{"address already in use", "ss -ltnp"},
		},
		"another port than the director has": {
			runs: true, spoil: func(t *testing.T, path string) {
				change(t, path, "director_port = ", fmt.Sprintf("director_port = %d\n#", freePort(t)))
			},
			level: diagnosis.Problem, check: "verifier", want: []string{"Nothing answers at", "dcvix-director.socket"},
		},
		"a name that hosts would not believe": {
			runs: true, spoil: func(t *testing.T, path string) { change(t, path, "server_names = ", "server_names = new.example, ") },
			level: diagnosis.Problem, check: "verifier", want: []string{"Hosts that ask at new.example do not believe the certificate"},
		},
		"an agent that is silent": {
			runs: true, agents: []session.Agent{silent}, level: diagnosis.Warning, check: "agents", want: []string{"1 of 1 agents", "ws7", "dcvix-agent doctor"},
		},
		"an agent that waits": {
			runs: true, agents: []session.Agent{waits(1, "ws1")}, level: diagnosis.Warning, check: "agents", want: []string{"1 agent waiting for approval", "agents list --state pending"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := home(t, conf(t, fmt.Sprintf("director_port = %d\nserver_names = director.example", freePort(t)), ""), tt.agents...)
			setUsers(t, path, `[{"id": "root", "admin": true}]`)
			if tt.runs {
				start(t, process(t, "--conf", path))
			}
			if tt.spoil != nil {
				tt.spoil(t, path)
			}
			report := directorcmd.Examine(t.Context(), path, tt.machine)
			var shown []string
			found := false
			for _, f := range report.Findings {
				text := fmt.Sprint(f.Level, " ", f.Check, ": ", f.Text, " > ", f.Remedy, " $ ", f.Command)
				shown = append(shown, text)
				if f.Check != tt.check || f.Level != tt.level {
					continue
				}
				all := true
				for _, want := range tt.want {
					all = all && strings.Contains(text, want)
				}
				found = found || all
				assert.NotEmpty(t, f.Remedy)
			}
			assert.True(t, found, "%s", strings.Join(shown, "\n"))
			assert.NotContains(t, strings.Join(shown, "\n"), secret)
		})
	}
}

func TestADoctorThatFindsAProblemEndsWithOne(t *testing.T) {
	path := home(t, conf(t, "", ""))
	got := say(t, path, "doctor")
	assert.Equal(t, directorcmd.ExitFailure, got.code)
	assert.Contains(t, got.stdout, "problem  director       It does not run.\n")
	assert.Empty(t, got.stderr)
}
