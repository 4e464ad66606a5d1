package dcvclitest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzParseArgs checks that what is written back as --name=value is read as the
// same.
func FuzzParseArgs(f *testing.F) {
	for _, seed := range []string{"--name=a b c", "-j x", "--name -- -x", "-- --name", "--json=1", "--owner"} {
		f.Add(seed)
	}
	known := options{"name": true, "owner": true, "json": false, "output": true}
	f.Fuzz(func(t *testing.T, line string) {
		a, err := parseArgs(strings.Split(line, " "), known)
		if err != nil {
			return
		}
		var again []string
		for name, value := range a.options {
			takesValue, ok := known[name]
			require.True(t, ok, name)
			if takesValue {
				name += "=" + value
			}
			again = append(again, "--"+name)
		}
		b, err := parseArgs(append(append(again, "--"), a.positional...), known)
		require.NoError(t, err)
		assert.Equal(t, a.options, b.options)
		assert.ElementsMatch(t, a.positional, b.positional)
	})
}

// FuzzPermissions checks that a file that is taken gives everybody an answer, and
// that a final deny at its beginning takes all away.
func FuzzPermissions(f *testing.F) {
	for _, seed := range []string{
		ownerOnly, nobody, "[groups]\na=group:b\nb=user:x, osgroup:o\n[aliases]\nl=display, m\nm=mouse\n[permissions]\ngroup:a allow l\nbob deny m",
		"#import x", "; c\n[aliases]\na=a",
	} {
		f.Add(seed)
	}
	same := func(a, b string) bool { return a == b }
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePermissions(text)
		if err != nil {
			return
		}
		v := visitor{user: "bob", owner: "alice", osGroups: map[string][]string{"o": {"bob"}}, same: same}
		p.allow(v, "display")
		denied, err := parsePermissions("[permissions]\n%any% deny builtin\n" + text)
		require.NoError(t, err)
		assert.False(t, denied.allow(v, "display"))
	})
}

// FuzzConf checks that every setting that is read is read again from what it was
// read as.
func FuzzConf(f *testing.F) {
	for _, seed := range []string{
		"[security]\nauth-token-verifier=\"https://d/x\"\n#c\nadministrators=['a', \"b\"]\n", "\ufeff[a]\r\nb=1\r\n", "[a/b]\nc='\\'\\u00e9'",
		"[a]\nb=[''", "[a]\nb='\\", "x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found, err := parseConf(text)
		if err != nil {
			return
		}
		for name, value := range found {
			found.text(name, "")
			found.list(name)
			found.number(name, 0)
			found.flag(name, false)
			last := strings.LastIndexByte(name, '/')
			again, err := parseConf("[" + name[:last] + "]\n" + name[last+1:] + "=" + value)
			require.NoError(t, err)
			assert.Equal(t, value, again[name])
		}
	})
}

// FuzzResolution checks that whatever a resolver answers, what is taken can be
// connected to.
func FuzzResolution(f *testing.F) {
	for _, seed := range []string{
		`{"SessionId":"console","TransportProtocol":"HTTP","DcvServerEndpoint":"h","Port":8443,"WebUrlPath":"/"}`,
		`{"sessionId":"console"}`, `null`, `[]`, `{"Port":"8443"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		found, err := parseResolution(body, TransportHTTP)
		if err != nil {
			return
		}
		assert.NotEmpty(t, found.SessionID)
		assert.NotEmpty(t, found.DcvServerEndpoint)
		assert.Equal(t, TransportHTTP, found.TransportProtocol)
		assert.Greater(t, found.Port, 0)
		assert.LessOrEqual(t, found.Port, 65535)
	})
}

func TestAStringIsReadAsGVariantWritesIt(t *testing.T) {
	tests := map[string]struct {
		text, want string
		ok         bool
	}{
		"single quotes":       {text: `'a"b'`, want: `a"b`, ok: true},
		"double quotes":       {text: `"a'b"`, want: `a'b`, ok: true},
		"escapes":             {text: `'a\'\\\n\u00e9'`, want: "a'\\\né", ok: true},
		"nothing":             {text: `''`, want: "", ok: true},
		"no quotes":           {text: `a`},
		"an open end":         {text: `'a`},
		"an escaped end":      {text: `'a\'`},
		"a broken escape":     {text: `'\u00'`},
		"something behind it": {text: `'a' b`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := settings{"k": tt.text}.text("k", "otherwise")
			if !tt.ok {
				tt.want = "otherwise"
			}
			assert.Equal(t, tt.want, got)
		})
	}
}
