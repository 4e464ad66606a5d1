package gui

import (
	"context"
	"errors"
	"net/url"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
	"github.com/dcvix/dcvix/directorapi/client"
)

// A loginView is where the person logs in, with what the director is known by.
type loginView struct {
	w    *Window
	page fyne.CanvasObject

	director, user       *field
	password, code       *field
	directorBox, codeBox *fyne.Container
	codeName             *widget.Label
	button               *button
	form                 *fyne.Container // all but the director; hidden while it is not trusted
	known                *known
	trust                *trustCard

	must      bool   // the code may not be empty
	challenge string // of the second step that the director has asked for
	second    bool   // that second step is on
	stop      context.CancelFunc
}

func newLoginView(w *Window) *loginView {
	v := &loginView{w: w}
	v.director, v.user = newField(), newField()
	v.password, v.code = newSecret(w.say(words.ShowPassword)), newField()
	v.director.SetPlaceHolder("https://director.example:8445")
	v.directorBox = labelled(w.say(words.FieldDirector), v.director)
	v.codeBox = labelled(w.say(words.FieldCode), v.code)
	v.codeName, _ = v.codeBox.Objects[0].(*widget.Label)
	v.codeName.Wrapping = fyne.TextWrapWord
	v.button = newPrimary(w.say(words.LogIn), v.submit)
	for _, f := range []*field{v.director, v.user, v.password, v.code} {
		f.OnSubmitted = func(string) { v.submit() }
		f.onKey, f.onCombo = w.fieldKey, w.combo
	}
	v.known = newKnown(w)
	v.trust = newTrustCard(w, v.trusted)
	logo := canvas.NewImageFromResource(Logo)
	logo.FillMode = canvas.ImageFillContain
	logo.SetMinSize(fyne.NewSquareSize(56))
	name := widget.NewRichText(&widget.TextSegment{Text: "dcvix", Style: widget.RichTextStyle{
		Alignment: fyne.TextAlignCenter, SizeName: theme.SizeNameHeadingText, TextStyle: fyne.TextStyle{Bold: true},
	}})
	more := newGlyph(w.say(words.Options), theme.SettingsIcon(), w.options)
	v.button.onKey = w.fieldKey
	v.form = container.NewVBox(labelled(w.say(words.FieldUser), v.user), labelled(w.say(words.FieldPassword), v.password), v.codeBox,
		gap(8), container.New(tall{}, v.button))
	v.page = container.NewBorder(
		container.New(layout.NewCustomPaddedLayout(6, 2, 12, 6), container.NewHBox(layout.NewSpacer(), more)),
		container.New(layout.NewCustomPaddedLayout(8, 12, 8, 8), v.known.box), nil, nil,
		container.NewVScroll(column(
			logo, name, gap(8),
			v.directorBox, v.form, v.trust.box)))
	return v
}

// enter shows the view and asks the director what its login needs.
func (v *loginView) enter() {
	v.first()
	v.enable(true)
	v.directorBox.Hidden = v.w.engine.BrokerSet()
	v.director.SetText(v.w.engine.URL())
	v.user.SetText(v.w.engine.User())
	v.w.title(v.w.say(words.LogIn))
	v.w.status.clear()
	for _, note := range v.w.engine.Notes() {
		v.w.status.tell(note, colorAttention)
	}
	v.w.view(v.page, nil, v.empty())
	v.reach()
}

// first goes back to the first step of a login and forgets its secrets.
func (v *loginView) first() {
	v.password.SetText("")
	v.code.SetText("")
	v.challenge, v.second = "", false
	v.codeName.SetText(v.w.say(words.FieldCode))
	v.codeBox.Hidden = !v.must
	v.trust.box.Hide()
	v.form.Show()
}

// empty is the first field that the person has to fill in.
func (v *loginView) empty() *field {
	for _, f := range []*field{v.director, v.user} {
		if f.Text == "" && (f != v.director || !v.directorBox.Hidden) {
			return f
		}
	}
	return v.password
}

// reach asks the director whether it is there and what its login needs.
func (v *loginView) reach() {
	v.known.show("", words.TrustAsking, colorWorking)
	if v.w.engine.URL() == "" {
		v.known.show("", "", colorWorking)
		return
	}
	v.w.job(func(ctx context.Context) func() {
		form, err := v.w.engine.Reach(ctx)
		return func() { v.reached(form, err) }
	})
}

func (v *loginView) reached(form launchercmd.Form, err error) {
	if err != nil {
		v.unreached(err)
		return
	}
	v.must = form.Must
	if !v.second {
		v.codeBox.Hidden = !form.OTP
		name := words.FieldCode
		if form.OTP && !form.Must {
			name = words.FieldCodeMaybe
		}
		v.codeName.SetText(v.w.say(name))
	}
	v.trust.box.Hide()
	v.form.Show()
	v.known.trusted()
	v.w.body.Refresh()
}

// unreached says why a director cannot be used, and what helps.
func (v *loginView) unreached(err error) {
	x := v.w.engine.Explain(err)
	if x.Trouble == launchercmd.TroubleUntrusted {
		v.known.show(hostOf(v.w.engine.URL()), words.TrustNone, colorAttention)
		v.introduce(err)
		return
	}
	v.known.show(hostOf(v.w.engine.URL()), words.TrustAway, colorBroken)
	v.w.trouble(err, help{text: v.w.say(words.TryAgain), do: func() { v.w.status.clear(); v.reach() }, primary: true})
}

// introduce shows the fingerprint of a director that nobody vouches for.
func (v *loginView) introduce(untrusted error) {
	v.w.job(func(ctx context.Context) func() {
		who, err := v.w.engine.Introduce(ctx)
		return func() {
			if err != nil {
				v.w.trouble(untrusted)
				v.w.trouble(err, help{text: v.w.say(words.TryAgain), do: func() { v.w.status.clear(); v.reach() }})
				return
			}
			v.w.status.clear()
			v.form.Hide()
			v.trust.show(who)
			v.w.body.Refresh()
		}
	})
}

// trusted goes on after the person has trusted the director.
func (v *loginView) trusted(err error) {
	if err != nil {
		v.w.trouble(err)
	}
	v.trust.box.Hide()
	v.form.Show()
	v.w.title(v.w.say(words.LogIn))
	v.reach()
	v.w.window.Canvas().Focus(v.empty())
}

// submit logs in with what is in the fields.
func (v *loginView) submit() {
	w := v.w
	if v.stop != nil {
		return // it runs already
	}
	if !v.directorBox.Hidden && v.director.Text != w.engine.URL() {
		if err := w.engine.SetBroker(v.director.Text); err != nil && w.engine.URL() == "" {
			w.trouble(err)
			w.window.Canvas().Focus(v.director)
			return
		}
		v.reach()
	}
	for _, f := range []*field{v.user, v.password} {
		if f.Text == "" {
			w.window.Canvas().Focus(f)
			return
		}
	}
	if !v.codeBox.Hidden && v.code.Text == "" && v.must && !v.second { // an empty second answer says: done on the phone
		w.window.Canvas().Focus(v.code)
		return
	}
	req := dcvix.LoginRequest{UserID: v.user.Text, Password: v.password.Text, OTP: v.code.Text, Challenge: v.challenge}
	v.enable(false)
	ctx, stop := context.WithCancel(w.ctx)
	v.stop = stop
	w.back = stop
	w.status.working(w.say(words.LoggingIn, hostOf(w.engine.URL())), stop)
	w.jobUnder(ctx, func(ctx context.Context) func() {
		err := w.engine.Login(ctx, req)
		return func() { v.answered(err) }
	})
}

func (v *loginView) answered(err error) {
	w := v.w
	v.stop()
	v.stop, w.back = nil, nil
	v.enable(true)
	if w.closing {
		return
	}
	var challenge *client.ChallengeError
	switch {
	case err == nil:
		w.status.clear()
		v.first()
		w.list.enter()
	case errors.As(err, &challenge):
		w.status.clear()
		v.ask(challenge)
	default:
		v.refused(err)
	}
}

// ask shows the second question of a login.
func (v *loginView) ask(challenge *client.ChallengeError) {
	v.challenge, v.second = challenge.Challenge, true
	v.codeName.SetText(challenge.Prompt)
	v.code.SetText("")
	v.codeBox.Show()
	v.w.body.Refresh()
	v.w.back = func() {
		v.first()
		v.w.back = nil
		v.w.window.Canvas().Focus(v.password)
	}
	v.w.window.Canvas().Focus(v.code)
}

// refused says why a login failed and lets the person try again.
func (v *loginView) refused(err error) {
	switch v.w.engine.Explain(err).Trouble {
	case launchercmd.TroubleUnreachable, launchercmd.TroubleNotDirector, launchercmd.TroubleUntrusted:
		v.unreached(err)
		return
	case launchercmd.TroubleLogin:
		v.first()
		v.reach()
	default:
	}
	v.w.trouble(err)
	v.w.window.Canvas().Focus(v.password)
}

// enable opens the fields to the person, or closes them while the director is asked.
func (v *loginView) enable(yes bool) {
	for _, d := range []fyne.Disableable{v.director, v.user, v.password, v.code, v.button} {
		if yes {
			d.Enable()
		} else {
			d.Disable()
		}
	}
}

// hostOf is the name of a director as a person knows it.
func hostOf(base string) string {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" {
		return base
	}
	return u.Hostname()
}

// tall makes a button 40 high.
type tall struct{}

// Layout implements [fyne.Layout].
func (tall) Layout(objects []fyne.CanvasObject, size fyne.Size) { objects[0].Resize(size) }

// MinSize implements [fyne.Layout].
func (tall) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(objects[0].MinSize().Width, 40)
}
