package gui

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// A button is one that Enter presses too.
type button struct {
	widget.Button
	onKey func(fyne.KeyName) bool // reports whether the key is done with; nil means none is
}

func newButton(text string, tapped func()) *button {
	b := &button{}
	b.Text, b.OnTapped = text, tapped
	b.ExtendBaseWidget(b)
	return b
}

// newPrimary returns the button of the one act that a view is for.
func newPrimary(text string, tapped func()) *button {
	b := newButton(text, tapped)
	b.Importance = widget.HighImportance
	return b
}

// TypedKey implements [fyne.Focusable].
func (b *button) TypedKey(key *fyne.KeyEvent) {
	if key.Name == fyne.KeyReturn || key.Name == fyne.KeyEnter {
		b.Tapped(nil)
		return
	}
	if b.onKey != nil && b.onKey(key.Name) {
		return
	}
	b.Button.TypedKey(key)
}

// A glyph is a small picture that can be clicked. Tab passes it by: its act is in a
// menu or has a key.
type glyph struct {
	widget.BaseWidget
	name   string // for those who hear it
	icon   *widget.Icon
	back   *canvas.Rectangle
	tapped func()
}

var (
	_ fyne.Tappable     = (*glyph)(nil)
	_ fyne.Accessible   = (*glyph)(nil)
	_ desktop.Hoverable = (*glyph)(nil)
)

// glyphSize is the side of a glyph; the picture in it has half of that and a bit.
const glyphSize, glyphInset = 32, 7

func newGlyph(name string, icon fyne.Resource, tapped func()) *glyph {
	g := &glyph{name: name, icon: widget.NewIcon(icon), back: canvas.NewRectangle(color.Transparent), tapped: tapped}
	g.back.CornerRadius = 6
	g.ExtendBaseWidget(g)
	return g
}

func (g *glyph) show(icon fyne.Resource) { g.icon.SetResource(icon) }

// CreateRenderer implements [fyne.Widget].
func (g *glyph) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(container.New(glyphLayout{}, g.back, g.icon))
}

// Tapped implements [fyne.Tappable].
func (g *glyph) Tapped(*fyne.PointEvent) {
	if g.tapped != nil {
		g.tapped()
	}
}

// MouseIn implements [desktop.Hoverable].
func (g *glyph) MouseIn(*desktop.MouseEvent) {
	g.back.FillColor = theme.Color(theme.ColorNameHover)
	g.back.Refresh()
}

// MouseMoved implements [desktop.Hoverable].
func (g *glyph) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements [desktop.Hoverable].
func (g *glyph) MouseOut() {
	g.back.FillColor = color.Transparent
	g.back.Refresh()
}

// AccessibilityLabel implements [fyne.Accessible].
func (g *glyph) AccessibilityLabel() string { return g.name }

// AccessibilityRole implements [fyne.Accessible].
func (g *glyph) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// glyphLayout puts the picture into the middle of its square.
type glyphLayout struct{}

// Layout implements [fyne.Layout].
func (glyphLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	objects[0].Resize(size)
	side := size.Height - 2*glyphInset
	objects[1].Resize(fyne.NewSquareSize(side))
	objects[1].Move(fyne.NewPos((size.Width-side)/2, glyphInset))
}

// MinSize implements [fyne.Layout].
func (glyphLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSquareSize(glyphSize) }
