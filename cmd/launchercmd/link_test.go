package launchercmd_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd"
)

func TestALinkNamesADesktopAndNothingElse(t *testing.T) {
	for link, want := range map[string]string{
		"dcvix://connect/ws1":                          "ws1",
		"DCVIX://Connect/ws1":                          "ws1",
		"dcvix://connect/ws1/":                         "ws1",
		"dcvix://connect/GPU%20pool":                   "GPU pool",
		"dcvix://connect/ws1.lab.example":              "ws1.lab.example",
		"dcvix://connect/b%C3%BCro":                    "büro",
		"dcvix://connect/a%2Fb":                        "a/b",
		"dcvix:connect/ws1":                            "",
		"dcvix://":                                     "",
		"dcvix://connect":                              "",
		"dcvix://connect/":                             "",
		"dcvix://connect//":                            "",
		"dcvix://connect/ws1/ws2":                      "",
		"dcvix://connect/ws1?type=x":                   "",
		"dcvix://connect/ws1?":                         "",
		"dcvix://connect/ws1#x":                        "",
		"dcvix://connect/ws1#":                         "",
		"dcvix://alice@connect/ws1":                    "",
		"dcvix://connect:22/ws1":                       "",
		"dcvix://close/ws1":                            "",
		"dcvix://connect/%20":                          "",
		"dcvix://connect/ws1%0Ahost=evil":              "",
		"dcvix://connect/%1B%5B2J":                     "",
		"dcvix://connect/%FF":                          "",
		"dcvix://connect/%zz":                          "",
		"https://connect/ws1":                          "",
		"dcv://connect/ws1":                            "",
		"--conf":                                       "",
		"":                                             "",
		"dcvix://connect/" + strings.Repeat("x", 2000): "",
	} {
		name, err := launchercmd.ParseLink(link)
		assert.Equal(t, want, name, link)
		assert.Equal(t, want == "", err != nil, link)
	}
}

// FuzzLink checks that a link gives a name that can be shown and asked for, or nothing.
func FuzzLink(f *testing.F) {
	for _, link := range []string{"dcvix://connect/ws1", "dcvix://connect/GPU%20pool/", "dcvix://connect/%0a", "dcvix://c@connect/x?y#z", "DCVIX:x"} {
		f.Add(link)
	}
	f.Fuzz(func(t *testing.T, link string) {
		name, err := launchercmd.ParseLink(link)
		if err != nil {
			require.Empty(t, name)
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "\x1b")
			return
		}
		require.NotEmpty(t, name)
		require.Equal(t, name, dcvix.OneLine(name, 253), "it is one line without marks that are not seen")
		again, err := launchercmd.ParseLink("dcvix://connect/" + url.PathEscape(name))
		require.NoError(t, err)
		require.Equal(t, name, again)
	})
}

func TestALinkIsOpenedOnceThePersonAgrees(t *testing.T) {
	tests := map[string]struct {
		link    string
		answers []string
		lines   []string
		code    int
		says    string
		opened  bool
	}{
		"the person agrees":   {link: "dcvix://connect/ws1", answers: []string{goodPassword, "Yes"}, opened: true},
		"the person does not": {link: "dcvix://connect/ws1", answers: []string{goodPassword, ""}, says: "Nothing was opened."},
		"somebody else's":     {link: "dcvix://connect/evil.example", answers: []string{goodPassword}, code: launchercmd.ExitFailure, says: "the link asks for evil.example, which is not among your desktops"},
		"another thing":       {link: "dcvix://close/ws1", code: launchercmd.ExitUsage, says: "is no link to a desktop"},
		"in German":           {link: "dcvix://connect/ws1", lines: []string{"language = de"}, answers: []string{goodPassword, "ja"}, opened: true},
		"yes in German":       {link: "dcvix://connect/ws1", lines: []string{"language = de"}, answers: []string{goodPassword, "yes"}, says: "Es wurde nichts geöffnet."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, "", tt.lines...)
			d.stand.servers = []string{"ws1", dcvix.AllowCustom} // which a link may not use
			person := &answers{lines: tt.answers}
			r := launch(t, launchercmd.Options{Args: []string{"--conf", d.conf, tt.link}, Terminal: person})
			assert.Equal(t, tt.code, r.code, r.stderr)
			assert.Contains(t, r.stderr, tt.says)
			_, err := os.Stat(d.record)
			assert.Equal(t, tt.opened, err == nil)
			assert.Equal(t, tt.opened, d.stand.seen("POST /v1/user/sessions") == 1)
		})
	}
}

func TestTheWindowGetsTheLink(t *testing.T) {
	d := newDesk(t, "")
	var start launchercmd.WindowStart
	window := launchercmd.Options{Window: func(_ context.Context, s launchercmd.WindowStart) error { start = s; return nil }}
	window.Args = []string{"--conf", d.conf, "dcvix://connect/ws1"}
	require.Equal(t, 0, launch(t, window).code)
	assert.Equal(t, "ws1", start.Invite)
	require.NotNil(t, start.Engine)
	require.NoError(t, start.Err)

	for _, args := range [][]string{
		{"--", "dcvix://connect/ws1", "--conf", `\\evil\share\conf`}, {"--", "uri", "install"}, {"--", "--list"}, {"--", ""},
	} {
		window.Args = append([]string{"--conf", d.conf}, args...)
		assert.Equal(t, launchercmd.ExitUsage, launch(t, window).code, "what a link smuggles is no option: %v", args)
	}
	window.Args = []string{"--conf", d.conf, "--", "dcvix://connect/ws2"}
	require.Equal(t, 0, launch(t, window).code)
	assert.Equal(t, "ws2", start.Invite)

	window.Args = []string{"--conf", d.conf}
	require.Equal(t, 0, launch(t, window).code)
	assert.Empty(t, start.Invite)

	d.append("brocker = x")
	require.Equal(t, 0, launch(t, window).code)
	assert.Nil(t, start.Engine)
	require.ErrorContains(t, start.Err, `unknown key "brocker"`)
	assert.NotNil(t, start.Words)

	window.Args = append(window.Args, "--type", "console")
	assert.Equal(t, launchercmd.ExitUsage, launch(t, window).code)
}

func TestLinksAreRegisteredForThePersonAlone(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the folders are those of freedesktop.org")
	}
	data := t.TempDir()
	t.Setenv("XDG_DATA_HOME", data)
	t.Setenv("PATH", t.TempDir()) // without the tools of a desktop
	path := filepath.Join(data, "applications", "dcvix-launcher-link.desktop")

	r := launch(t, launchercmd.Options{Args: []string{"uri", "install"}})
	require.Equal(t, 0, r.code, r.stderr)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	assert.Contains(t, string(text), "\nExec=\""+self+"\" -- %u\n")
	assert.Contains(t, string(text), "\nMimeType=x-scheme-handler/dcvix;\n")
	assert.Contains(t, string(text), "\nTerminal=true\n", "there is no window to ask in")
	assert.Contains(t, r.stdout, self)

	require.Equal(t, 0, launch(t, launchercmd.Options{Args: []string{"uri", "remove"}}).code)
	assert.NoFileExists(t, path)
	require.Equal(t, 0, launch(t, launchercmd.Options{Args: []string{"uri", "remove"}}).code, "twice is no harm")
	assert.Equal(t, launchercmd.ExitUsage, launch(t, launchercmd.Options{Args: []string{"uri"}}).code)
	assert.Equal(t, launchercmd.ExitUsage, launch(t, launchercmd.Options{Args: []string{"uri", "install", "x"}}).code)
}

func TestWhereLinksCannotBeRegisteredIsSaidSo(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the folders are those of freedesktop.org")
	}
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	t.Setenv("XDG_DATA_HOME", file)
	r := launch(t, launchercmd.Options{Args: []string{"uri", "install"}})
	assert.Equal(t, launchercmd.ExitFailure, r.code)
	assert.Contains(t, r.stderr, "dcvix:// links could not be changed: ")
}
