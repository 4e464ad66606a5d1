package gui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// A status is the line at the bottom: what is happening, or what went wrong and
// what helps, with the detail to unfold.
type status struct {
	words *words.Words
	copy  func(string) // to the clipboard
	onKey func(fyne.KeyName) bool

	passing bool // what is shown goes when the person goes on

	box    *fyne.Container
	turns  *widget.Activity
	dot    *canvas.Circle
	mark   *fyne.Container // turns or dot
	text   *widget.RichText
	unfold *button
	helps  *fyne.Container
	detail *widget.Label
	folded *fyne.Container
	scroll *container.Scroll
}

// detailHigh is the height of the unfolded detail.
const detailHigh = 108

func newStatus(w *words.Words, copyText func(string), onKey func(fyne.KeyName) bool) *status {
	s := &status{words: w, copy: copyText, onKey: onKey}
	s.turns = widget.NewActivity()
	s.dot = canvas.NewCircle(nil)
	s.mark = container.NewStack(s.turns, container.NewCenter(container.NewGridWrap(fyne.NewSquareSize(dotSize), s.dot)))
	s.text = styled("", theme.ColorNameForeground, theme.SizeNameText, fyne.TextStyle{})
	s.unfold = newButton(w.Say(words.ShowDetail), s.toggle)
	s.unfold.Importance = widget.LowImportance
	s.unfold.onKey = onKey
	s.helps = container.NewHBox()
	s.detail = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Monospace: true})
	s.detail.Wrapping = fyne.TextWrapBreak
	s.detail.SizeName = theme.SizeNameCaptionText
	s.scroll = container.NewVScroll(s.detail)
	s.scroll.SetMinSize(fyne.NewSize(0, detailHigh))
	copyIt := newButton(w.Say(words.Copy), func() { s.copy(s.text.String() + "\n" + s.detail.Text) })
	copyIt.Importance = widget.LowImportance
	s.folded = container.NewBorder(nil, container.NewHBox(copyIt), nil, nil, s.scroll)
	mark := container.NewVBox(container.NewGridWrap(fyne.NewSize(24, 36), s.mark))
	s.box = container.NewVBox(
		widget.NewSeparator(),
		container.New(layout.NewCustomPaddedLayout(2, 8, 8, 12),
			container.NewBorder(nil, nil, mark, nil, container.NewVBox(s.text, s.helps, s.folded))),
	)
	s.clear()
	return s
}

// A help is a button beside an error.
type help struct {
	text    string
	do      func()
	primary bool
}

// clear shows nothing.
func (s *status) clear() {
	s.passing = false
	s.turns.Stop()
	s.box.Hide()
}

// working shows a step of what is happening; stop, which may be nil, ends it.
func (s *status) working(step string, stop func()) {
	s.turns.Show()
	s.turns.Start()
	s.dot.Hide()
	var helps []help
	if stop != nil {
		helps = []help{{text: s.words.Say(words.Cancel), do: stop}}
	}
	s.show(step+" …", "", helps)
}

// tell shows a sentence with a dot of the colour of its state, until the person goes
// on.
func (s *status) tell(sentence string, color fyne.ThemeColorName) {
	s.fail(sentence, "", color)
	s.passing = true
}

// pass takes away what was told: the person goes on.
func (s *status) pass() {
	if s.passing {
		s.clear()
	}
}

// fail shows what is wrong; detail may be empty.
func (s *status) fail(sentence, detail string, color fyne.ThemeColorName, helps ...help) {
	s.turns.Stop()
	s.turns.Hide()
	s.dot.FillColor = theme.Color(color)
	s.dot.Show()
	s.show(sentence, detail, helps)
}

func (s *status) show(sentence, detail string, helps []help) {
	s.passing = false
	setText(s.text, sentence, theme.ColorNameForeground)
	s.detail.SetText(detail)
	s.folded.Hide()
	s.unfold.SetText(s.words.Say(words.ShowDetail))
	s.helps.RemoveAll()
	for _, h := range helps {
		b := newButton(h.text, h.do)
		b.onKey = s.onKey
		if h.primary {
			b.Importance = widget.HighImportance
		}
		s.helps.Add(b)
	}
	if detail != "" {
		s.helps.Add(s.unfold)
	}
	s.helps.Hidden = len(s.helps.Objects) == 0
	s.box.Show()
	s.box.Refresh()
}

func (s *status) toggle() {
	if s.folded.Visible() {
		s.folded.Hide()
		s.unfold.SetText(s.words.Say(words.ShowDetail))
	} else {
		s.folded.Show()
		s.unfold.SetText(s.words.Say(words.HideDetail))
	}
	s.box.Refresh()
}
