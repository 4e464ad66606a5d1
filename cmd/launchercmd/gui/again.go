package gui

import (
	"context"
	"errors"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
	"github.com/dcvix/dcvix/directorapi/client"
)

// An againView stands above the list when the login has run out: it asks for the
// password alone.
type againView struct {
	w   *Window
	box *fyne.Container

	why       *widget.RichText
	password  *field
	code      *field
	codeBox   *fyne.Container
	codeName  *widget.Label
	button    *button
	challenge string
	asking    bool
}

func newAgainView(w *Window) *againView {
	v := &againView{w: w, why: styled("", theme.ColorNameForeground, theme.SizeNameText, fyne.TextStyle{})}
	v.password, v.code = newSecret(w.say(words.ShowPassword)), newField()
	v.codeBox = labelled(w.say(words.FieldCode), v.code)
	v.codeName, _ = v.codeBox.Objects[0].(*widget.Label)
	v.button = newPrimary(w.say(words.LogIn), v.submit)
	leave := newButton(w.say(words.LogOut), w.leaveList)
	for _, f := range []*field{v.password, v.code} {
		f.OnSubmitted = func(string) { v.submit() }
		f.onKey, f.onCombo = w.fieldKey, w.combo
	}
	v.box = container.NewVBox(v.why, labelled(w.say(words.FieldPassword), v.password), v.codeBox,
		container.NewBorder(nil, nil, leave, nil, v.button))
	return v
}

// ask begins; why is a sentence.
func (v *againView) ask(why string) {
	setText(v.why, why, theme.ColorNameForeground)
	v.first()
	v.w.job(func(ctx context.Context) func() {
		form, err := v.w.engine.Reach(ctx)
		return func() {
			if err == nil && form.OTP {
				v.codeBox.Show()
				v.box.Refresh()
			}
		}
	})
}

func (v *againView) first() {
	v.password.SetPlaceHolder(v.w.engine.User())
	v.password.SetText("")
	v.code.SetText("")
	v.codeName.SetText(v.w.say(words.FieldCode))
	v.challenge, v.asking = "", false
	v.codeBox.Hide()
}

func (v *againView) submit() {
	w := v.w
	if v.asking {
		return
	}
	if v.password.Text == "" {
		w.window.Canvas().Focus(v.password)
		return
	}
	v.asking = true
	req := dcvix.LoginRequest{UserID: w.engine.User(), Password: v.password.Text, OTP: v.code.Text, Challenge: v.challenge}
	ctx, stop := context.WithCancel(w.ctx)
	w.status.working(w.say(words.LoggingIn, hostOf(w.engine.URL())), stop)
	w.jobUnder(ctx, func(ctx context.Context) func() {
		err := w.engine.Login(ctx, req)
		stop()
		return func() { v.answered(err) }
	})
}

func (v *againView) answered(err error) {
	w := v.w
	v.asking = false
	w.status.clear()
	var challenge *client.ChallengeError
	switch {
	case w.closing:
	case err == nil:
		v.first()
		w.list.goOn()
	case errors.As(err, &challenge):
		v.challenge = challenge.Challenge
		v.codeName.SetText(challenge.Prompt)
		v.code.SetText("")
		v.codeBox.Show()
		v.box.Refresh()
		w.window.Canvas().Focus(v.code)
	default:
		if w.engine.Explain(err).Trouble == launchercmd.TroubleLogin {
			v.first()
		}
		w.trouble(err)
		w.window.Canvas().Focus(v.password)
	}
}

// goOn enters the list again after the password, and does what was wanted when the
// login had run out.
func (v *listView) goOn() {
	pending := v.pending
	v.pending = nil
	v.enter()
	if pending != nil {
		pending()
	}
}

func (w *Window) leaveList() { w.list.logout() }
