package gui

import (
	_ "embed"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

//go:embed logo.svg
var logoSVG []byte

// Logo is the picture of the program, also for its icon in a panel.
var Logo fyne.Resource = fyne.NewStaticResource("dcvix.svg", logoSVG) //nolint:gochecknoglobals // never changed

//go:embed star.svg
var starSVG []byte

//go:embed star-off.svg
var starOffSVG []byte

// The star of a favourite, in the colours of the theme.
//
//nolint:gochecknoglobals // never changed
var (
	starOn  fyne.Resource = theme.NewColoredResource(fyne.NewStaticResource("star.svg", starSVG), colorAttention)
	starOff fyne.Resource = theme.NewColoredResource(fyne.NewStaticResource("star-off.svg", starOffSVG), colorQuiet)
)

// The colours of states, each with its meaning everywhere in dcvix. A word
// always stands beside the colour.
const (
	colorReady     fyne.ThemeColorName = "dcvix-ready"
	colorInUse     fyne.ThemeColorName = "dcvix-in-use"
	colorWorking   fyne.ThemeColorName = "dcvix-working"
	colorAttention fyne.ThemeColorName = "dcvix-attention"
	colorBroken    fyne.ThemeColorName = "dcvix-broken"
	colorQuiet     fyne.ThemeColorName = "dcvix-quiet" // text of second rank, 4.5 : 1 on the background and more
)

// palette is the one of the web pages: one accent, and a colour for each state.
var palette = map[fyne.ThemeColorName][2]uint32{ //nolint:gochecknoglobals // light, dark
	colorReady:     {0x2f9e44ff, 0x51cf66ff},
	colorInUse:     {0x1c7ed6ff, 0x4dabf7ff},
	colorWorking:   {0x868e96ff, 0x868e96ff},
	colorAttention: {0xe67700ff, 0xfcc419ff},
	colorBroken:    {0xe03131ff, 0xff6b6bff},
	colorQuiet:     {0x5c636aff, 0xa6a7abff},

	theme.ColorNameBackground:          {0xffffffff, 0x242424ff},
	theme.ColorNameForeground:          {0x111111ff, 0xd8d8d8ff},
	theme.ColorNamePrimary:             {0x1971c2ff, 0x1971c2ff},
	theme.ColorNameForegroundOnPrimary: {0xffffffff, 0xffffffff},
	theme.ColorNameHyperlink:           {0x1864abff, 0x4dabf7ff},
	theme.ColorNameFocus:               {0x1971c266, 0x4dabf766},
	theme.ColorNameSelection:           {0x1971c224, 0x4dabf733},
	theme.ColorNameHover:               {0x0000000d, 0xffffff12},
	theme.ColorNamePressed:             {0x00000022, 0xffffff22},
	theme.ColorNameInputBackground:     {0xf6f8faff, 0x2e2e2eff},
	theme.ColorNameInputBorder:         {0xadb5bdff, 0x5c5f66ff},
	theme.ColorNameButton:              {0xf1f3f5ff, 0x363636ff},
	theme.ColorNameDisabledButton:      {0xf1f3f5ff, 0x2e2e2eff},
	theme.ColorNameDisabled:            {0x868e96ff, 0x7d7d7dff},
	theme.ColorNamePlaceHolder:         {0x666d74ff, 0x9b9da2ff},
	theme.ColorNameSeparator:           {0xdee2e6ff, 0x3b3b3bff},
	theme.ColorNameOverlayBackground:   {0xffffffff, 0x2a2a2aff},
	theme.ColorNameMenuBackground:      {0xffffffff, 0x2e2e2eff},
	theme.ColorNameHeaderBackground:    {0xf8f9faff, 0x2a2a2aff},
	theme.ColorNameError:               {0xc92a2aff, 0xff8787ff},
	theme.ColorNameForegroundOnError:   {0xffffffff, 0x1a1a1aff},
	theme.ColorNameWarning:             {0xe67700ff, 0xfcc419ff},
	theme.ColorNameSuccess:             {0x2b8a3eff, 0x51cf66ff},
	theme.ColorNameScrollBar:           {0x00000066, 0xffffff55},
}

// look is the theme of the window: Fyne's own with the colours of dcvix, on a
// grid of 4 and with a radius of 6.
type look struct {
	fyne.Theme
	dark *bool // nil means as the system is
}

var _ fyne.Theme = look{}

// themeFor returns the look of the window; nil means dark or light as the system is.
func themeFor(dark *bool) fyne.Theme { return look{theme.DefaultTheme(), dark} }

// Color implements [fyne.Theme].
func (l look) Color(name fyne.ThemeColorName, variant fyne.ThemeVariant) color.Color {
	if l.dark != nil && *l.dark {
		variant = theme.VariantDark
	} else if l.dark != nil {
		variant = theme.VariantLight
	}
	pair, ok := palette[name]
	if !ok {
		return l.Theme.Color(name, variant)
	}
	c := pair[0]
	if variant == theme.VariantDark {
		c = pair[1]
	}
	return color.NRGBA{R: uint8(c >> 24), G: uint8(c >> 16), B: uint8(c >> 8), A: uint8(c)} //nolint:gosec // each is one byte of it
}

// Size implements [fyne.Theme].
func (l look) Size(name fyne.ThemeSizeName) float32 {
	switch name {
	case theme.SizeNameInputRadius, theme.SizeNameSelectionRadius, theme.SizeNameButtonRadius:
		return 6
	case theme.SizeNameCaptionText:
		return 12
	case theme.SizeNameSubHeadingText:
		return 16
	case theme.SizeNameHeadingText:
		return 22
	default:
		return l.Theme.Size(name)
	}
}
