package session_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

func TestRules(t *testing.T) {
	tests := map[string]struct {
		users, pools string
		want         session.Access // of alice
		problems     []string       // parts of them, in order
	}{
		"the spelling of the files": {
			users: `[{"id":"alice","admin":true,"workstations":["ws1"],"pools":["cad"]}]`,
			pools: `[{"id":"cad","workstations":["ws2","ws3"]}]`,
			want:  session.Access{Known: true, Admin: true, Hosts: []string{"ws1", "ws2", "ws3"}},
		},
		"the spelling of the older documentation": {
			users: `[{"UserID":"alice","Workstations":["ws1"],"Pools":["cad"]}]`,
			pools: `[{"PoolID":"cad","Workstations":["ws2"]}]`,
			want:  session.Access{Known: true, Hosts: []string{"ws1", "ws2"}},
		},
		"both spellings of one name": {
			users: `[{"id":"alice","UserID":"alice","workstations":["ws1"]}]`,
			pools: `[{"id":"cad","PoolID":"cad","workstations":[]}]`,
			want:  session.Access{Known: true, Hosts: []string{"ws1"}},
		},
		"two names that make a third together": {
			users:    `[{"id":"ali","UserID":"ce","workstations":["ws1"]}]`,
			problems: []string{`entry "ali" is passed over: it has the other name "ce"`},
		},
		"two ids of a pool": {
			users:    `[{"id":"alice","pools":["cad"]}]`,
			pools:    `[{"id":"ca","PoolID":"d","workstations":["ws1"]}]`,
			want:     session.Access{Known: true},
			problems: []string{`needs one id, not "ca" and "d"`, `which pools.json does not know`},
		},
		"hosts without regard to case, as they are written first": {
			users: `[{"id":"alice","workstations":["WS1","ws1","ws2.","ws2"]}]`,
			want:  session.Access{Known: true, Hosts: []string{"WS1", "ws2."}},
		},
		"pools without regard to case": {
			users: `[{"id":"alice","pools":["CAD"]}]`, pools: `[{"id":"Cad","workstations":["ws1"]}]`,
			want: session.Access{Known: true, Hosts: []string{"ws1"}},
		},
		"a host of the user and of the pool is there once": {
			users: `[{"id":"alice","workstations":["ws2"],"pools":["cad","cad"]}]`, pools: `[{"id":"cad","workstations":["ws1","WS2"]}]`,
			want: session.Access{Known: true, Hosts: []string{"ws2", "ws1"}},
		},
		"any host": {
			users: `[{"id":"alice","workstations":["ws1","ALLOW_CUSTOM"]}]`,
			want:  session.Access{Known: true, Hosts: []string{"ws1"}, Custom: true},
		},
		"any host, by a pool": {
			users: `[{"id":"alice","pools":["any"]}]`, pools: `[{"id":"any","workstations":["ALLOW_CUSTOM"]}]`,
			want: session.Access{Known: true, Custom: true},
		},
		"nothing":                     {users: `[{"id":"alice"}]`, want: session.Access{Known: true}},
		"nobody":                      {users: `[]`, pools: `[]`},
		"empty files":                 {users: "", pools: " \n"},
		"a byte order mark":           {users: "\xef\xbb\xbf" + `[{"id":"alice"}]`, want: session.Access{Known: true}},
		"users compare with case":     {users: `[{"id":"Alice","workstations":["ws1"]}]`},
		"keys that nobody knows":      {users: `[{"id":"alice","comment":{"a":[1]}}]`, want: session.Access{Known: true}},
		"a user who is there twice":   {users: `[{"id":"alice","workstations":["ws1"]},{"id":"alice","admin":true}]`, want: session.Access{Known: true, Hosts: []string{"ws1"}}, problems: []string{`"alice" is there twice`}},
		"a pool that is there twice":  {users: `[{"id":"alice","pools":["cad"]}]`, pools: `[{"id":"cad","workstations":["ws1"]},{"id":"CAD","workstations":["ws2"]}]`, want: session.Access{Known: true, Hosts: []string{"ws1"}}, problems: []string{`pool "cad" is there twice`}},
		"a pool that nobody knows":    {users: `[{"id":"alice","workstations":["ws1"],"pools":["cad"]}]`, want: session.Access{Known: true, Hosts: []string{"ws1"}}, problems: []string{`user "alice" has the pool "cad", which pools.json does not know`}},
		"a pool without an id":        {users: `[{"id":"alice","pools":[""]}]`, pools: `[{"workstations":["ws1"]}]`, want: session.Access{Known: true}, problems: []string{"a pool is passed over", `has the pool ""`}},
		"a workstation that is none":  {users: `[{"id":"alice","workstations":["10.0.0.1","evil:22","ws1"]}]`, want: session.Access{Known: true, Hosts: []string{"ws1"}}, problems: []string{"10.0.0.1", "evil:22"}},
		"a user whose name is none":   {users: `[{"id":"-rf","admin":true},{"id":"alice"}]`, want: session.Access{Known: true}, problems: []string{`entry "-rf" is passed over`}},
		"an entry that is null":       {users: `[null,{"id":"alice"}]`, want: session.Access{Known: true}, problems: []string{`entry "" is passed over`}},
		"ALLOW_CUSTOM in other cases": {users: `[{"id":"alice","workstations":["allow_custom"]}]`, want: session.Access{Known: true}, problems: []string{"allow_custom"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rules, err := session.ParseRules([]byte(tt.users), []byte(tt.pools))
			require.NoError(t, err)
			got := rules.Access("alice")
			got.Pools = nil
			assert.Equal(t, tt.want, got)
			require.Len(t, rules.Problems, len(tt.problems), "%q", rules.Problems)
			for i, part := range tt.problems {
				assert.Contains(t, rules.Problems[i], part)
				assert.Contains(t, rules.Problems[i], ".json")
				assert.NotContains(t, rules.Problems[i], "\n")
			}
		})
	}
}

func TestFilesThatAreNotUnderstoodAreNamedWithTheLine(t *testing.T) {
	tests := map[string]struct{ users, pools, says string }{
		"a comma too many":            {users: "[\n  {\"id\":\"a\"},\n]\n", says: "users.json line 3: not JSON"},
		"cut off":                     {users: "[\n  {\"id\":\"a\",\n   \"workst", says: "users.json line 3: not JSON"},
		"something after it":          {pools: "[]\n[]\n", says: "pools.json line 2: not JSON"},
		"an object":                   {users: "\n{}\n", says: `users.json line 2: the file cannot be a object`},
		"a number for a name":         {users: "[\n{\"id\":\n7}]", says: `users.json line 3: "id" cannot be a number`},
		"a string for a list":         {users: "[\n{\"id\":\"a\",\n\"workstations\":\"ws1\"}]", says: `users.json line 3: "workstations" cannot be a string`},
		"a number in a list":          {pools: "[\n{\"id\":\"a\",\"workstations\":[\n1]}]", says: `pools.json line 3: "workstations" cannot be a number`},
		"a word for a yes or no":      {users: `[{"id":"a","admin":"yes"}]`, says: `users.json line 1: "admin" cannot be a string`},
		"an entry that is a name":     {users: "[\n\"alice\"]", says: "users.json line 2: an entry cannot be a string"},
		"both files":                  {users: "x", pools: "y", says: "pools.json line 1"},
		"after a byte order mark too": {users: "\xef\xbb\xbf\n\nx", says: "users.json line 3"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rules, err := session.ParseRules([]byte(tt.users), []byte(tt.pools))
			require.ErrorContains(t, err, tt.says)
			assert.Nil(t, rules)
		})
	}
}

func FuzzParseRules(f *testing.F) {
	f.Add([]byte(`[{"id":"alice","admin":true,"workstations":["ws1","ALLOW_CUSTOM"],"pools":["cad"]}]`), []byte(`[{"id":"cad","workstations":["ws2"]}]`))
	f.Add([]byte(`[{"UserID":"a","Workstations":["WS1"]}]`), []byte(`[{"PoolID":"p"}]`))
	f.Add([]byte("[\n{]"), []byte("\xef\xbb\xbf"))
	f.Add([]byte(`[null,{"id":""}]`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, users, pools []byte) {
		rules, err := session.ParseRules(users, pools)
		require.Equal(t, err == nil, rules != nil)
		if err != nil {
			require.Contains(t, err.Error(), ".json")
			return
		}
		require.Equal(t, session.Access{}, rules.Access(""), "no entry is for nobody")
		require.Equal(t, session.Access{}, rules.Access("-x"))
		for _, p := range rules.Problems {
			require.NotContains(t, p, "\n")
			require.True(t, utf8.ValidString(p))
		}
		seen := make(map[dcvix.Hostname]bool)
		for _, name := range rules.Access("alice").Hosts {
			h, err := dcvix.ParseHostname(name)
			require.NoError(t, err)
			require.False(t, seen[h])
			seen[h] = true
		}
	})
}

func BenchmarkParseRules(b *testing.B) {
	var users, pools strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&users, `,{"id":"user%d","workstations":["ws%d","ws%d.lab"],"pools":["pool%d"]}`, i, i, i, i%100)
	}
	for i := range 100 {
		fmt.Fprintf(&pools, `,{"id":"pool%d","workstations":["a%d","b%d","c%d"]}`, i, i, i, i)
	}
	u, p := []byte("["+users.String()[1:]+"]"), []byte("["+pools.String()[1:]+"]")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := session.ParseRules(u, p); err != nil {
			b.Fatal(err)
		}
	}
}
