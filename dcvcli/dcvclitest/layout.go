package dcvclitest

import (
	"fmt"
	"image"
	"regexp"
	"strconv"
	"strings"
)

// A Display is one head of a session, in pixels.
type Display struct {
	Width  int `json:"width"`
	Height int `json:"height"`
	X      int `json:"x"` // offsets are relative to the first head
	Y      int `json:"y"`
}

func (d Display) String() string { return fmt.Sprintf("%dx%d%+d%+d", d.Width, d.Height, d.X, d.Y) }

func (d Display) bounds() image.Rectangle { return image.Rect(d.X, d.Y, d.X+d.Width, d.Y+d.Height) }

// layout returns the heads of a session. A virtual one that was told nothing has
// one head, and a console none before somebody connects.
func (s Session) layout() []Display {
	if s.Layout == nil && s.Type == "virtual" {
		return []Display{{Width: 1024, Height: 768}}
	}
	return s.Layout
}

// parseLayout reads a layout descriptor, "WxH+X+Y,…", where offsets may be left
// out (Administrator Guide, "Managing the display layout").
func parseLayout(text string) ([]Display, error) {
	form := regexp.MustCompile(`^([0-9]{1,5})x([0-9]{1,5})(?:([+-][0-9]{1,6})([+-][0-9]{1,6}))?$`)
	var layout []Display
	for head := range strings.SplitSeq(text, ",") {
		m := form.FindStringSubmatch(head)
		if m == nil {
			return nil, fmt.Errorf("display layout %.80q is not WxH+X+Y", head)
		}
		var numbers [4]int
		for i, digits := range m[1:] {
			if digits == "" {
				continue
			}
			var err error
			if numbers[i], err = strconv.Atoi(digits); err != nil {
				return nil, fmt.Errorf("display layout %.80q: %w", head, err)
			}
		}
		layout = append(layout, Display{Width: numbers[0], Height: numbers[1], X: numbers[2], Y: numbers[3]})
	}
	return layout, nil
}

// supported reports whether a layout keeps the default bounds: max-num-heads and
// min- and max-head-resolution of dcv.conf.
func supported(layout []Display) bool {
	for _, d := range layout {
		if d.Width < 640 || d.Width > 4096 || d.Height < 480 || d.Height > 2160 {
			return false
		}
	}
	return len(layout) <= 4
}
