package gui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// A field is a line of text that lets its owner have some keys first.
type field struct {
	widget.Entry
	onKey   func(fyne.KeyName) bool  // reports whether the key is done with; nil means none is
	onCombo func(fyne.Shortcut) bool // the same for keys with Ctrl
}

func newField() *field {
	f := &field{}
	f.Scroll = fyne.ScrollHorizontalOnly
	f.ExtendBaseWidget(f)
	return f
}

// newSecret returns a field that shows dots, with an eye that shows the letters.
func newSecret(eyeName string) *field {
	f := newField()
	f.Password = true
	var eye *glyph
	eye = newGlyph(eyeName, theme.VisibilityOffIcon(), func() {
		f.Password = !f.Password
		if f.Password {
			eye.show(theme.VisibilityOffIcon())
		} else {
			eye.show(theme.VisibilityIcon())
		}
		f.Refresh()
	})
	f.ActionItem = eye
	return f
}

// TypedKey implements [fyne.Focusable].
func (f *field) TypedKey(key *fyne.KeyEvent) {
	if f.onKey != nil && f.onKey(key.Name) {
		return
	}
	f.Entry.TypedKey(key)
}

// TypedShortcut implements [fyne.Shortcutable].
func (f *field) TypedShortcut(s fyne.Shortcut) {
	if f.onCombo != nil && f.onCombo(s) {
		return
	}
	f.Entry.TypedShortcut(s)
}

// labelled puts a name above what it names.
func labelled(name string, what fyne.CanvasObject) *fyne.Container {
	label := widget.NewLabelWithStyle(name, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	return container.New(closeColumn{}, label, what)
}

// closeColumn stacks a label and what it names without the label's padding between.
type closeColumn struct{}

// Layout implements [fyne.Layout].
func (closeColumn) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	head := objects[0].MinSize().Height
	objects[0].Move(fyne.NewPos(-theme.InnerPadding()+2, -theme.InnerPadding()/2))
	objects[0].Resize(fyne.NewSize(size.Width+theme.InnerPadding(), head))
	top := head - theme.InnerPadding()
	objects[1].Move(fyne.NewPos(0, top))
	objects[1].Resize(fyne.NewSize(size.Width, size.Height-top))
}

// MinSize implements [fyne.Layout].
func (closeColumn) MinSize(objects []fyne.CanvasObject) fyne.Size {
	head, body := objects[0].MinSize(), objects[1].MinSize()
	return fyne.NewSize(max(head.Width, body.Width), head.Height-theme.InnerPadding()+body.Height)
}

// quiet returns text of second rank.
func quiet(text string) *widget.RichText {
	return styled(text, colorQuiet, theme.SizeNameCaptionText, fyne.TextStyle{})
}

// styled returns text of one style that wraps.
func styled(text string, color fyne.ThemeColorName, size fyne.ThemeSizeName, style fyne.TextStyle) *widget.RichText {
	rich := widget.NewRichText(&widget.TextSegment{Text: text, Style: widget.RichTextStyle{ColorName: color, SizeName: size, TextStyle: style}})
	rich.Wrapping = fyne.TextWrapWord
	return rich
}

// setText changes the one text that styled made.
func setText(rich *widget.RichText, text string, color fyne.ThemeColorName) {
	segment, ok := rich.Segments[0].(*widget.TextSegment)
	if !ok || segment.Text == text && segment.Style.ColorName == color {
		return
	}
	segment.Text, segment.Style.ColorName = text, color
	rich.Refresh()
}

// gap is empty room between two lines.
func gap(height float32) fyne.CanvasObject {
	r := canvas.NewRectangle(nil)
	r.SetMinSize(fyne.NewSize(0, height))
	return r
}
