package gui

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

func TestADesktopIsOpenedAndClosedByKeysAlone(t *testing.T) {
	b := newBench(t)
	b.host("ws1")
	b.enter()
	assert.Equal(t, b.w.login.user, b.w.window.Canvas().Focused())
	b.logIn()
	assert.Equal(t, "alice – dcvix", b.w.window.Title())
	assert.Equal(t, []string{"> ws1: ready [Open]", "ws2: not usable []"}, b.rows())
	assert.Equal(t, b.w.list.search, b.w.window.Canvas().Focused())

	b.press(fyne.KeyReturn)
	file := b.viewed()
	assert.Contains(t, file, "host=ws1")
	assert.Contains(t, file, "user=alice")
	assert.Regexp(t, `(?m)^authtoken=v4\.local\.`, file)
	b.until("the viewer runs", func() bool { return b.w.list.viewers == 1 })
	assert.Contains(t, b.status(), "The viewer runs")
	b.until("the list follows", func() bool { return strings.Contains(b.rows()[0], "[Resume]") })

	b.press(fyne.KeyDelete)
	assert.Contains(t, texts(b.w.sheet.popUp.Content), "The session (console) on ws1 ends")
	b.press(fyne.KeyReturn) // the answer that does no harm has the keyboard
	assert.Nil(t, b.w.sheet)
	b.press(fyne.KeyDelete, fyne.KeyTab, fyne.KeyReturn)
	b.until("the session is gone", func() bool { return strings.HasPrefix(b.rows()[0], "> ws1: ready") })

	require.NoError(t, os.Remove(b.record))
	b.until("the viewer has ended", func() bool { return b.w.list.viewers == 0 })
	left, err := filepath.Glob(filepath.Join(b.setup.Folder, "*.dcv"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestAWrongPasswordIsSaidAndForgotten(t *testing.T) {
	b := newBench(t)
	b.enter()
	b.until("the director is known", func() bool { return strings.Contains(b.w.login.known.how.Text, "trusted") })
	b.enterText("alice")
	b.press(fyne.KeyReturn)
	b.enterText("guess")
	b.press(fyne.KeyReturn)
	b.until("the login is refused", func() bool { return b.w.login.stop == nil })
	assert.NotEmpty(t, b.status())
	assert.Empty(t, b.w.login.password.Text)
	assert.Equal(t, b.w.login.password, b.w.window.Canvas().Focused())
	assert.Equal(t, "alice", b.w.login.user.Text)
	b.logIn()
	assert.Empty(t, b.status())
	assert.Empty(t, b.w.login.password.Text, "the password is not kept in the form")
}

func TestADirectorThatNobodyKnowsIsComparedAndTrusted(t *testing.T) {
	b := newBench(t)
	b.setup.Director.TLS, b.setup.Trust = nil, ""
	b.enter()
	b.until("the fingerprint is shown", func() bool { return b.w.login.trust.box.Visible() })
	assert.Equal(t, client.Fingerprint(b.director.CA.Certificate()), strings.ReplaceAll(b.w.login.trust.print.Text, "\n", ":"))
	assert.False(t, b.w.login.form.Visible(), "no password is asked for")
	b.press(fyne.KeyReturn)
	b.until("it is trusted", func() bool { return b.w.login.form.Visible() })
	b.logIn()

	b.w.list.logout()
	b.enter() // a launcher that is started anew
	b.until("it is trusted still", func() bool { return strings.Contains(b.w.login.known.how.Text, "✓") })
	assert.False(t, b.w.login.trust.box.Visible())
	assert.Equal(t, "alice", b.w.login.user.Text, "the user is remembered")
	assert.Equal(t, b.w.login.password, b.w.window.Canvas().Focused())
}

func TestALoginThatRanOutAsksForThePasswordAlone(t *testing.T) {
	b := newBench(t)
	b.host("ws1")
	b.enter()
	b.logIn()
	rows := b.rows()
	b.late.Add(3)
	b.press(fyne.KeyReturn) // the director knows the login no more
	b.until("the password is asked for", func() bool { return b.w.window.Canvas().Focused() == b.w.list.again.password })
	assert.Len(t, b.rows(), len(rows), "the list stays")
	assert.Contains(t, b.w.list.again.why.String(), "Your login has ended")
	b.enterText("guess")
	b.press(fyne.KeyReturn)
	b.until("it is refused", func() bool { return !b.w.list.again.asking })
	b.enterText(directorapitest.Password)
	b.press(fyne.KeyReturn)
	assert.Contains(t, b.viewed(), "host=ws1", "what was wanted is done")
	b.until("the viewer runs", func() bool { return b.w.list.viewers == 1 })
	assert.Equal(t, b.w.list.search, b.w.window.Canvas().Focused())
	require.NoError(t, os.Remove(b.record))
}

func TestASecondStepIsAskedForInTheDirectorsWords(t *testing.T) {
	b := newBench(t, func(c *directorapi.Config) {
		c.Authenticator = auth.AuthenticatorFunc(func(_ context.Context, cred auth.Credentials) (auth.Identity, error) {
			if cred.Challenge == "" {
				return auth.Identity{}, &auth.Challenge{Prompt: "Code of your token", State: "s1"}
			}
			if cred.OTP != "123456" || cred.Challenge != "s1" {
				return auth.Identity{}, auth.ErrInvalidCredentials
			}
			return auth.Identity{User: dcvix.Username(cred.User)}, nil
		})
	})
	b.enter()
	b.until("the director is known", func() bool { return strings.Contains(b.w.login.known.how.Text, "trusted") })
	assert.False(t, b.w.login.codeBox.Visible())
	b.enterText("alice")
	b.press(fyne.KeyReturn)
	b.enterText("x")
	b.press(fyne.KeyReturn)
	b.until("the code is asked for", func() bool { return b.w.window.Canvas().Focused() == b.w.login.code })
	assert.Equal(t, "Code of your token", b.w.login.codeName.Text)
	b.enterText("123456")
	b.press(fyne.KeyReturn)
	b.until("the list is there", func() bool { return b.w.list.known != nil })
}

func TestADirectorThatDoesNotAnswerIsSaid(t *testing.T) {
	b := newBench(t)
	b.setup.Director.URL = deadAddress(t)
	b.enter()
	b.until("it is said", func() bool { return b.status() != "" })
	assert.Contains(t, b.status(), "does not answer")
	assert.False(t, b.w.status.folded.Visible())
	test.Tap(b.w.status.unfold)
	assert.True(t, b.w.status.folded.Visible())
	assert.Contains(t, b.w.status.detail.Text, strings.TrimPrefix(b.setup.Director.URL, "https://"))
	b.tapIn(b.w.status.box, "Try again")
	b.until("it is tried again", func() bool { return b.status() != "" })
}

func TestAPersonNamesTheDirectorWhenTheConfigurationDoesNot(t *testing.T) {
	b := newBench(t)
	url := b.setup.Director.URL
	b.setup.Director.URL = ""
	b.enter()
	assert.Equal(t, b.w.login.director, b.w.window.Canvas().Focused())
	b.enterText("not an address")
	b.press(fyne.KeyReturn)
	assert.NotEmpty(t, b.status())
	b.w.login.director.SetText(url)
	b.press(fyne.KeyReturn)
	b.logIn()
}

func TestALinkAsksBeforeItOpens(t *testing.T) {
	b := newBench(t)
	b.host("ws1")
	b.start.Invite = "ws1"
	b.enter()
	b.logIn()
	b.until("the person is asked", func() bool { return b.w.sheet != nil })
	assert.Contains(t, texts(b.w.sheet.popUp.Content), "ws1")
	assert.Empty(t, b.w.list.busy)
	b.press(fyne.KeyEscape)
	assert.Nil(t, b.w.sheet)
	assert.Empty(t, b.w.list.busy)

	b.w.invite = "ws99"
	b.w.invited()
	b.until("it is refused", func() bool { return strings.Contains(b.status(), "ws99") })
	assert.Nil(t, b.w.sheet)

	b.w.invite = "ws1"
	b.w.invited()
	b.until("the person is asked", func() bool { return b.w.sheet != nil })
	b.answer("Open")
	assert.Contains(t, b.viewed(), "host=ws1")
	require.NoError(t, os.Remove(b.record))
}

func TestAWindowThatIsClosedWaitsForTheViewer(t *testing.T) {
	b := newBench(t)
	b.host("ws1")
	b.enter()
	b.logIn()
	b.press(fyne.KeyReturn)
	b.viewed()
	b.until("the viewer runs", func() bool { return b.w.list.viewers == 1 })
	b.w.window.Resize(fyne.NewSize(500, 700))
	b.w.Close()
	assert.True(t, b.w.list.loggedIn(), "nothing ends before the viewer does")
	require.NoError(t, os.Remove(b.record))
	b.until("the login has ended", func() bool { return !b.start.Engine.LoggedIn() })
	place := b.start.Engine.Place()
	assert.Equal(t, []int{500, 700}, []int{place.Width, place.Height})
}

func TestLoggingOutAndInAgain(t *testing.T) {
	b := newBench(t)
	b.host("ws1")
	b.enter()
	b.logIn()
	b.w.window.Canvas().Focused().(fyne.Shortcutable).TypedShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyL, Modifier: fyne.KeyModifierShortcutDefault})
	b.until("the form is open", func() bool { return !b.w.login.password.Disabled() })
	assert.False(t, b.start.Engine.LoggedIn())
	assert.Empty(t, b.rows())
	b.logIn()
	assert.NotEmpty(t, b.rows())
}

func TestOptionsAreKeptOrLeft(t *testing.T) {
	b := newBench(t)
	b.enter()
	b.w.options()
	v := optionsOf(t, b)
	v.full.SetChecked(true)
	v.quality.SetChecked(true)
	v.kind.SetSelectedIndex(2)
	v.look.SetSelectedIndex(2)
	assert.Equal(t, "Options – dcvix", b.w.window.Title())
	b.press(fyne.KeyEscape)
	assert.Equal(t, b.w.login.page, b.w.body.Objects[0])
	assert.Equal(t, "Log in – dcvix", b.w.window.Title())
	assert.Equal(t, launchercmd.Preferences{}, b.start.Engine.Preferences())

	b.w.options()
	v = optionsOf(t, b)
	v.full.SetChecked(true)
	v.quality.SetChecked(true)
	v.kind.SetSelectedIndex(2)
	v.look.SetSelectedIndex(2)
	v.certificate.SetSelectedIndex(1)
	v.extra.SetText(`--log-level "debug`)
	b.tapIn(b.w.body, "Save")
	assert.Contains(t, v.wrong.String(), "quote", "what is wrong is said beside the button")
	assert.Equal(t, launchercmd.Preferences{}, b.start.Engine.Preferences())
	v.extra.SetText(`--log-level debug`)
	b.tapIn(b.w.body, "Save")
	assert.Equal(t, launchercmd.Preferences{
		Type: dcvix.SessionVirtual, QualityMin: leastFirst, QualityMax: bestFirst, FullScreen: true,
		Certificate: launchercmd.CertificateStrict, Extra: "--log-level debug",
	}, b.start.Engine.Preferences())
	require.NotNil(t, b.start.Engine.Place().Dark)
	assert.Equal(t, b.w.login.page, b.w.body.Objects[0])
}

// optionsOf returns the options that are shown.
func optionsOf(t *testing.T, b *bench) *optionsView {
	t.Helper()
	require.NotNil(t, b.w.chosen)
	return b.w.chosen
}

func TestABrokenConfigurationIsExplained(t *testing.T) {
	b := &bench{T: t, queue: make(chan func(), 10)}
	b.start = launchercmd.WindowStart{Err: errors.New("line 3: no such key"), Words: words.For("en")}
	b.show()
	assert.Contains(t, texts(b.w.body), "Line 3: no such key")
}

func TestAMachineWithoutAScreenIsSaid(t *testing.T) {
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	if err := CheckScreen(nil); err != nil {
		assert.ErrorContains(t, err, "--connect")
	}
	t.Setenv("DISPLAY", ":7")
	assert.NoError(t, CheckScreen(nil))
}

func TestEveryViewFitsInTheWindowInEveryLanguage(t *testing.T) {
	for _, language := range words.Languages() {
		t.Run(language, func(t *testing.T) {
			b := newBench(t)
			b.start.Words = words.For(language)
			b.setup.Words = b.start.Words
			b.enter()
			b.w.login.codeBox.Show()
			b.w.login.trust.show(launchercmd.Introduction{URL: b.director.URL, Fingerprint: client.Fingerprint(b.director.CA.Certificate())})
			assert.LessOrEqual(t, b.w.login.page.MinSize().Width, float32(firstWidth), "login")
			assert.LessOrEqual(t, b.w.list.page.MinSize().Width, float32(firstWidth), "list")
			b.w.options()
			assert.LessOrEqual(t, b.w.body.MinSize().Width, float32(firstWidth), "options")
			b.press(fyne.KeyEscape)
			b.w.keys.show()
			assert.LessOrEqual(t, b.w.sheet.popUp.Content.MinSize().Width, float32(firstWidth-24), "keys")
			b.press(fyne.KeyEscape)
		})
	}
}
