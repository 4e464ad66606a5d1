package launchercmd_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/launchercmd"
)

// FuzzConnectionFile checks that nothing a director sends becomes a key, a
// section or a line of its own.
func FuzzConnectionFile(f *testing.F) {
	f.Add("ws1", "", "dcvix_1", "tok", "alice", 8443)
	f.Add("ws1\nhost=x", "/a\rb", "a\u2028b", "t\x00", `LAB\alice`, 0)
	f.Add("a b", "[options]", "=", "\u0085", " alice ", 65535)
	f.Add("\u202ews1", "\ufeff", "\xff", "\\n", "ünal", 1)
	f.Fuzz(func(t *testing.T, host, path, session, token, user string, port int) {
		text, err := launchercmd.ConnectionFile(host, path, session, token, user, port)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			if len(token) > 8 {
				require.NotContains(t, err.Error(), token)
			}
			return
		}
		want := []string{"[version]", "format", "", "[connect]", "host", "port", "webport", "quicport"}
		if path != "" {
			want = append(want, "weburlpath")
		}
		want = append(want, "sessionid", "authtoken")
		if strings.Contains(text, "\nuser=") {
			require.NotContains(t, user, `\`)
			want = append(want, "user")
		}
		var got []string
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
			key, _, _ := strings.Cut(line, "=")
			got = append(got, key)
		}
		require.Equal(t, want, got)
		require.NotContains(t, text, "\r")
		require.Contains(t, text, "\nauthtoken="+token+"\n")
	})
}
