package gui

import (
	"context"
	"runtime"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// An optionsView lets the person choose how desktops are shown.
type optionsView struct {
	w    *Window
	page fyne.CanvasObject

	kind, look, datagrams, certificate *choice
	quality                            *tick
	least, best                        *slide
	span                               *widget.Label // of the quality, in words
	sliders                            *fyne.Container
	full, all, scaling, link           *tick
	extra, viewer                      *field
	tested                             *widget.RichText
	wrong                              *widget.RichText

	leave func() // goes back
}

// What the choices mean, in the order in which they are shown.
//
//nolint:gochecknoglobals // never changed
var (
	kinds        = []dcvix.SessionType{"", dcvix.SessionConsole, dcvix.SessionVirtual}
	switches     = []launchercmd.Switch{launchercmd.SwitchDefault, launchercmd.SwitchOn, launchercmd.SwitchOff}
	certificates = []launchercmd.CertificatePolicy{
		launchercmd.CertificateDefault, launchercmd.CertificateStrict, launchercmd.CertificateAsk, launchercmd.CertificateAny,
	}
)

// options shows the options; Escape goes back without a change.
func (w *Window) options() {
	if w.sheet != nil || w.chosen != nil {
		return
	}
	before, back, first, title := w.body.Objects[0], w.back, w.window.Canvas().Focused(), w.window.Title()
	w.title(w.say(words.OptionsHead))
	v := newOptionsView(w, func() {
		w.chosen = nil
		w.dress(w.engine.Place().Dark)
		w.window.SetTitle(title)
		w.view(before, back, first)
	})
	w.chosen = v
	w.view(v.page, v.leave, v.kind)
}

func newOptionsView(w *Window, leave func()) *optionsView {
	v := &optionsView{w: w, leave: leave}
	pick := func(keys ...words.Key) *choice {
		texts := make([]string, len(keys))
		for i, k := range keys {
			texts[i] = w.say(k)
		}
		return newChoice(texts, w.fieldKey)
	}
	v.kind = pick(words.TypeAsIs, words.KindConsole, words.KindVirtual)
	v.look = pick(words.LookSystem, words.LookLight, words.LookDark)
	v.datagrams = pick(words.AsViewer, words.On, words.Off)
	v.certificate = pick(words.AsViewer, words.CertStrict, words.CertAsk, words.CertAny)
	v.full = newTick(w.say(words.OptFullScreen), w.fieldKey)
	v.all = newTick(w.say(words.OptAllMonitors), w.fieldKey)
	v.scaling = newTick(w.say(words.OptScaling), w.fieldKey)
	v.scaling.Hidden = runtime.GOOS != "windows"
	v.link = newTick(w.say(words.OptLink), w.fieldKey)
	v.quality = newTick(w.say(words.OptQuality), w.fieldKey)
	v.quality.OnChanged = v.showQuality
	v.least, v.best = newSlide(w.fieldKey), newSlide(w.fieldKey)
	v.span = widget.NewLabel("")
	v.least.OnChanged = func(x float64) { v.best.SetValue(max(x, v.best.Value)); v.showQuality(v.quality.Checked) }
	v.best.OnChanged = func(x float64) { v.least.SetValue(min(x, v.least.Value)); v.showQuality(v.quality.Checked) }
	v.extra, v.viewer = newField(), newField()
	v.viewer.SetPlaceHolder(w.say(words.AsConfigured))
	for _, f := range []*field{v.extra, v.viewer} {
		f.onKey, f.onCombo = w.fieldKey, w.combo
		f.OnSubmitted = func(string) { v.keep() }
	}
	v.tested, v.wrong = quiet(""), styled("", theme.ColorNameError, theme.SizeNameText, fyne.TextStyle{})
	v.page = v.layOut()
	v.load(w.engine.Preferences())
	return v
}

func (v *optionsView) layOut() fyne.CanvasObject {
	w := v.w
	test := newButton(w.say(words.TestViewer), v.test)
	save, cancel := newPrimary(w.say(words.Save), v.keep), newButton(w.say(words.Cancel), v.leave)
	for _, b := range []*button{test, save, cancel} {
		b.onKey = w.fieldKey
	}
	v.wrong.Hide()
	v.tested.Hide()
	v.sliders = container.NewVBox(container.New(layout.NewFormLayout(),
		widget.NewLabel(w.say(words.OptLeast)), v.least, widget.NewLabel(w.say(words.OptBest)), v.best), v.span)
	quality := container.NewVBox(v.quality, v.sliders)
	body := column(
		container.New(layout.NewCustomPaddedLayout(0, 0, 2-theme.InnerPadding(), 0),
			styled(w.say(words.OptionsHead), theme.ColorNameForeground, theme.SizeNameSubHeadingText, fyne.TextStyle{Bold: true})),
		labelled(w.say(words.FieldType), v.kind), quality, v.full, v.all, v.scaling,
		labelled(w.say(words.OptDatagrams), v.datagrams),
		labelled(w.say(words.OptCertificate), v.certificate),
		labelled(w.say(words.OptViewer), container.NewBorder(nil, nil, nil, test, v.viewer)), v.tested, v.link,
		labelled(w.say(words.OptExtra), v.extra),
		labelled(w.say(words.OptLook), v.look),
	)
	foot := container.NewVBox(widget.NewSeparator(), container.New(layout.NewCustomPaddedLayout(6, 10, 12, 12),
		container.NewVBox(v.wrong, container.NewHBox(layout.NewSpacer(), cancel, save))))
	return container.NewBorder(nil, foot, nil, nil, container.NewVScroll(body))
}

func (v *optionsView) load(p launchercmd.Preferences) {
	v.kind.SetSelectedIndex(indexOf(kinds, p.Type))
	v.datagrams.SetSelectedIndex(indexOf(switches, p.Datagrams))
	v.certificate.SetSelectedIndex(indexOf(certificates, p.Certificate))
	v.full.SetChecked(p.FullScreen)
	v.all.SetChecked(p.AllMonitors)
	v.scaling.SetChecked(p.Scaling)
	v.link.SetChecked(p.Link)
	v.extra.SetText(p.Extra)
	v.viewer.SetText(p.Viewer)
	v.least.SetValue(float64(p.QualityMin))
	v.best.SetValue(float64(p.QualityMax))
	v.quality.SetChecked(p.QualityMax > 0)
	v.showQuality(p.QualityMax > 0)
	dark := v.w.engine.Place().Dark
	v.look.OnChanged = nil
	switch {
	case dark == nil:
		v.look.SetSelectedIndex(0)
	case *dark:
		v.look.SetSelectedIndex(2)
	default:
		v.look.SetSelectedIndex(1)
	}
	v.look.OnChanged = func(string) { v.w.dress(v.chosenLook()) } // seen at once
}

func (v *optionsView) chosenLook() *bool {
	i := v.look.SelectedIndex()
	if i <= 0 {
		return nil
	}
	dark := i == 2
	return &dark
}

// The quality that is offered first to who wants to set it, in percent.
const leastFirst, bestFirst = 30, 90

func (v *optionsView) showQuality(on bool) {
	if on && v.best.Value == 0 {
		v.best.SetValue(bestFirst)
		v.least.SetValue(leastFirst)
	}
	v.span.SetText(v.w.say(words.OptQualitySpan, int(v.least.Value), int(v.best.Value)))
	if v.sliders != nil {
		v.sliders.Hidden = !on
		v.w.body.Refresh()
	}
}

// chosen is what the person has chosen so far.
func (v *optionsView) chosen() launchercmd.Preferences {
	p := launchercmd.Preferences{
		Type: kinds[max(v.kind.SelectedIndex(), 0)], FullScreen: v.full.Checked, AllMonitors: v.all.Checked,
		Datagrams: switches[max(v.datagrams.SelectedIndex(), 0)], Scaling: v.scaling.Checked,
		Certificate: certificates[max(v.certificate.SelectedIndex(), 0)],
		Extra:       v.extra.Text, Viewer: strings.TrimSpace(v.viewer.Text), Link: v.link.Checked,
	}
	if v.quality.Checked {
		p.QualityMin, p.QualityMax = int(v.least.Value), int(v.best.Value)
	}
	return p
}

// keep remembers what was chosen and goes back, or says what is wrong with it.
func (v *optionsView) keep() {
	err := v.w.engine.SetPreferences(v.chosen())
	if err == nil {
		place := v.w.engine.Place()
		place.Dark = v.chosenLook()
		err = v.w.engine.SetPlace(place)
	}
	if err != nil {
		setText(v.wrong, v.w.engine.Explain(err).Sentence, theme.ColorNameError)
		v.wrong.Show()
		v.w.body.Refresh()
		return
	}
	v.leave()
}

// test finds the viewer and asks it for its version.
func (v *optionsView) test() {
	command := v.viewer.Text
	v.tell(v.w.say(words.TestingViewer)+" …", colorQuiet)
	v.w.job(func(ctx context.Context) func() {
		path, version, err := v.w.engine.TestViewer(ctx, command)
		return func() {
			if err != nil {
				v.tell(v.w.engine.Explain(err).Sentence, theme.ColorNameError)
				return
			}
			v.tell(strings.TrimSpace(path+"\n"+version), theme.ColorNameSuccess)
		}
	})
}

func (v *optionsView) tell(text string, color fyne.ThemeColorName) {
	setText(v.tested, text, color)
	v.tested.Show()
	v.w.body.Refresh()
}

// indexOf is where a value stands among the choices; the first when it is none.
func indexOf[T comparable](choices []T, value T) int { return max(slices.Index(choices, value), 0) }
