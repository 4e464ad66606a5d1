package dcvcli

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The bounds of a layout, in pixels for a side of a display. They are those of a
// server whose configuration does not change them: max-num-heads,
// min-head-resolution and max-head-resolution in the Administrator Guide,
// "Parameter reference".
const (
	MaxDisplays = 4
	MinWidth    = 640
	MinHeight   = 480
	MaxWidth    = 4096
	MaxHeight   = 2160
)

// maxOffset bounds the place of a display: beyond it no display could touch
// another one.
const maxOffset = MaxDisplays * MaxWidth

// A Layout is how the displays of a session lie. The first one is the main one.
type Layout []Display

// String returns the descriptor of the Administrator Guide, "Managing the display
// layout": "1920x1080+0+0,1280x1024+1920+0".
func (l Layout) String() string {
	parts := make([]string, 0, len(l))
	for _, d := range l {
		parts = append(parts, d.String())
	}
	return strings.Join(parts, ",")
}

// String returns the display's part of a layout's descriptor: "1920x1080-1920+0".
func (d Display) String() string {
	return fmt.Sprintf("%dx%d%+d%+d", d.Width, d.Height, d.X, d.Y)
}

// Validate returns an error that wraps [ErrInvalid] unless a layout has 1 to
// [MaxDisplays] displays whose sides are within the bounds.
func (l Layout) Validate() error {
	if len(l) == 0 || len(l) > MaxDisplays {
		return fmt.Errorf("display layout: %w: it has %d displays, not 1 to %d", ErrInvalid, len(l), MaxDisplays)
	}
	for _, d := range l {
		switch {
		case d.Width < MinWidth || d.Width > MaxWidth || d.Height < MinHeight || d.Height > MaxHeight:
			return fmt.Errorf("display %s: %w: a display has from %dx%d to %dx%d pixels",
				d, ErrInvalid, MinWidth, MinHeight, MaxWidth, MaxHeight)
		case d.X < -maxOffset || d.X > maxOffset || d.Y < -maxOffset || d.Y > maxOffset:
			return fmt.Errorf("display %s: %w: it lies more than %d pixels away", d, ErrInvalid, maxOffset)
		}
	}
	return nil
}

// displayForm has a place that may be missing, which means 0,0. The numbers are
// short enough for an int.
var displayForm = regexp.MustCompile(`^([0-9]{1,6})x([0-9]{1,6})(?:([+-][0-9]{1,6})([+-][0-9]{1,6}))?$`)

// ParseLayout reads a descriptor as [Layout.String] writes it. A display without
// a place lies at 0,0, as the guide says. It returns an error that wraps
// [ErrInvalid] for any other text. The bounds are left to [Layout.Validate]: a
// server may be configured for others.
func ParseLayout(descriptor string) (Layout, error) {
	var layout Layout
	for part := range strings.SplitSeq(descriptor, ",") {
		m := displayForm.FindStringSubmatch(part)
		if m == nil {
			return nil, fmt.Errorf("display %.40q: %w: write it as 1920x1080+0+0", part, ErrInvalid)
		}
		var n [4]int
		for i, digits := range m[1:] {
			n[i], _ = strconv.Atoi(digits) // "" is 0, and the form lets no other error be
		}
		if n[0] == 0 || n[1] == 0 {
			return nil, fmt.Errorf("display %.40q: %w: it has no extent", part, ErrInvalid)
		}
		layout = append(layout, Display{Width: n[0], Height: n[1], X: n[2], Y: n[3]})
	}
	return layout, nil
}

// SetDisplayLayout arranges the displays of a session and returns once the
// session shows that layout, in any order of its displays. A server applies no
// layout that it or the client does not support, and says nothing
// (Administrator Guide, "Managing the display layout"): the error then wraps
// [ErrNotChanged]. Of a session that shows no layout at all the exit status is
// believed.
//
// It returns an error that wraps [ErrInvalid] for a layout that is not valid, and
// [ErrNotFound] if there is no session of that id.
func (c *CLI) SetDisplayLayout(ctx context.Context, id string, layout Layout) error {
	if err := layout.Validate(); err != nil {
		return err
	}
	want := sorted(layout)
	return c.set(ctx, setting{
		id:   id,
		args: []string{"set-display-layout", "--session=" + id, layout.String()},
		shown: func(s Session, _ bool) evidence {
			if s.DisplayLayout == nil {
				return unclear
			}
			return presentIf(slices.Equal(sorted(s.DisplayLayout), want))
		},
	})
}

func sorted(displays []Display) []Display {
	return slices.SortedFunc(slices.Values(displays), func(a, b Display) int {
		return cmp.Or(cmp.Compare(a.X, b.X), cmp.Compare(a.Y, b.Y), cmp.Compare(a.Width, b.Width), cmp.Compare(a.Height, b.Height))
	})
}
