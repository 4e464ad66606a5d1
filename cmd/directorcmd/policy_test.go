package directorcmd_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/directorcmd"
)

// A policySite is a configuration and a policy on disk.
type policySite struct{ conf, folder string }

func newPolicySite(t *testing.T, more, users, pools, groups string) policySite {
	t.Helper()
	dir := t.TempDir()
	p := policySite{filepath.Join(dir, "x.conf"), filepath.Join(dir, "policydb")}
	if !strings.Contains(more, "auth_type") {
		more += "auth_type = external\n"
	}
	require.NoError(t, os.WriteFile(p.conf, []byte("[director]\ndata_dir = data\n"+more), 0o600))
	require.NoError(t, os.Mkdir(p.folder, 0o700))
	for name, text := range map[string]string{"users.json": users, "pools.json": pools, "groups.json": groups} {
		if text != "" {
			require.NoError(t, os.WriteFile(filepath.Join(p.folder, name), []byte(text), 0o600))
		}
	}
	return p
}

// say runs a policy command while no director does.
func (p policySite) say(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := directorcmd.Run(t.Context(), directorcmd.Options{
		Environ: []string{}, Args: append([]string{"--conf", p.conf, "policy"}, args...),
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
	})
	assert.NoDirExists(t, filepath.Join(filepath.Dir(p.conf), "data"))
	return result{code, strings.ReplaceAll(stdout.String(), p.folder, "POLICY"), strings.ReplaceAll(stderr.String(), p.folder, "POLICY")}
}

func TestAPolicyIsChecked(t *testing.T) {
	const clean = "The policy in POLICY has no mistakes; its hosts were not looked up, as no director runs here.\n"
	tests := map[string]struct {
		more, users, pools, groups string
		args                       []string
		code                       int
		stdout, stderr             string
	}{
		"nothing wrong": {users: `[{"id":"alice","pools":["gpu"]}]`, pools: `[{"id":"gpu","workstations":["ws1"]}]`, groups: `[{"id":"staff"}]`, stdout: clean},
		"mistakes in every file": {
			users: "[\n{\"id\":\"alice\",\"pools\":[\"gpo\"]}]", pools: `[{"id":"gpu","strategy":"packed"}]`, groups: `[{"name":"staff"}]`, code: 1,
			stdout: `users.json:2: user "alice" has the pool "gpo", which pools.json does not know. Did you mean "gpu"?` + "\n" +
				`pools.json:1: pool "gpu" has the strategy "packed", which is none: the director's counts. Did you mean "pack"?` + "\n" +
				`groups.json:1: a group has the key "name", which means nothing. Remove it.` + "\n" +
				`groups.json:1: a group is passed over: the name of a group has 1 to 4000 bytes and no control characters. Correct its id.` + "\n",
		},
		"files that cannot be understood": {
			users: "[\n\n{]", pools: `{}`, code: 1,
			stdout: "users.json:3: the file is not JSON: invalid character ']' looking for beginning of object key string. The documentation of the policy files shows their form.\n" +
				"pools.json:1: the file cannot be an object. The documentation of the policy files shows their form.\n",
		},
		"files that are not there":            {code: 1, stdout: "users.json:1: the file is not there. Write one, with [] for an empty list.\npools.json:1: the file is not there. Write one, with [] for an empty list.\n"},
		"names that are one without case":     {more: "fold_user_case = true\n", users: `[{"id":"a"},{"id":"A"}]`, pools: `[]`, code: 1, stdout: "users.json:1: user \"A\" is there already in line 1, which counts. Merge the entries.\n"},
		"names that are two with case":        {users: `[{"id":"a"},{"id":"A"}]`, pools: `[]`, stdout: clean},
		"names of an LDAP directory":          {more: "auth_type = ldap\n", users: `[{"id":"a"},{"id":"A"}]`, pools: `[]`, code: 1, stdout: "users.json:1: user \"A\" is there already in line 1, which counts. Merge the entries.\n"},
		"names of an LDAP directory, exactly": {more: "auth_type = ldap\nfold_user_case = false\n", users: `[{"id":"a"},{"id":"A"}]`, pools: `[]`, stdout: clean},
		"a name that would move the screen":   {users: `[{"id":"a","pools":["\u001b[2J"]}]`, pools: `[]`, code: 1, stdout: `users.json:1: user "a" has the pool "\x1b[2J", which pools.json does not know. Add the pool to pools.json, or take its name away.` + "\n"},
		"mistakes as JSON":                    {users: `[{"id":"a","pools":["b"]}]`, pools: `[]`, args: []string{"--json"}, code: 1, stdout: "[\n  {\n    \"file\": \"users.json\",\n    \"line\": 1,\n    \"problem\": \"user \\\"a\\\" has the pool \\\"b\\\", which pools.json does not know\",\n    \"suggestion\": \"Add the pool to pools.json, or take its name away.\"\n  }\n]\n"},
		"no mistakes as JSON":                 {users: `[]`, pools: `[]`, args: []string{"--json"}, stdout: "[]\n"},
		"a folder that is not there":          {args: []string{"--policydb", "/nothing/there"}, code: 2, stderr: "name it with --policydb, or as policydb_folder"},
		"a word that means nothing":           {args: []string{"users.json"}, code: 2, stderr: "\"users.json\" on the command line means nothing: see --help"},
		"a configuration with a mistake":      {more: "fold_user_case = perhaps\n", code: 2, stderr: "fold_user_case: \"perhaps\" is not one of its choices"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPolicySite(t, tt.more, tt.users, tt.pools, tt.groups)
			got := p.say(t, append([]string{"check"}, tt.args...)...)
			assert.Equal(t, tt.code, got.code, got.stderr)
			assert.Equal(t, tt.stdout, got.stdout)
			assert.Contains(t, got.stderr, tt.stderr)
			assert.Equal(t, tt.code == 2, got.stderr != "", got.stderr)
		})
	}
}

func TestWhatAPolicyGivesIsShown(t *testing.T) {
	p := newPolicySite(t, "", "[\n{\"id\":\"alice\",\"workstations\":[\"ws1\"],\"pools\":[\"gpu\"]}]",
		`[{"id":"gpu","workstations":["g1","g2"],"require":["nvidia"]}]`, `[{"id":"cad","admin":true,"workstations":["ws2","ALLOW_CUSTOM"]}]`)

	got := p.say(t, "show", "--user", "alice", "--group", "cad", "--group", "staff")
	assert.Equal(t, `user      alice
groups    cad, staff
asked     the files in POLICY, as no director runs here
entries   user "alice" (users.json:2), group "cad" (groups.json:1)
admin     yes: group "cad" (groups.json:1)
any host  yes: group "cad" (groups.json:1)

HOST  AGENT  FROM
ws1   ?      user "alice" (users.json:2)
ws2   ?      group "cad" (groups.json:1)
g1    ?      pool "gpu" (pools.json:1), of user "alice" (users.json:2)
g2    ?      pool "gpu" (pools.json:1), of user "alice" (users.json:2)

POOL  STRATEGY        REQUIRES  HOSTS  FROM
gpu   the director's  nvidia    2      pools.json:1, of user "alice" (users.json:2)
`, got.stdout, got.stderr)

	got = p.say(t, "show", "--user", "bob", "--group", "staff")
	assert.Zero(t, got.code, got.stderr)
	assert.Contains(t, got.stdout, "groups   staff\n")
	assert.Contains(t, got.stdout, "entries  none\n\nThe policy names neither the user nor one of the groups: they log in to an empty list.\n")

	got = p.say(t, "show", "--user", "alice", "--json")
	var access dcvix.PolicyAccess
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &access))
	assert.Empty(t, access.Admin)
	require.Len(t, access.Hosts, 3)
	assert.Nil(t, access.Hosts[0].Agents, "no register was asked")

	for _, args := range [][]string{{"show"}, {"show", "--user", "a\nb"}, {"show", "--user", "alice", "more"}, {"show", "--usr", "alice"}} {
		assert.Equal(t, directorcmd.ExitUsage, p.say(t, args...).code, args)
	}
	require.NoError(t, os.WriteFile(filepath.Join(p.folder, "users.json"), []byte("["), 0o600))
	got = p.say(t, "show", "--user", "alice")
	assert.Equal(t, directorcmd.ExitFailure, got.code)
	assert.Contains(t, got.stderr, "users.json:1: the file is not JSON")
}
