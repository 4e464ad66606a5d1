package gui

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

var bothTypes = []dcvix.SessionType{dcvix.SessionConsole, dcvix.SessionVirtual}

// aDay is what somebody may have on the list on a usual day.
func aDay() []launchercmd.Desktop {
	own := func(kind dcvix.SessionType, clients int) []launchercmd.DesktopSession {
		return []launchercmd.DesktopSession{{ID: "dcvix_1", Type: kind, Connections: clients}}
	}
	return []launchercmd.Desktop{
		{Kind: dcvix.DesktopHost, Name: "ws1", State: "own", Types: bothTypes, Sessions: own(dcvix.SessionConsole, 0), Hosts: 1, Favourite: true},
		{Kind: dcvix.DesktopPool, Name: "GPU pool", State: "ready", Types: bothTypes[1:], Hosts: 8, Free: 5, Favourite: true},
		{Kind: dcvix.DesktopHost, Name: "cad-14", State: "in-use", Types: bothTypes, Sessions: own(dcvix.SessionVirtual, 1), Hosts: 1},
		{Kind: dcvix.DesktopHost, Name: "render-3", State: "ready", Types: bothTypes, Hosts: 1},
		{Kind: dcvix.DesktopHost, Name: "ws7", State: "maintenance", Detail: "In maintenance until 14:00: disk replacement.", Hosts: 1},
		{Kind: dcvix.DesktopHost, Name: "ws9", State: "busy", Hosts: 1},
		{Kind: dcvix.DesktopHost, Name: "ws12", State: "offline", Hosts: 1},
		{Kind: dcvix.DesktopHost, Name: "old\x1b]0;x\a", Hosts: 1},
	}
}

// listOf logs alice in and shows her a list that no director sent.
func listOf(t *testing.T, desktops []launchercmd.Desktop) *bench {
	t.Helper()
	b := newBench(t)
	b.enter()
	b.logIn()
	b.until("the stream is open", func() bool { return b.w.list.known != nil })
	b.w.list.update(launchercmd.Update{List: &launchercmd.List{Desktops: desktops}})
	return b
}

func TestEachDesktopIsShownInWords(t *testing.T) {
	w := words.For("en")
	for i, want := range []string{
		"ws1: running · console [Resume] dcvix-ready",
		"GPU pool: 5 of 8 free · pool [Open] dcvix-ready",
		"cad-14: in use by you · virtual [Resume] dcvix-in-use",
		"render-3: ready [Open] dcvix-ready",
		"ws7: In maintenance until 14:00: disk replacement [] dcvix-attention",
		"ws9: in use by others [] dcvix-in-use",
		"ws12: offline [] dcvix-broken",
		`"old\x1b]0;x\a":  [Open] dcvix-working`,
	} {
		r := rowOf(aDay()[i], w)
		assert.Equal(t, want, fmt.Sprintf("%s: %s [%s] %s", r.name, r.words, r.act, r.color))
	}
	now := time.Date(2026, 11, 22, 18, 0, 0, 0, time.Local)
	assert.Equal(t, "09:12", since(now.Add(-8*time.Hour-48*time.Minute), now))
	assert.Equal(t, "21 Nov 23:00", since(now.Add(-19*time.Hour), now))
}

func TestLettersSearchArrowsChooseEscapeGoesBack(t *testing.T) {
	b := listOf(t, aDay())
	chosen := func() string { d, _ := b.w.list.choice(); return d.Name }
	assert.Equal(t, "ws1", chosen())
	b.press(fyne.KeyDown, fyne.KeyDown)
	assert.Equal(t, "cad-14", chosen())
	b.press(fyne.KeyPageDown, fyne.KeyDown)
	assert.Equal(t, aDay()[7].Name, chosen(), "the end is the end")
	b.press(fyne.KeyPageUp, fyne.KeyUp)
	assert.Equal(t, "ws1", chosen())

	b.enterText("WS")
	assert.Len(t, b.rows(), 4)
	assert.Equal(t, "ws1", chosen(), "what was chosen stays so while it is there")
	b.enterText("9")
	assert.Equal(t, "ws9", chosen())
	b.press(fyne.KeyReturn)
	assert.Equal(t, "ws9 cannot be opened now: in use by others", b.status())
	b.enterText("x")
	assert.Empty(t, b.status(), "the note goes when the person goes on")
	assert.True(t, b.w.list.none.Visible())
	assert.Contains(t, b.w.list.why.String(), "WS9x")
	b.press(fyne.KeyEscape)
	assert.Empty(t, b.w.list.search.Text)
	assert.Len(t, b.rows(), 8)

	b.w.window.Canvas().Unfocus() // a click beside everything
	b.w.window.Canvas().OnTypedRune()('g')
	assert.Equal(t, "g", b.w.list.search.Text)
}

func TestAFavouriteIsRememberedAndNothingJumps(t *testing.T) {
	b := newBench(t)
	b.enter()
	b.logIn()
	b.press(fyne.KeyDown)
	d, _ := b.w.list.choice()
	b.w.list.favour(d)
	assert.Equal(t, []string{"ws1: not usable []", "> * ws2: not usable []"}, b.rows())
	b.enter()
	b.logIn()
	assert.Equal(t, []string{"> * ws2: not usable []", "ws1: not usable []"}, b.rows())
}

func TestOtherHostsAreOpenedByNameWhereThatIsAllowed(t *testing.T) {
	b := newBench(t)
	b.host("ws5")
	b.director.Policy.Set(t, `[{"id": "alice", "workstations": ["ALLOW_CUSTOM"]}]`, "")
	b.enter()
	b.logIn()
	assert.Contains(t, b.w.list.why.String(), "name of a host")
	b.enterText("ws5")
	assert.True(t, b.w.list.other.Visible())
	b.press(fyne.KeyReturn)
	assert.Contains(t, b.viewed(), "host=ws5")
	require.NoError(t, os.Remove(b.record))
	b.until("the viewer has ended", func() bool { return b.w.list.viewers == 0 && len(b.w.list.busy) == 0 })

	b.w.list.otherHost()
	b.press(fyne.KeyReturn)
	assert.Contains(t, b.viewed(), "host=ws5", "the question begins with what is searched for")
	require.NoError(t, os.Remove(b.record))
}

func TestAnEmptyListSaysWhyAndWhatNext(t *testing.T) {
	b := listOf(t, nil)
	assert.True(t, b.w.list.none.Visible())
	assert.Contains(t, b.w.list.why.String(), "Ask your admin")
	b.press(fyne.KeyReturn, fyne.KeyDown, fyne.KeyDelete)
	b.w.list.update(launchercmd.Update{List: &launchercmd.List{Reason: "Nobody is called alice here."}})
	assert.Equal(t, "Nobody is called alice here.", b.w.list.why.String())
}

func TestTenThousandDesktopsMakeNoMoreLinesThanFit(t *testing.T) {
	b := listOf(t, manyDesktops(10_000))
	lines := 0
	walk(b.w.list.list, func(o fyne.CanvasObject) {
		if _, ok := o.(*rowView); ok {
			lines++
		}
	})
	assert.Positive(t, lines)
	assert.LessOrEqual(t, lines, firstHeight/rowHeight+2)
	b.enterText("9999")
	assert.Len(t, b.w.list.found, 1)
}

func manyDesktops(n int) []launchercmd.Desktop {
	all := make([]launchercmd.Desktop, n)
	for i := range all {
		all[i] = launchercmd.Desktop{Kind: dcvix.DesktopHost, Name: fmt.Sprintf("node-%04d.cluster.example", i), State: "ready", Types: bothTypes, Hosts: 1}
	}
	return all
}

// BenchmarkLetterInTenThousand is what a letter in the search costs.
func BenchmarkLetterInTenThousand(b *testing.B) {
	test.NewTempApp(b)
	w := &Window{words: words.For("en"), status: newStatus(words.For("en"), nil, nil), cfg: Config{App: fyne.CurrentApp()}}
	w.window = fyne.CurrentApp().NewWindow("")
	v := newListView(w)
	w.list = v
	w.window.SetContent(v.page)
	w.window.Resize(fyne.NewSize(firstWidth, firstHeight))
	v.known = &launchercmd.List{Desktops: manyDesktops(10_000)}
	for i := 0; b.Loop(); i++ {
		v.search.Text = strconv.Itoa(i % 10)
		v.filter()
	}
}

// TestTheListIsPainted paints a list with every state, for the documentation when its
// pictures are made anew.
func TestTheListIsPainted(t *testing.T) {
	for name, dark := range map[string]bool{"light": false, "dark": true} {
		b := listOf(t, aDay()[:7])
		b.w.dress(&dark)
		b.w.window.Resize(fyne.NewSize(firstWidth, firstHeight))
		b.w.list.list.Refresh()
		var file bytes.Buffer
		require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&file, b.w.window.Canvas().Capture()))
		assert.Greater(t, file.Len(), 10_000, "something is painted")
		folder := t.ArtifactDir()
		if os.Getenv("DCVIX_IMAGES") != "" {
			folder = filepath.Join("..", "..", "..", "docs", "images")
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, "launcher-desktops-"+name+".png"), file.Bytes(), 0o600))
	}
}
