package dcvclitest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// desk returns a host with the virtual session "a" of alice, the session as it is
// after commands, and a way to run one.
func desk(t *testing.T) (session func() dcvclitest.Session, run func(args ...string) (string, error)) {
	t.Helper()
	dcv := newDCV(t, dcvclitest.Config{})
	run = func(args ...string) (string, error) {
		out, err := dcv.Run(t.Context(), args...)
		return string(out), err
	}
	_, err := run("create-session", "--owner=alice", "a")
	require.NoError(t, err)
	return func() dcvclitest.Session {
		state, err := dcv.State()
		require.NoError(t, err)
		return state.Sessions[0]
	}, run
}

func TestASessionCanBeChanged(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	good := file("good.perm", "[permissions]\n%any% allow display\n")
	empty := file("empty.perm", "")
	bad := file("bad.perm", "[permissions]\n%any% allow telepathy\n")
	tests := map[string]struct {
		args    string
		refused bool
		check   func(t *testing.T, s dcvclitest.Session)
	}{
		"a name":                      {args: "set-name --session a --name=CAD", check: func(t *testing.T, s dcvclitest.Session) { assert.Equal(t, "CAD", s.Name) }},
		"no name":                     {args: "set-name --session a --none", check: func(t *testing.T, s dcvclitest.Session) { assert.Empty(t, s.Name) }},
		"a name and none":             {args: "set-name --session a --name=CAD --none", refused: true},
		"a name too long":             {args: "set-name --session a --name=" + strings.Repeat("x", 257), refused: true},
		"neither name nor none":       {args: "set-name --session a", refused: true},
		"a name of no session":        {args: "set-name --name=CAD", refused: true},
		"a name of another":           {args: "set-name --session b --name=CAD", refused: true},
		"a name and something else":   {args: "set-name --session a --name=CAD a", refused: true},
		"permissions":                 {args: "set-permissions --session a --file " + good, check: func(t *testing.T, s dcvclitest.Session) { assert.Contains(t, s.Permissions, "%any%") }},
		"no permissions":              {args: "set-permissions --session a --none", check: func(t *testing.T, s dcvclitest.Session) { assert.Equal(t, "[permissions]\n", s.Permissions) }},
		"an empty permissions file":   {args: "set-permissions --session a --file=" + empty, check: func(t *testing.T, s dcvclitest.Session) { assert.Equal(t, "[permissions]\n", s.Permissions) }},
		"builtin permissions":         {args: "set-permissions --session a --reset-builtin", check: func(t *testing.T, s dcvclitest.Session) { assert.Empty(t, s.Permissions) }},
		"permissions that are none":   {args: "set-permissions --session a --file " + bad, refused: true},
		"permissions that are absent": {args: "set-permissions --session a --file " + dir + "/none", refused: true},
		"permissions in two ways":     {args: "set-permissions --session a --none --reset-builtin", refused: true},
		"a storage root":              {args: "set-storage-root --session a %home%", check: func(t *testing.T, s dcvclitest.Session) { assert.Equal(t, "%home%", s.StorageRoot) }},
		"no storage root":             {args: "set-storage-root --session a", refused: true},
		"a layout": {
			args: "set-display-layout --session a 1600x900+0+0,640x480+1600-20",
			check: func(t *testing.T, s dcvclitest.Session) {
				assert.Equal(t, []dcvclitest.Display{{Width: 1600, Height: 900}, {Width: 640, Height: 480, X: 1600, Y: -20}}, s.Layout)
			},
		},
		"a layout without offsets":     {args: "set-display-layout --session a 800x600", check: func(t *testing.T, s dcvclitest.Session) { assert.Len(t, s.Layout, 1) }},
		"a layout of five heads":       {args: "set-display-layout --session a 800x600,800x600,800x600,800x600,800x600", check: func(t *testing.T, s dcvclitest.Session) { assert.Nil(t, s.Layout) }},
		"a layout of small heads":      {args: "set-display-layout --session a 639x480", check: func(t *testing.T, s dcvclitest.Session) { assert.Nil(t, s.Layout) }},
		"a layout of large heads":      {args: "set-display-layout --session a 4096x2161", check: func(t *testing.T, s dcvclitest.Session) { assert.Nil(t, s.Layout) }},
		"a layout that is none":        {args: "set-display-layout --session a wide", refused: true},
		"a layout with half an offset": {args: "set-display-layout --session a 800x600+0", refused: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			session, run := desk(t)
			before := session()
			out, err := run(strings.Fields(tt.args)...)
			if tt.refused {
				require.Error(t, err)
				assert.Equal(t, before, session())
				return
			}
			require.NoError(t, err)
			assert.Empty(t, out)
			tt.check(t, session())
		})
	}
}

func TestALayoutIsShown(t *testing.T) {
	_, run := desk(t)
	_, err := run("set-display-layout", "--session=a", "1600x900+0+0,640x480+1600-20")
	require.NoError(t, err)
	out, err := run("describe-session", "a")
	require.NoError(t, err)
	assert.Contains(t, out, "    display layout: 1600x900+0+0,640x480+1600-20\n")
	out, err = run("describe-session", "a", "-j")
	require.NoError(t, err)
	assert.Contains(t, out, "\"width\" : 640,\n      \"height\" : 480,\n      \"x\" : 1600,\n      \"y\" : -20\n")
}

func TestAScreenshotIsAPictureOfTheHeads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shot.jpg")
	tests := map[string]struct {
		args          string
		refused       bool
		format        string
		width, height int
	}{
		"everything":                    {args: "--json", format: "png", width: 2240, height: 920},
		"the first head":                {args: "-j --primary", format: "png", width: 1600, height: 900},
		"JPEG":                          {args: "--json --format=JPEG", format: "jpeg", width: 2240, height: 920},
		"not wider than":                {args: "--json --max-width 1120", format: "png", width: 1120, height: 460},
		"not higher than":               {args: "--json --max-height 460", format: "png", width: 1120, height: 460},
		"within both":                   {args: "--json --max-width 1120 --max-height 46", format: "png", width: 112, height: 46},
		"never larger":                  {args: "--json --max-width 9999", format: "png", width: 2240, height: 920},
		"a file":                        {args: "--output " + file, format: "jpeg", width: 2240, height: 920},
		"a format over the file's name": {args: "-o " + file + " --format PNG", format: "png", width: 2240, height: 920},
		"neither JSON nor a file":       {args: "--primary", refused: true},
		"another format":                {args: "--json --format=GIF", refused: true},
		"no width":                      {args: "--json --max-width=0", refused: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, run := desk(t)
			_, err := run("set-display-layout", "--session=a", "1600x900+0+0,640x480+1600-20")
			require.NoError(t, err)
			out, err := run(append([]string{"get-screenshot", "a"}, strings.Fields(tt.args)...)...)
			if tt.refused {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			var picture []byte
			if strings.Contains(tt.args, file) {
				assert.Empty(t, out)
				picture, err = os.ReadFile(file)
			} else {
				var answer struct{ Format, Base64 string }
				require.NoError(t, json.Unmarshal([]byte(out), &answer))
				assert.Equal(t, tt.format, answer.Format)
				picture, err = base64.StdEncoding.DecodeString(answer.Base64)
			}
			require.NoError(t, err)
			got, format, err := image.Decode(bytes.NewReader(picture))
			require.NoError(t, err)
			assert.Equal(t, tt.format, format)
			assert.Equal(t, image.Pt(tt.width, tt.height), got.Bounds().Size())
			heads := got.At(1, tt.height/2) != got.At(tt.width-2, tt.height/4)
			assert.Equal(t, tt.width != 1600, heads, "whether there are two heads")
		})
	}
}

func TestWhatNobodyKnowsIsMarkedAsFake(t *testing.T) {
	_, run := desk(t)
	_, err := run("set-config", "--section=connectivity", "--key=web-port", "9443")
	require.NoError(t, err)
	for args, want := range map[string]string{
		"list-endpoints":        "9443",
		"list-endpoints --json": `"fake-web-port" : 9443`,
		"get-config":            "[connectivity] web-port=9443",
		"get-config --all":      "[connectivity] web-port=9443",
		"version --json":        `"fake-version" : "2025.0"`,
		"create-session --help": "--permissions-file=VALUE",
		"list-connections a":    "",
	} {
		out, err := run(strings.Fields(args)...)
		require.NoError(t, err)
		assert.Contains(t, out, want)
		if want != "" {
			assert.Contains(t, out, "fake")
		}
	}
}

func TestCommandsThatWereNotFoundAreUnknown(t *testing.T) {
	_, run := desk(t)
	for _, verb := range []string{
		"close-connection", "describe-connection", "describe-display", "reload-config", "unset-config", "configure", "configure-session",
		"on-client-connected", "on-client-disconnected", "",
	} {
		_, err := run(verb, "a")
		var failure *dcvcli.CommandError
		require.ErrorAs(t, err, &failure)
		assert.Contains(t, failure.Stderr, "unknown command")
	}
	for _, args := range []string{"close-session --force a", "list-sessions --type=console", "set-config --unset"} {
		_, err := run(strings.Fields(args)...)
		require.ErrorContains(t, err, "unknown option")
	}
}
