package session_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/session"
)

// ids returns pools of which the ids alone are told.
func ids(of ...string) []session.Pool {
	pools := make([]session.Pool, len(of))
	for i, id := range of {
		pools[i].ID = id
	}
	return pools
}

func TestRules(t *testing.T) {
	tests := map[string]struct {
		users, pools, groups string
		fold                 bool
		of                   []string       // groups of alice's login
		want                 session.Access // of alice; of the pools their ids alone
		problems             []string       // parts of them, in order
	}{
		"the spelling of the files": {
			users: `[{"id":"alice","admin":true,"workstations":["ws1"],"pools":["cad"]}]`,
			pools: `[{"id":"cad","workstations":["ws2","ws3"]}]`,
			want:  session.Access{Known: true, Admin: true, Hosts: []string{"ws1", "ws2", "ws3"}, Direct: 1, Pools: ids("cad")},
		},
		"the spelling of the older documentation": {
			users: `[{"UserID":"alice","Workstations":["ws1"],"Pools":["cad"]}]`,
			pools: `[{"PoolID":"cad","Workstations":["ws2"]}]`,
			want:  session.Access{Known: true, Hosts: []string{"ws1", "ws2"}, Direct: 1, Pools: ids("cad")},
		},
		"both spellings of one name": {
			users: `[{"id":"alice","UserID":"alice","workstations":["ws1"]}]`,
			pools: `[{"id":"cad","PoolID":"cad","workstations":[]}]`,
			want:  session.Access{Known: true, Hosts: []string{"ws1"}, Direct: 1},
		},
		"two names that make a third together": {
			users:    `[{"id":"ali","UserID":"ce","workstations":["ws1"]}]`,
			problems: []string{`users.json:1: user "ali" is passed over: it has the other id "ce" too. Keep one.`},
		},
		"two ids of a pool": {
			users:    `[{"id":"alice","pools":["cad"]}]`,
			pools:    `[{"id":"ca","PoolID":"d","workstations":["ws1"]}]`,
			want:     session.Access{Known: true},
			problems: []string{`which pools.json does not know`, `pool "ca" is passed over: it has the other id "d" too`},
		},
		"hosts without regard to case, as they are written first": {
			users: `[{"id":"alice","workstations":["WS1","ws1","ws2.","ws2"]}]`,
			want:  session.Access{Known: true, Hosts: []string{"WS1", "ws2."}, Direct: 2},
		},
		"pools without regard to case": {
			users: `[{"id":"alice","pools":["CAD"]}]`, pools: `[{"id":"Cad","workstations":["ws1"]}]`,
			want: session.Access{Known: true, Hosts: []string{"ws1"}, Pools: ids("Cad")},
		},
		"a host of the user and of the pool is there once": {
			users: `[{"id":"alice","workstations":["ws2"],"pools":["cad","cad"]}]`, pools: `[{"id":"cad","workstations":["ws1","WS2"]}]`,
			want: session.Access{Known: true, Hosts: []string{"ws2", "ws1"}, Direct: 1, Pools: ids("cad")},
		},
		"any host": {
			users: `[{"id":"alice","workstations":["ws1","ALLOW_CUSTOM"]}]`,
			want:  session.Access{Known: true, Hosts: []string{"ws1"}, Direct: 1, Custom: true},
		},
		"any host, by a pool": {
			users: `[{"id":"alice","pools":["any"]}]`, pools: `[{"id":"any","workstations":["ALLOW_CUSTOM"]}]`,
			want: session.Access{Known: true, Custom: true, Pools: ids("any")},
		},
		"the groups of the login": {
			users:  `[{"id":"alice","workstations":["ws1"],"pools":["own"]}]`,
			pools:  `[{"id":"own","workstations":["p1"]},{"id":"shared","workstations":["p2","ws2"]}]`,
			groups: `[{"id":"staff","workstations":["ws2","ws1"]},{"id":"cad","admin":true,"pools":["shared","own"]},{"id":"other","workstations":["no"]}]`,
			of:     []string{"nobody", "cad", "staff", "cad"},
			want:   session.Access{Known: true, Admin: true, Hosts: []string{"ws1", "ws2", "p1", "p2"}, Direct: 2, Pools: ids("own", "shared")},
		},
		"a group alone": {
			groups: `[{"id":"staff","workstations":["ws1","ALLOW_CUSTOM"]}]`, of: []string{"staff"},
			want: session.Access{Known: true, Custom: true, Hosts: []string{"ws1"}, Direct: 1},
		},
		"a group in the other spelling":       {groups: `[{"GroupID":"staff","Workstations":["ws1"]}]`, of: []string{"staff"}, want: session.Access{Known: true, Hosts: []string{"ws1"}, Direct: 1}},
		"a group that is not of the login":    {groups: `[{"id":"staff","workstations":["ws1"]}]`, of: []string{"Staff", "staf", ""}},
		"a group named as the user":           {groups: `[{"id":"alice","admin":true}]`},
		"a user named as the group":           {users: `[{"id":"staff","admin":true}]`, of: []string{"staff"}},
		"users and groups without case":       {users: `[{"id":"ALICE","workstations":["ws1"]}]`, groups: `[{"id":"Staff","workstations":["ws2"]}]`, of: []string{"sTAFF", "STAFF"}, fold: true, want: session.Access{Known: true, Hosts: []string{"ws1", "ws2"}, Direct: 2}},
		"users who are the same without case": {users: "[{\"id\":\"alice\",\"workstations\":[\"ws1\"]},\n{\"id\":\"Alice\",\"admin\":true}]", fold: true, want: session.Access{Known: true, Hosts: []string{"ws1"}, Direct: 1}, problems: []string{`users.json:2: user "Alice" is there already in line 1, which counts. Merge the entries.`}},
		"a group that is there twice":         {groups: "[{\"id\":\"a\"},\n{\"id\":\"a\",\"admin\":true}]", of: []string{"a"}, want: session.Access{Known: true}, problems: []string{`groups.json:2: group "a" is there already in line 1`}},
		"a group whose name is none":          {groups: `[{"id":"a\u0007"},{}]`, of: []string{"a\a", ""}, problems: []string{`groups.json:1: group "a\a" is passed over`, `groups.json:1: a group is passed over`}},
		"a pool in a pool": {
			users: `[{"id":"alice","pools":["site"]}]`,
			pools: `[{"id":"site","workstations":["ws1"],"pools":["a","b"]},{"id":"a","workstations":["ws2","ws1"],"pools":["b"]},{"id":"b","workstations":["ws3","ALLOW_CUSTOM"]}]`,
			want:  session.Access{Known: true, Custom: true, Hosts: []string{"ws1", "ws2", "ws3"}, Pools: ids("site")},
		},
		"pools in a ring": {
			users:    `[{"id":"alice","pools":["b"]}]`,
			pools:    "[{\"id\":\"a\",\"workstations\":[\"ws1\"],\"pools\":[\"b\"]},\n{\"id\":\"b\",\"workstations\":[\"ws2\"],\n\"pools\":[\"a\"]}]",
			want:     session.Access{Known: true, Hosts: []string{"ws2", "ws1"}, Pools: ids("b")},
			problems: []string{`pools.json:3: pool "b" holds itself: "a" > "b" > "a". Take one out of the other.`},
		},
		"a pool that is its own member": {
			users: `[{"id":"alice","pools":["A"]}]`, pools: `[{"id":"a","workstations":["ws1"],"pools":["a"]}]`,
			want:     session.Access{Known: true, Hosts: []string{"ws1"}, Pools: ids("a")},
			problems: []string{`pool "a" holds itself: "a" > "a"`},
		},
		"a pool that a pool does not find": {pools: `[{"id":"render","pools":["rendr"]}]`, problems: []string{`pools.json:1: pool "render" has the pool "rendr", which pools.json does not know. Did you mean "render"?`}},
		"a strategy that is none":          {pools: `[{"id":"a","strategy":"last-loaded"},{"id":"b","strategy":"best"}]`, problems: []string{`pool "a" has the strategy "last-loaded", which is none: the director's counts. Did you mean "least-loaded"?`, `Write one of least-loaded, spread, pack, round-robin, random.`}},
		"a tag that no host can have":      {pools: `[{"id":"a","require":["gpu",""," x","a,b"]}]`, problems: []string{`requires the tag ""`, `requires the tag " x"`, `requires the tag "a,b"`}},
		"a key that is nearly one":         {users: "[{\"workstation\":{\n\"a\":[1]},\"id\":\n\"alice\",\"admn\":true}]", want: session.Access{Known: true}, problems: []string{`users.json:1: user "alice" has the key "workstation", which means nothing. Did you mean "workstations"?`, `users.json:3: user "alice" has the key "admn"`}},
		"a key that is there twice":        {users: `[{"id":"alice","workstations":["ws1"],"Workstations":["ws2"]}]`, want: session.Access{Known: true, Hosts: []string{"ws2"}, Direct: 1}, problems: []string{`user "alice" has the key "Workstations" twice, the last counts. Merge them.`}},
		"any host, nearly":                 {users: `[{"id":"alice","workstations":["allow_custom"]}]`, want: session.Access{Known: true}, problems: []string{`Did you mean "ALLOW_CUSTOM"?`}},
		"a file in another encoding":       {users: "[\n{\"id\":\"m\xfcller\"}]", problems: []string{`users.json:2: the file is not UTF-8 here. Save it as UTF-8.`}},
		"null for everything":              {users: `[{"id":"alice","admin":null,"workstations":null,"pools":null}]`, pools: `[{"id":"a","strategy":null,"require":null}]`, groups: `null`, want: session.Access{Known: true}},
		"nothing":                          {users: `[{"id":"alice"}]`, want: session.Access{Known: true}},
		"nobody":                           {users: `[]`, pools: `[]`},
		"empty files":                      {users: "", pools: " \n"},
		"a byte order mark":                {users: "\xef\xbb\xbf" + `[{"id":"alice"}]`, want: session.Access{Known: true}},
		"users compare with case":          {users: `[{"id":"Alice","workstations":["ws1"]}]`},
		"a key that means nothing":         {users: `[{"id":"alice","comment":{"a":[1]}}]`, want: session.Access{Known: true}, problems: []string{`users.json:1: user "alice" has the key "comment", which means nothing. Remove it.`}},
		"a user who is there twice":        {users: `[{"id":"alice","workstations":["ws1"]},{"id":"alice","admin":true}]`, want: session.Access{Known: true, Hosts: []string{"ws1"}, Direct: 1}, problems: []string{`users.json:1: user "alice" is there already in line 1, which counts. Merge the entries.`}},
		"a pool that is there twice":       {users: `[{"id":"alice","pools":["cad"]}]`, pools: `[{"id":"cad","workstations":["ws1"]},{"id":"CAD","workstations":["ws2"]}]`, want: session.Access{Known: true, Hosts: []string{"ws1"}, Pools: ids("cad")}, problems: []string{`pools.json:1: pool "CAD" is there already in line 1`}},
		"a pool that nobody knows":         {users: `[{"id":"alice","workstations":["ws1"],"pools":["cad"]}]`, want: session.Access{Known: true, Hosts: []string{"ws1"}, Direct: 1}, problems: []string{`users.json:1: user "alice" has the pool "cad", which pools.json does not know. Add the pool to pools.json, or take its name away.`}},
		"a pool without an id":             {users: `[{"id":"alice","pools":[""]}]`, pools: `[{"workstations":["ws1"]}]`, want: session.Access{Known: true}, problems: []string{`user "alice" has the pool ""`, "pools.json:1: a pool is passed over: it has no id. Give it one."}},
		"a workstation that is none":       {users: `[{"id":"alice","workstations":["10.0.0.1","evil:22","ws1"]}]`, want: session.Access{Known: true, Hosts: []string{"ws1"}, Direct: 1}, problems: []string{"10.0.0.1", "evil:22"}},
		"a user whose name is none":        {users: `[{"id":"-rf","admin":true},{"id":"alice"}]`, want: session.Access{Known: true}, problems: []string{`user "-rf" is passed over`}},
		"an entry that is null":            {users: `[null,{"id":"alice"}]`, want: session.Access{Known: true}, problems: []string{`a user is passed over`}},
		"ALLOW_CUSTOM in other cases":      {users: `[{"id":"alice","workstations":["allow_custom"]}]`, want: session.Access{Known: true}, problems: []string{"allow_custom"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rules, err := session.ParseRules(session.PolicyFiles{
				Users: []byte(tt.users), Pools: []byte(tt.pools), Groups: []byte(tt.groups), FoldUserCase: tt.fold,
			})
			require.NoError(t, err)
			got := rules.Access("alice", tt.of)
			for i, p := range got.Pools {
				got.Pools[i] = session.Pool{ID: p.ID}
			}
			assert.Equal(t, tt.want, got)
			require.Len(t, rules.Problems, len(tt.problems), "%v", rules.Problems)
			for i, part := range tt.problems {
				assert.Contains(t, rules.Problems[i].String(), part)
			}
		})
	}
}

func TestFilesThatAreNotUnderstoodAreNamedWithTheLine(t *testing.T) {
	tests := map[string]struct{ users, pools, says string }{
		"a comma too many":            {users: "[\n  {\"id\":\"a\"},\n]\n", says: "users.json:3: the file is not JSON"},
		"cut off":                     {users: "[\n  {\"id\":\"a\",\n   \"workst", says: "users.json:3: the file is not JSON"},
		"something after it":          {pools: "[]\n[]\n", says: "pools.json:2: the file is not JSON"},
		"an object":                   {users: "\n{}\n", says: `users.json:2: the file cannot be an object`},
		"a number for a name":         {users: "[\n{\"id\":\n7}]", says: `users.json:3: "id" cannot be a number`},
		"a string for a list":         {users: "[\n{\"id\":\"a\",\n\"workstations\":\"ws1\"}]", says: `users.json:3: "workstations" cannot be a string`},
		"a number in a list":          {pools: "[\n{\"id\":\"a\",\"workstations\":[\n1]}]", says: `pools.json:3: "workstations" cannot be a number`},
		"a word for a yes or no":      {users: `[{"id":"a","admin":"yes"}]`, says: `users.json:1: "admin" cannot be a string`},
		"an entry that is a name":     {users: "[\n\"alice\"]", says: "users.json:2: an entry cannot be a string"},
		"both files":                  {users: "x", pools: "y", says: "pools.json:1"},
		"after a byte order mark too": {users: "\xef\xbb\xbf\n\nx", says: "users.json:3"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rules, err := session.ParseRules(session.PolicyFiles{Users: []byte(tt.users), Pools: []byte(tt.pools)})
			require.ErrorContains(t, err, tt.says)
			assert.Nil(t, rules)
		})
	}
}
