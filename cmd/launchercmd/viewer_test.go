package launchercmd_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/launchercmd"
)

func TestAViewerThatGivesUpIsExplained(t *testing.T) {
	d := newDesk(t, "says why and exits")
	engine, _ := d.engine(t, "")
	require.NoError(t, engine.Login(t.Context(), login))
	x := engine.Explain(engine.Connect(t.Context(), launchercmd.Wish{Name: "ws1"}))
	assert.Equal(t, launchercmd.TroubleViewer, x.Trouble)
	assert.Equal(t, "The DCV viewer ended right after its start, with exit code 9: look into its log ("+launchercmd.ViewerLog+").", x.Sentence)
	assert.True(t, strings.HasSuffix(x.Detail, "cannot open display with …"), "%.300q", x.Detail[max(0, len(x.Detail)-100):])
	assert.NotContains(t, x.Detail, goodToken)
	assert.LessOrEqual(t, len(x.Detail), 4<<10)
}

func TestAMissingViewerIsExplainedWithWhereToGetIt(t *testing.T) {
	d := newDesk(t, "")
	engine, _ := d.engine(t, filepath.Join(d.dir, "no-such-viewer"))
	require.NoError(t, engine.Login(t.Context(), login))
	x := engine.Explain(engine.Connect(t.Context(), launchercmd.Wish{Name: "ws1"}))
	assert.Equal(t, launchercmd.TroubleNoViewer, x.Trouble)
	assert.Contains(t, x.Sentence, launchercmd.ViewerHome)
	assert.Contains(t, x.Sentence, "no-such-viewer")
	assert.Equal(t, 0, d.stand.seen("POST /v1/user/sessions"))
}

func TestTheViewerOfThePreferencesComesBeforeTheConfigurations(t *testing.T) {
	d := newDesk(t, "")
	engine, _ := d.engine(t, filepath.Join(d.dir, "no-such-viewer"))
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, engine.SetPreferences(launchercmd.Preferences{Viewer: self, Datagrams: launchercmd.SwitchOn, Extra: `--log-level "very high"`}))
	require.NoError(t, engine.Login(t.Context(), login))
	require.NoError(t, engine.Connect(t.Context(), launchercmd.Wish{Name: "ws1"}))
	assert.Contains(t, d.read(t), `["--enable-datagrams-display=true" "--log-level" "very high"]`)
}

func TestAViewerCanBeTriedOut(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the viewer prints nothing there")
	}
	d := newDesk(t, "")
	engine, _ := d.engine(t, "")
	t.Setenv("VIEWER_VERSION", "Amazon DCV viewer 2025.0\x1b[2J\nsecond line")
	path, version, err := engine.TestViewer(t.Context(), "")
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	assert.Equal(t, self, path)
	assert.Equal(t, "Amazon DCV viewer 2025.0 [2J", version)

	_, _, err = engine.TestViewer(t.Context(), "/no/such/viewer")
	require.ErrorIs(t, err, launchercmd.ErrNoViewer)

	script := filepath.Join(d.dir, "sleeper")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\nsleep 600 & wait\n"), 0o700))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _, err = engine.TestViewer(ctx, script)
	require.ErrorContains(t, err, "may be no DCV viewer")
}

func TestPreferencesBecomeArguments(t *testing.T) {
	for name, tt := range map[string]struct {
		p    launchercmd.Preferences
		want []string
	}{
		"none":         {launchercmd.Preferences{}, nil},
		"no datagrams": {launchercmd.Preferences{Datagrams: launchercmd.SwitchOff}, []string{"--enable-datagrams-display=false"}},
		"words":        {launchercmd.Preferences{Extra: "  a  b\u00a0c "}, []string{"a", "b", "c"}},
		"quotes":       {launchercmd.Preferences{Extra: `--x="a b" 'c "d' "" e`}, []string{"--x=a b", `c "d`, "", "e"}},
		"no shell":     {launchercmd.Preferences{Extra: `$(id) ; \n *`}, []string{"$(id)", ";", `\n`, "*"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := launchercmd.Arguments(tt.p)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
	if runtime.GOOS != "windows" {
		got, err := launchercmd.Arguments(launchercmd.Preferences{Scaling: true})
		require.NoError(t, err)
		assert.Empty(t, got, "only the viewer of Windows has it")
	}
}

func TestALinkToTheViewer(t *testing.T) {
	for name, tt := range map[string]struct {
		host, path, session, token string
		port                       int
		want                       string
	}{
		"a host":         {host: "ws1", session: "dcvix_1", token: "tok-en_1", port: 8443, want: "dcv://ws1:8443/?authToken=tok-en_1#dcvix_1"},
		"a gateway":      {host: "gw.lab.example", path: "/node7", session: "x-ws1", token: "t", port: 443, want: "dcv://gw.lab.example:443/node7?authToken=t#x-ws1"},
		"an address":     {host: "2001:db8::7", session: "s", token: "a+b/c=&d", port: 1, want: "dcv://[2001:db8::7]:1/?authToken=a%2Bb%2Fc%3D%26d#s"},
		"a line":         {host: "ws1\nx", session: "s", token: "t", port: 1},
		"no session":     {host: "ws1", token: "t", port: 1},
		"no port":        {host: "ws1", session: "s", token: "t"},
		"another host":   {host: "ws1/evil?", session: "s", token: "t", port: 1},
		"another anchor": {host: "ws1#x", session: "s", token: "t", port: 1},
		"a user":         {host: "root@ws1", session: "s", token: "t", port: 1},
	} {
		t.Run(name, func(t *testing.T) {
			link, err := launchercmd.Link(tt.host, tt.path, tt.session, tt.token, tt.port)
			assert.Equal(t, tt.want == "", err != nil, "%v", link)
			assert.Equal(t, tt.want, link)
		})
	}
}

func TestTheLinkIsGivenToTheProgramOfTheSystem(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the program is xdg-open on Linux alone")
	}
	d := newDesk(t, "")
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	engine, told := d.engine(t, "no-such-viewer")
	require.NoError(t, engine.SetPreferences(launchercmd.Preferences{Link: true}))
	require.NoError(t, engine.Login(t.Context(), login))
	err := engine.Connect(t.Context(), launchercmd.Wish{Name: "ws1"})
	require.ErrorContains(t, err, "no program for dcv:// links")
	assert.NotContains(t, err.Error(), goodToken)
	assert.Equal(t, 0, d.stand.seen("POST /v1/user/sessions"), "that is known before a session is asked for")

	require.NoError(t, os.WriteFile(filepath.Join(bin, "xdg-open"), []byte("#!/bin/sh\nprintf %s \"$1\" >\""+d.record+"\"\n"), 0o700))
	require.NoError(t, engine.Connect(t.Context(), launchercmd.Wish{Name: "ws1"}))
	assert.Equal(t, "dcv://ws1:8443/?authToken="+goodToken+"#dcvix_1", d.read(t))
	assert.Contains(t, told.said(), "runs: The link to the desktop was handed to the viewer")
	left, err := filepath.Glob(filepath.Join(d.dir, "folder", "*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}
