package gui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// A row is what one line of the list shows.
type row struct {
	key       string // of the desktop
	name      string
	words     string // its state
	color     fyne.ThemeColorName
	act       string // on its button; empty when there is nothing to do
	primary   bool   // its button is the one that Enter presses
	favourite bool
	busy      bool // its button waits
}

// A rowView shows a row. The list makes as many as fit in the window.
type rowView struct {
	widget.BaseWidget
	star  *glyph
	dot   *canvas.Circle
	name  *widget.RichText
	words *widget.RichText
	act   *widget.Button
	more  *glyph
	shown row
}

func newRowView(star, more string) *rowView {
	v := &rowView{
		star:  newGlyph(star, starOff, nil),
		dot:   canvas.NewCircle(nil),
		name:  styled("", theme.ColorNameForeground, theme.SizeNameText, fyne.TextStyle{Bold: true}),
		words: quiet(""),
		act:   widget.NewButton("", nil),
		more:  newGlyph(more, theme.MoreVerticalIcon(), nil),
	}
	v.name.Wrapping, v.words.Wrapping = fyne.TextWrapOff, fyne.TextWrapOff
	v.name.Truncation, v.words.Truncation = fyne.TextTruncateEllipsis, fyne.TextTruncateEllipsis
	v.ExtendBaseWidget(v)
	return v
}

// show fills the view; act, star and more are what its buttons do.
func (v *rowView) show(r row, act, star, more func()) {
	v.shown = r
	v.star.tapped, v.act.OnTapped, v.more.tapped = star, act, more
	setText(v.name, r.name, theme.ColorNameForeground)
	setText(v.words, r.words, colorQuiet)
	icon := starOff
	if r.favourite {
		icon = starOn
	}
	v.star.show(icon)
	v.act.Importance = widget.MediumImportance
	if r.primary {
		v.act.Importance = widget.HighImportance
	}
	v.act.Hidden = r.act == ""
	if r.busy {
		v.act.Disable()
	} else {
		v.act.Enable()
	}
	v.act.SetText(r.act)
	v.Refresh()
}

// Refresh implements [fyne.Widget]; the dot follows the theme.
func (v *rowView) Refresh() {
	color := v.shown.color
	if color == "" {
		color = colorWorking
	}
	v.dot.FillColor = theme.Color(color)
	v.dot.Refresh()
	v.BaseWidget.Refresh()
}

// CreateRenderer implements [fyne.Widget].
func (v *rowView) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(container.New(&rowLayout{v}, v.star, v.dot, v.name, v.words, v.act, v.more))
}

// rowLayout puts two lines of text between the star and the buttons.
type rowLayout struct{ v *rowView }

// The measures of a row, on the grid of 4.
const (
	rowHeight  = 56
	dotSize    = 8
	lineGap    = 3
	buttonHigh = 32
)

// Layout implements [fyne.Layout].
func (l *rowLayout) Layout(_ []fyne.CanvasObject, size fyne.Size) {
	v, pad := l.v, theme.InnerPadding()
	v.star.Resize(fyne.NewSquareSize(glyphSize))
	v.star.Move(fyne.NewPos(0, (size.Height-glyphSize)/2))
	v.more.Resize(fyne.NewSquareSize(glyphSize))
	v.more.Move(fyne.NewPos(size.Width-glyphSize, (size.Height-glyphSize)/2))
	right := size.Width - glyphSize - 4
	if !v.act.Hidden {
		width := max(v.act.MinSize().Width, 84)
		v.act.Resize(fyne.NewSize(width, buttonHigh))
		v.act.Move(fyne.NewPos(right-width, (size.Height-buttonHigh)/2))
		right -= width + 4
	}
	left := float32(glyphSize + 4)
	// A text is as high as its letters and the padding above and below them.
	nameHigh, wordsHigh := v.name.MinSize().Height, v.words.MinSize().Height
	top := (size.Height - (nameHigh + wordsHigh - 4*pad) - lineGap) / 2
	v.name.Resize(fyne.NewSize(right-left+2*pad, nameHigh))
	v.name.Move(fyne.NewPos(left-pad, top-pad))
	top += nameHigh - 2*pad + lineGap
	v.words.Resize(fyne.NewSize(right-left-dotSize-6+2*pad, wordsHigh))
	v.words.Move(fyne.NewPos(left+dotSize+6-pad, top-pad))
	v.dot.Resize(fyne.NewSquareSize(dotSize))
	v.dot.Move(fyne.NewPos(left, top+(wordsHigh-2*pad-dotSize)/2))
}

// MinSize implements [fyne.Layout].
func (l *rowLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(240, rowHeight) }
