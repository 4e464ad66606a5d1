package dcvconf_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli/dcvconf"
)

// shipped has the shape of a file that came with comments and was edited since.
const shipped = `# Settings of the DCV server
[license]
# where the licence server is
#license-file="27001@rlm.lab"

[session-management]
# start a console session by itself
#create-session=true
virtual-session-xdcv-args="-listen tcp"

[connectivity]
web-port = 8443
enable-quic-frontend=true

# who may come in
[security]
#auth-token-verifier="https://127.0.0.1:8444"
os-auto-lock=true   
`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dcv.conf")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o640))
	return path
}

func open(t *testing.T, path string) *dcvconf.Settings {
	t.Helper()
	s, err := dcvconf.Open(path)
	require.NoError(t, err)
	return s
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// change makes the usual changes and saves them.
func change(t *testing.T, path string) {
	t.Helper()
	s := open(t, path)
	s.Set("security", "auth-token-verifier", dcvconf.Text("https://d.lab:8445/v"))
	s.Set("security", "no-tls-strict", dcvconf.Bool(false))
	s.Set("session-management", "create-session", dcvconf.Bool(false))
	require.NoError(t, s.Save())
}

func undo(t *testing.T, path string) []dcvconf.Change {
	t.Helper()
	s := open(t, path)
	left, err := s.Undo()
	require.NoError(t, err)
	require.NoError(t, s.Save())
	return left
}

func TestOnlyOurLinesChange(t *testing.T) {
	path := write(t, shipped)
	change(t, path)
	want := strings.Replace(shipped, "#create-session=true\n", "#create-session=true\ncreate-session=false\n", 1)
	want = strings.Replace(want, ":8444\"\n", ":8444\"\nauth-token-verifier=\"https://d.lab:8445/v\"\n", 1)
	want = strings.Replace(want, "os-auto-lock=true   \n", "os-auto-lock=true   \nno-tls-strict=false\n", 1)
	assert.Equal(t, want, content(t, path))

	assert.Empty(t, undo(t, path))
	assert.Equal(t, shipped, content(t, path))
}

func TestFilesOfEveryShapeAreChangedInTheirOwnWay(t *testing.T) {
	tests := map[string]struct{ before, after string }{
		"no file to speak of":         {"", "[a]\nk=1\n"},
		"no such section":             {"[b]\nx=2\n", "[b]\nx=2\n\n[a]\nk=1\n"},
		"an empty line at the end":    {"[b]\n\n", "[b]\n\n[a]\nk=1\n"},
		"lines of Windows":            {"[a]\r\nx=2\r\n\r\n[b]\r\n", "[a]\r\nx=2\r\nk=1\r\n\r\n[b]\r\n"},
		"a byte order mark":           {"\ufeff[a]\nk=0\n", "\ufeff[a]\nk=1\n"},
		"no end of the last line":     {"[a]\nx=2", "[a]\nx=2\nk=1\n"},
		"no end and lines of Windows": {"[a]\r\nx=2", "[a]\r\nx=2\r\nk=1\r\n"},
		"a value that stays":          {"[a]\nk = 1\n", "[a]\nk = 1\n"},
		"a value that changes":        {"[a]\n  k =  0\n#k=3\n", "[a]\n  k =  1\n#k=3\n"},
		"a key twice":                 {"[a]\nk=5\nk=0\n", "[a]\nk=5\nk=1\n"},
		"a section twice":             {"[a]\nk=1\n[b]\n[a]\nk=0\n", "[a]\nk=1\n[b]\n[a]\nk=1\n"},
		"the default in a comment":    {"[a]\nx=1\n# k = 0\n\n# y\n", "[a]\nx=1\n# k = 0\nk=1\n\n# y\n"},
		"a comment of the next":       {"[a]\nx=1\n\n# the next\n[b]\n", "[a]\nx=1\nk=1\n\n# the next\n[b]\n"},
		"the key in another section":  {"[a/b]\nk=1\n[a]\n[c]\nk=1\n", "[a/b]\nk=1\n[a]\nk=1\n[c]\nk=1\n"},
		"a key that is longer":        {"[a]\nkk=1\n", "[a]\nkk=1\nk=1\n"},
		"lines that are no INI":       {"x\n[a\n=4\n[a] \n;k=1\n", "x\n[a\n=4\n[a] \n;k=1\nk=1\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, tt.before)
			s := open(t, path)
			s.Set("a", "k", dcvconf.Number(1))
			require.NoError(t, s.Save())
			assert.Equal(t, tt.after, content(t, path))
			got, ok := open(t, path).Get("a", "k")
			assert.True(t, ok)
			assert.Equal(t, dcvconf.Number(1), got)
			if tt.before != tt.after {
				undo(t, path)
			}
			assert.Equal(t, tt.before, content(t, path))
		})
	}
}

func TestTheSameValueInAnotherSpellingIsNoChange(t *testing.T) {
	path := write(t, "[security]\nauth-token-verifier='https://d.lab:8445/v'\nno-tls-strict= false\n[session-management]\ncreate-session=false")
	change(t, path)
	assert.Empty(t, others(t, path), "nothing is copied either")
}

// others returns the files beside a dcv.conf.
func others(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestTheCopyIsOfTheFirstTimeAndGoesWithTheUndo(t *testing.T) {
	path := write(t, shipped)
	change(t, path)
	assert.Equal(t, []string{"dcv.conf.dcvix-backup", "dcv.conf.dcvix-undo"}, others(t, path))
	s := open(t, path)
	s.Set("security", "auth-token-verifier", dcvconf.Text("https://new.lab:8445/v"))
	require.NoError(t, s.Save())
	assert.Equal(t, shipped, content(t, path+".dcvix-backup"))

	undo(t, path)
	assert.Equal(t, shipped, content(t, path))
	assert.Empty(t, others(t, path))
	_, err := open(t, path).Undo()
	require.ErrorIs(t, err, dcvconf.ErrNothingToUndo)
}

func TestAnUndoInAFileThatWasEditedTouchesOurSettingsAlone(t *testing.T) {
	tests := map[string]struct {
		edit func(string) string
		want func(string) string
		left int
	}{
		"another setting came": {
			edit: func(s string) string { return s + "[input]\nenable-autorepeat=true\n" },
			want: func(s string) string { return s + "[input]\nenable-autorepeat=true\n" },
		},
		"one of ours was changed": {
			edit: func(s string) string { return strings.Replace(s, "d.lab:8445", "mine.lab:1", 1) },
			want: func(s string) string {
				return strings.Replace(s, ":8444\"\n", ":8444\"\nauth-token-verifier=\"https://mine.lab:1/v\"\n", 1)
			},
			left: 1,
		},
		"one of ours was removed": {
			edit: func(s string) string { return strings.Replace(s, "no-tls-strict=false\n", "", 1) },
			want: func(s string) string { return s },
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, shipped)
			change(t, path)
			require.NoError(t, os.WriteFile(path, []byte(tt.edit(content(t, path))), 0o640))
			assert.Len(t, undo(t, path), tt.left)
			assert.Equal(t, tt.want(shipped), content(t, path))
		})
	}
}

func TestWhatOthersSetBetweenTwoSavesComesBack(t *testing.T) {
	path := write(t, "[security]\nno-tls-strict=true\n")
	change(t, path)
	theirs := strings.Replace(content(t, path), "d.lab:8445", "theirs.lab:1", 1)
	require.NoError(t, os.WriteFile(path, []byte(theirs), 0o640))
	change(t, path)
	undo(t, path)
	got, _ := open(t, path).Get("security", "auth-token-verifier")
	assert.Equal(t, dcvconf.Text("https://theirs.lab:1/v"), got)
	strict, _ := open(t, path).Get("security", "no-tls-strict")
	assert.Equal(t, dcvconf.Bool(true), strict)
}

func TestASavedFileThatSomebodyChangedMeanwhileIsNotOverwritten(t *testing.T) {
	path := write(t, shipped)
	s := open(t, path)
	s.Set("a", "k", dcvconf.Bool(true))
	require.NoError(t, os.WriteFile(path, []byte("[theirs]\n"), 0o640))
	require.ErrorIs(t, s.Save(), dcvconf.ErrChanged)
	assert.Equal(t, "[theirs]\n", content(t, path))
}

func TestTheDiffShowsWhatGoesAndWhatComes(t *testing.T) {
	path := write(t, "[a]\nold=1\nboth=2\n")
	s := open(t, path)
	s.Set("b", "x", dcvconf.Text("y"))
	s.Set("a", "both", dcvconf.Number(3))
	s.Unset("a", "old")
	s.Unset("a", "never")
	assert.Equal(t, path+"\n  [b]\n+ x=\"y\"\n  [a]\n- both=2\n+ both=3\n- old=1\n", s.Diff())
	assert.Equal(t, "[a]\nold=1\nboth=2\n", content(t, path), "nothing is written yet")
	require.NoError(t, s.Save())
	assert.Equal(t, "[a]\nboth=3\n\n[b]\nx=\"y\"\n", content(t, path))
	assert.Empty(t, open(t, path).Diff())
}

func TestAPathThatIsNoSettingsIsRefused(t *testing.T) {
	_, err := dcvconf.Open(filepath.Join(t.TempDir(), "dcv.conf"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = dcvconf.Open(t.TempDir())
	require.ErrorContains(t, err, "give the path of dcv.conf")
	path := write(t, shipped)
	require.NoError(t, os.WriteFile(path+".dcvix-undo", []byte("{"), 0o600))
	_, err = open(t, path).Undo()
	require.ErrorContains(t, err, "undo it by hand")
}
