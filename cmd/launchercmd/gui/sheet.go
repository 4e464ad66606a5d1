package gui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// A question is what the window asks before it goes on. Escape answers no.
type question struct {
	head, text string
	body       []fyne.CanvasObject // between text and buttons
	first      fyne.Focusable      // gets the keyboard; nil means the answer that does no harm
	yes, no    string              // on the buttons; without yes there is one button
	ends       bool                // yes ends something for good
	do         func()              // after yes
}

// A sheet is a question on the screen.
type sheet struct {
	popUp  *widget.PopUp
	before fyne.Focusable // had the keyboard
	title  string         // of the window before
}

// sheetWide is the width of a question in a window of the usual size.
const sheetWide = 340

// ask shows a question over the window.
func (w *Window) ask(q question) {
	w.closeSheet()
	answer := func() {
		w.closeSheet()
		if q.do != nil {
			q.do()
		}
	}
	no := newButton(q.no, w.closeSheet)
	no.onKey = w.fieldKey
	buttons := container.NewHBox(layout.NewSpacer(), no)
	first := fyne.Focusable(no)
	if q.yes != "" {
		yes := newPrimary(q.yes, answer)
		if q.ends {
			yes.Importance = widget.DangerImportance
		} else {
			first = yes
		}
		yes.onKey = w.fieldKey
		buttons.Add(yes)
	}
	content := container.New(layout.NewCustomPaddedVBoxLayout(0), styled(q.head, theme.ColorNameForeground, theme.SizeNameSubHeadingText, fyne.TextStyle{Bold: true}))
	if q.text != "" {
		content.Add(styled(q.text, theme.ColorNameForeground, theme.SizeNameText, fyne.TextStyle{}))
	}
	for _, o := range q.body {
		content.Add(container.New(layout.NewCustomPaddedLayout(0, 4, 8, 8), o))
	}
	content.Add(gap(4))
	content.Add(buttons)
	for _, f := range fieldsIn(q.body) {
		f.onKey = w.fieldKey
		f.OnSubmitted = func(string) { answer() }
	}
	if q.first != nil {
		first = q.first
	}
	canvas := w.window.Canvas()
	w.sheet = &sheet{before: canvas.Focused(), title: w.window.Title()}
	w.title(q.head)
	w.sheet.popUp = widget.NewModalPopUp(container.New(layout.NewCustomPaddedLayout(8, 8, 8, 8), content), canvas)
	width := min(sheetWide, canvas.Size().Width-24)
	w.sheet.popUp.Resize(fyne.NewSize(width, w.sheet.popUp.MinSize().Height))
	w.sheet.popUp.Show()
	w.sheet.popUp.Resize(fyne.NewSize(width, content.MinSize().Height+24)) // texts know how often they wrap only now
	canvas.Focus(first)
}

// closeSheet takes the question away and gives the keyboard back.
func (w *Window) closeSheet() {
	if w.sheet == nil {
		return
	}
	before := w.sheet.before
	w.sheet.popUp.Hide()
	w.window.SetTitle(w.sheet.title)
	w.sheet = nil
	if before != nil {
		w.window.Canvas().Focus(before)
	}
}

// fieldsIn finds the lines of text in what a question shows.
func fieldsIn(objects []fyne.CanvasObject) (found []*field) {
	for _, o := range objects {
		switch o := o.(type) {
		case *field:
			found = append(found, o)
		case *fyne.Container:
			found = append(found, fieldsIn(o.Objects)...)
		}
	}
	return found
}

// popUp shows a menu under what it belongs to.
func (w *Window) popUp(menu *fyne.Menu, at fyne.CanvasObject) {
	pos := fyne.CurrentApp().Driver().AbsolutePositionForObject(at)
	w.popUpAt(menu, pos, at.Size().Height)
}

// popUpAt shows a menu below, or where there is no room above, something of a height.
func (w *Window) popUpAt(menu *fyne.Menu, pos fyne.Position, height float32) {
	canvas := w.window.Canvas()
	m := widget.NewPopUpMenu(menu, canvas)
	size, room := m.MinSize(), canvas.Size()
	pos.X = max(0, min(pos.X, room.Width-size.Width-8))
	if pos.Y+height+size.Height > room.Height {
		pos.Y = max(0, pos.Y-size.Height)
	} else {
		pos.Y += height
	}
	m.ShowAtPosition(pos)
}
