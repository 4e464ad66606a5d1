package gui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"
)

// Fyne's own choices keep every key for themselves. These let the window have its
// keys first, so that Escape leaves from anywhere.

// A choice is one of several.
type choice struct {
	widget.Select
	onKey func(fyne.KeyName) bool
}

func newChoice(texts []string, onKey func(fyne.KeyName) bool) *choice {
	c := &choice{onKey: onKey}
	c.Options = texts
	c.ExtendBaseWidget(c)
	return c
}

// TypedKey implements [fyne.Focusable].
func (c *choice) TypedKey(key *fyne.KeyEvent) {
	if !c.onKey(key.Name) {
		c.Select.TypedKey(key)
	}
}

// A tick is yes or no.
type tick struct {
	widget.Check
	onKey func(fyne.KeyName) bool
}

func newTick(text string, onKey func(fyne.KeyName) bool) *tick {
	c := &tick{onKey: onKey}
	c.Text = text
	c.ExtendBaseWidget(c)
	return c
}

// TypedKey implements [fyne.Focusable].
func (c *tick) TypedKey(key *fyne.KeyEvent) {
	if !c.onKey(key.Name) {
		c.Check.TypedKey(key)
	}
}

// A slide is a number of percent.
type slide struct {
	widget.Slider
	onKey func(fyne.KeyName) bool
}

func newSlide(onKey func(fyne.KeyName) bool) *slide {
	s := &slide{onKey: onKey}
	s.Max, s.Step = 100, 5
	s.ExtendBaseWidget(s)
	return s
}

// TypedKey implements [fyne.Focusable].
func (s *slide) TypedKey(key *fyne.KeyEvent) {
	if !s.onKey(key.Name) {
		s.Slider.TypedKey(key)
	}
}
