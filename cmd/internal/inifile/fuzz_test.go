package inifile_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/ini.v1"

	"github.com/dcvix/dcvix/cmd/internal/inifile"
)

// FuzzLoad checks that no file makes Load panic, and that what ini.v1 makes of a
// file whose lines are all in the common grammar is what we make of it.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "[a]\nk = v\n", "[a]\nk = se#cr;et\nn = 3 # x\n", "[a]\nk = C:\\x\\\nn=1", "\xef\xbb\xbf[a]\r\nk=\"q\"\r\n",
		"[a]\nk=`x\n", "[a]\nk=\"\"\"x\n", "[a", "[a]\n=", "[a]\nk : v = w\n", "[ a ]\nk==\n", "k=v\n[a]\nk=w\nk=x\n", "[a]\nk= \" #\n",
	} {
		f.Add(seed)
	}
	path := filepath.Join(f.TempDir(), "x.conf")
	f.Fuzz(func(t *testing.T, content string) {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		var k string
		var n int
		set := inifile.New("x")
		set.Section("a").String(&k, "k", "unset", "")
		set.Section("a").Int(&n, "n", -1, "")
		if err := set.Load(inifile.Source{Path: path}); err != nil || !common(content) {
			return
		}
		file, err := ini.LoadSources(ini.LoadOptions{
			IgnoreInlineComment: true, IgnoreContinuation: true, PreserveSurroundedQuote: true,
		}, []byte(content))
		require.NoError(t, err, "ini.v1 refuses what we read: %q", content)
		if sec := file.Section("a"); sec.HasKey("k") {
			want := sec.Key("k").Value()
			if len(want) > 1 && want[0] == '"' && strings.Count(want, `"`) == 2 && strings.HasSuffix(want, `"`) {
				want = want[1 : len(want)-1]
			}
			require.Equal(t, want, k, "%q", content)
		} else {
			require.Equal(t, "unset", k, "%q", content)
		}
	})
}

// peculiar matches what ini.v1 reads in ways that our grammar does not have: the
// start of a value of several lines, a quoted key, and text after a section.
var peculiar = regexp.MustCompile("(?m)[=:]\\s*(`|\"\"\")|^\\s*[\"`]|^\\s*\\[\\s|\\s\\]|\\][^\\n]*\\S|^\\s*\\[DEFAULT|^\\s*-\\s*[=:]")

func common(content string) bool {
	return !peculiar.MatchString(strings.ReplaceAll(content, "\r", "")) && !strings.ContainsAny(content, "\x00\r\v\f\u0085\u00a0\u2028\u2029")
}
