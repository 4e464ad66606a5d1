package gui

import (
	"context"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// A known is the line under the login that names the director and says whether it
// is known to be the right one.
type known struct {
	w   *Window
	box *fyne.Container
	dot *canvas.Circle
	who *canvas.Text
	how *canvas.Text

	color fyne.ThemeColorName
}

func newKnown(w *Window) *known {
	k := &known{w: w, dot: canvas.NewCircle(nil), who: canvas.NewText("", nil), how: canvas.NewText("", nil)}
	k.who.TextStyle.Bold = true
	for _, t := range []*canvas.Text{k.who, k.how} {
		t.TextSize = theme.Size(theme.SizeNameCaptionText)
	}
	dot := container.NewCenter(container.NewGridWrap(fyne.NewSquareSize(dotSize), k.dot))
	k.box = container.NewHBox(layout.NewSpacer(), dot, k.who, k.how, layout.NewSpacer())
	k.color = colorWorking
	w.onTheme(k.paint)
	return k
}

// show names a director; how is the key of a few words about it, empty for none.
func (k *known) show(who string, how words.Key, color fyne.ThemeColorName) {
	k.who.Text, k.how.Text = who, ""
	if how != "" {
		k.how.Text = k.w.say(how)
	}
	k.color = color
	k.box.Hidden = who == "" && how == ""
	k.paint()
}

func (k *known) paint() {
	k.dot.FillColor = theme.Color(k.color)
	k.who.Color, k.how.Color = theme.Color(theme.ColorNameForeground), theme.Color(colorQuiet)
	k.box.Refresh()
}

// trusted says what proves that the director is the right one.
func (k *known) trusted() {
	how, color := words.TrustYes, colorReady
	if k.w.engine.Trusted() == launchercmd.TrustNobody {
		how, color = words.TrustUnchecked, colorAttention
	}
	k.show(hostOf(k.w.engine.URL()), how, color)
}

// A trustCard introduces a director whose certificate nobody here vouches for. The
// person compares its fingerprint and decides.
type trustCard struct {
	w     *Window
	box   *fyne.Container
	head  *widget.RichText
	text  *widget.RichText
	print *widget.Label
	yes   *button
	who   launchercmd.Introduction
	done  func(error)
}

func newTrustCard(w *Window, done func(error)) *trustCard {
	c := &trustCard{w: w, done: done}
	c.head = styled("", theme.ColorNameForeground, theme.SizeNameText, fyne.TextStyle{Bold: true})
	c.text = quiet("")
	c.print = widget.NewLabelWithStyle("", fyne.TextAlignCenter, fyne.TextStyle{Monospace: true})
	c.print.Selectable = true
	c.yes = newButton(w.say(words.TrustIt), c.trust)
	back := canvas.NewRectangle(nil)
	back.CornerRadius, back.StrokeWidth = 6, 1
	w.onTheme(func() {
		back.FillColor, back.StrokeColor = theme.Color(theme.ColorNameHeaderBackground), theme.Color(colorAttention)
		back.Refresh()
	})
	c.yes.onKey = w.fieldKey
	c.box = container.NewStack(back, container.New(layout.NewCustomPaddedLayout(6, 12, 10, 10), container.NewVBox(
		container.New(layout.NewCustomPaddedVBoxLayout(-theme.InnerPadding()), c.head, c.text, c.print), c.yes)))
	c.box.Hide()
	return c
}

func (c *trustCard) show(who launchercmd.Introduction) {
	c.who = who
	head, text := words.TrustHead, words.TrustText
	if who.Changed {
		head, text = words.TrustChangedHead, words.TrustChangedText
	}
	setText(c.head, c.w.say(head, hostOf(who.URL)), theme.ColorNameForeground)
	c.w.title(c.w.say(head, hostOf(who.URL)))
	setText(c.text, c.w.say(text), colorQuiet)
	c.print.SetText(inLines(who.Fingerprint))
	c.yes.Enable()
	c.box.Show()
	c.w.window.Canvas().Focus(c.yes)
}

// inLines breaks a fingerprint of 32 bytes into lines that fit.
func inLines(fingerprint string) string {
	parts := strings.Split(fingerprint, ":")
	var lines []string
	for len(parts) > 0 {
		n := min(8, len(parts))
		lines = append(lines, strings.Join(parts[:n], ":"))
		parts = parts[n:]
	}
	return strings.Join(lines, "\n")
}

func (c *trustCard) trust() {
	c.yes.Disable()
	fingerprint := c.who.Fingerprint
	c.w.job(func(ctx context.Context) func() {
		err := c.w.engine.Trust(ctx, fingerprint)
		return func() { c.done(err) }
	})
}
