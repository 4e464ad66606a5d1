package gui

import (
	"image/color"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
	"github.com/stretchr/testify/assert"
)

// TestEveryTextHasContrast holds the colours to WCAG 2.2, 1.4.3: 4.5 : 1 for text,
// and 1.4.11: 3 : 1 for the dots, which have words beside them.
func TestEveryTextHasContrast(t *testing.T) {
	for name, variant := range map[string]fyne.ThemeVariant{"light": theme.VariantLight, "dark": theme.VariantDark} {
		of := func(c fyne.ThemeColorName) color.Color { return themeFor(nil).Color(c, variant) }
		texts := map[fyne.ThemeColorName][]fyne.ThemeColorName{
			theme.ColorNameBackground:        {theme.ColorNameForeground, colorQuiet, theme.ColorNamePlaceHolder, theme.ColorNameError, theme.ColorNameHyperlink},
			theme.ColorNameInputBackground:   {theme.ColorNameForeground, theme.ColorNamePlaceHolder},
			theme.ColorNameHeaderBackground:  {theme.ColorNameForeground, colorQuiet},
			theme.ColorNameOverlayBackground: {theme.ColorNameForeground},
			theme.ColorNameMenuBackground:    {theme.ColorNameForeground},
			theme.ColorNameButton:            {theme.ColorNameForeground},
			theme.ColorNamePrimary:           {theme.ColorNameForegroundOnPrimary},
			theme.ColorNameError:             {theme.ColorNameForegroundOnError},
		}
		for back, fronts := range texts {
			for _, front := range fronts {
				assert.GreaterOrEqual(t, contrast(of(front), of(back)), 4.5, "%s on %s, %s", front, back, name)
			}
		}
		for _, dot := range []fyne.ThemeColorName{colorReady, colorInUse, colorWorking, colorBroken} {
			assert.GreaterOrEqual(t, contrast(of(dot), of(theme.ColorNameBackground)), 3.0, "%s, %s", dot, name)
		}
	}
}

// contrast is the ratio of WCAG 2.2.
func contrast(a, b color.Color) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(c color.Color) float64 {
	r, g, b, _ := c.RGBA()
	var parts [3]float64
	for i, v := range []uint32{r, g, b} {
		s := float64(v) / 0xffff
		if s <= 0.04045 {
			parts[i] = s / 12.92
		} else {
			parts[i] = math.Pow((s+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*parts[0] + 0.7152*parts[1] + 0.0722*parts[2]
}

func TestThePersonChoosesDarkOrLight(t *testing.T) {
	dark, light := true, false
	for variant, other := range map[fyne.ThemeVariant]fyne.ThemeVariant{theme.VariantLight: theme.VariantDark, theme.VariantDark: theme.VariantLight} {
		want := themeFor(nil).Color(theme.ColorNameBackground, variant)
		assert.NotEqual(t, want, themeFor(nil).Color(theme.ColorNameBackground, other))
		chosen := &light
		if variant == theme.VariantDark {
			chosen = &dark
		}
		assert.Equal(t, want, themeFor(chosen).Color(theme.ColorNameBackground, other))
	}
}
