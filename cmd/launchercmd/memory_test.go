package launchercmd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
	"github.com/dcvix/dcvix/directorapi/client"
)

// home is an engine that remembers things in a folder and calls nobody.
func home(t *testing.T, dir string) *launchercmd.Engine {
	t.Helper()
	e, err := launchercmd.NewEngine(launchercmd.EngineConfig{
		Director: client.Config{URL: "https://director.example"}, Home: dir, Folder: filepath.Join(t.TempDir(), "folder"),
	})
	require.NoError(t, err)
	return e
}

func memoryFile(dir string) string { return filepath.Join(dir, "dcvix-launcher.json") }

func TestWhatAPersonChoseIsThereAtTheNextStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	first := home(t, dir)
	assert.Zero(t, first.Preferences())
	assert.Zero(t, first.Place())
	chosen := launchercmd.Preferences{
		Type: dcvix.SessionVirtual, QualityMin: 30, QualityMax: 80, FullScreen: true, AllMonitors: true,
		Datagrams: launchercmd.SwitchOff, Scaling: true, Certificate: launchercmd.CertificateAsk,
		Extra: `--log-level debug`, Viewer: "/opt/dcvviewer", Link: true,
	}
	require.NoError(t, first.SetPreferences(chosen))
	dark := true
	place := launchercmd.Place{X: -5, Y: 7, Width: 420, Height: 640, Dark: &dark}
	require.NoError(t, first.SetPlace(place))

	again := home(t, dir)
	assert.Equal(t, chosen, again.Preferences())
	assert.Equal(t, place, again.Place())
	assert.Empty(t, again.Notes())
	if runtime.GOOS != "windows" {
		info, err := os.Stat(memoryFile(dir))
		require.NoError(t, err)
		assert.Equal(t, "-rw-------", info.Mode().String())
	}
}

func TestADamagedMemoryIsSetAsideAndExplained(t *testing.T) {
	for name, text := range map[string]string{
		"cut":           `{"window":{"x":`,
		"another shape": `["x"]`,
		"no JSON":       "\x00\x00\x00\x00",
		"empty":         "",
		"huge":          `{"broker":"` + strings.Repeat("x", 5<<20) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(memoryFile(dir), []byte(text), 0o600))
			e := home(t, dir)
			require.Len(t, e.Notes(), 1)
			assert.Contains(t, e.Notes()[0], "is damaged")
			assert.Contains(t, e.Notes()[0], ".broken")
			assert.Zero(t, e.Preferences())
			kept, err := os.ReadFile(memoryFile(dir) + ".broken")
			require.NoError(t, err)
			assert.Equal(t, text, string(kept))

			require.NoError(t, e.SetPlace(launchercmd.Place{Width: 1, Height: 1}))
			assert.Empty(t, home(t, dir).Notes(), "it begins anew")
		})
	}
}

func TestOddThingsInMemoryAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	text := `{"preferences":{"qualityMin":500,"qualityMax":7},"directors":{"https://director.example":null},"new":{"thing":1},"broker":"ftp://x"}`
	require.NoError(t, os.WriteFile(memoryFile(dir), []byte(text), 0o600))
	e := home(t, dir)
	assert.Empty(t, e.Notes())
	assert.Zero(t, e.Preferences())
	require.NoError(t, e.SetFavourite(launchercmd.Desktop{Kind: dcvix.DesktopHost, Name: "ws1"}, true))
}

func TestAMemoryThatCannotBeKeptHoldsUntilTheEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	require.NoError(t, os.WriteFile(dir, []byte("a file"), 0o600))
	e := home(t, dir)
	if runtime.GOOS != "windows" { // there it looks like one that is not there yet
		require.Len(t, e.Notes(), 1, "what cannot be read is said")
	}
	err := e.SetPreferences(launchercmd.Preferences{FullScreen: true})
	require.ErrorContains(t, err, "this cannot be remembered beyond today: ")
	assert.True(t, e.Preferences().FullScreen)
}

func TestTwoLaunchersForgetNothingOfEachOther(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 4 {
		e := home(t, dir)
		wg.Go(func() {
			for j := range 5 {
				d := launchercmd.Desktop{Kind: dcvix.DesktopHost, Name: fmt.Sprintf("ws%d-%d", i, j)}
				assert.NoError(t, e.SetFavourite(d, true))
			}
		})
	}
	wg.Wait()
	text, err := os.ReadFile(memoryFile(dir))
	require.NoError(t, err)
	assert.Equal(t, 20, strings.Count(string(text), "host ws"))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "the file and the lock, and nothing half written")
}

func TestFavouritesComeFirstAndThenWhatWasUsedLast(t *testing.T) {
	d := newDesk(t, "")
	d.stand.servers = []string{"a", "b", "c", "d", "e"}
	engine, _ := d.engine(t, "")
	require.NoError(t, engine.Login(t.Context(), login))
	require.NoError(t, engine.Connect(t.Context(), launchercmd.Wish{Name: "d"}))
	require.NoError(t, engine.SetFavourite(launchercmd.Desktop{Kind: dcvix.DesktopHost, Name: "E"}, true))
	require.NoError(t, engine.SetFavourite(launchercmd.Desktop{Kind: dcvix.DesktopHost, Name: "c"}, true))
	require.NoError(t, engine.SetFavourite(launchercmd.Desktop{Kind: dcvix.DesktopPool, Name: "a"}, true))
	assert.Equal(t, "c e d a b", listed(t, engine))
	require.NoError(t, engine.SetFavourite(launchercmd.Desktop{Kind: dcvix.DesktopHost, Name: "c"}, false))
	assert.Equal(t, "e d a b c", listed(t, engine))

	again, _ := d.engine(t, "")
	require.NoError(t, again.Login(t.Context(), login))
	assert.Equal(t, "e d a b c", listed(t, again))
	assert.Equal(t, "alice", again.User())
}

func listed(t *testing.T, e *launchercmd.Engine) string {
	t.Helper()
	list, err := e.Desktops(t.Context())
	require.NoError(t, err)
	var names []string
	for _, d := range list.Desktops {
		names = append(names, d.Name)
	}
	return strings.Join(names, " ")
}

func TestAPersonNamesTheDirectorOnce(t *testing.T) {
	dir := t.TempDir()
	start := func() *launchercmd.Engine {
		e, err := launchercmd.NewEngine(launchercmd.EngineConfig{Home: dir, Folder: filepath.Join(dir, "folder")})
		require.NoError(t, err)
		return e
	}
	e := start()
	assert.Empty(t, e.URL())
	_, err := e.Reach(t.Context())
	require.ErrorContains(t, err, "no director is named")
	require.NoError(t, e.Logout(t.Context()))
	assert.False(t, e.LoggedIn())
	require.ErrorContains(t, e.SetBroker("http://director.example"), "is not https")
	assert.Empty(t, e.URL())
	require.NoError(t, e.SetBroker("https://director.example:8445/"))
	assert.Equal(t, "https://director.example:8445", start().URL())
	assert.False(t, start().BrokerSet())

	set := home(t, dir)
	assert.True(t, set.BrokerSet())
	require.ErrorContains(t, set.SetBroker("https://elsewhere.example"), "the configuration file names the director")
}

func TestPreferencesThatCannotBeAreRefused(t *testing.T) {
	e := home(t, t.TempDir())
	for name, tt := range map[string]struct {
		p    launchercmd.Preferences
		says string
	}{
		"too much quality":       {launchercmd.Preferences{QualityMax: 101}, "from 0 to 100 percent"},
		"less than none":         {launchercmd.Preferences{QualityMin: -1, QualityMax: 5}, "from 0 to 100 percent"},
		"the wrong way round":    {launchercmd.Preferences{QualityMin: 80, QualityMax: 30}, "exchange them"},
		"an unknown type":        {launchercmd.Preferences{Type: "window"}, "does not know"},
		"an unknown policy":      {launchercmd.Preferences{Certificate: "never"}, "does not know"},
		"an unknown switch":      {launchercmd.Preferences{Datagrams: "maybe"}, "does not know"},
		"a line in the options":  {launchercmd.Preferences{Extra: "a\nb"}, "control character"},
		"a line in the viewer":   {launchercmd.Preferences{Viewer: "a\x00b"}, "control character"},
		"a quote without an end": {launchercmd.Preferences{Extra: `--x "a b`}, "quote without an end"},
		"a novel":                {launchercmd.Preferences{Extra: strings.Repeat("x", 5000)}, "longer than 4096 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, e.SetPreferences(tt.p), tt.says)
			assert.Zero(t, e.Preferences())
		})
	}
	german := launchercmd.Preferences{QualityMax: 101}.Check(words.For("de"))
	require.ErrorContains(t, german, "die Bildqualität geht von 0 bis 100 Prozent")
}

func TestOldUsesAreForgotten(t *testing.T) {
	used := map[string]time.Time{}
	for i := range 600 {
		used = launchercmd.Used(used, strconv.Itoa(i), time.Unix(int64(i), 0))
	}
	assert.Len(t, used, 500)
	assert.NotContains(t, used, "99")
	assert.Contains(t, used, "599")
}
