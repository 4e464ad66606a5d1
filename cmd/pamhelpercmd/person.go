package pamhelpercmd

import (
	"errors"
	"strings"
	"unicode"
)

// Limits of what modules may ask and say.
const (
	maxPrompts  = 8
	maxMessages = 8
	maxText     = 256 // bytes of a prompt or a message
)

// A person is who PAM talks with: the login that was typed.
type person struct {
	password, otp string
	silent        bool // answers no prompts any more

	told     bool // the password
	asked    int  // prompts
	wanted   bool // a prompt found no answer
	prompt   string
	messages []string
}

var errNoAnswer = errors.New("there is no answer to this prompt")

// answer returns what the person says to a prompt: the password to the first one
// that hides what is typed, the one-time password to all others.
func (p *person) answer(echo bool, text string) (string, error) {
	p.asked++
	switch {
	case p.silent, p.asked > maxPrompts:
		return "", errNoAnswer
	case !echo && !p.told:
		p.told = true
		return p.password, nil
	case p.otp == "":
		if !p.wanted {
			p.wanted, p.prompt = true, p.clean(text)
		}
		return "", errNoAnswer
	}
	return p.otp, nil
}

// hear keeps what a module says.
func (p *person) hear(text string) {
	if text = p.clean(text); text != "" && len(p.messages) < maxMessages {
		p.messages = append(p.messages, text)
	}
}

// clean returns a text as one bounded line without the secrets of the login.
func (p *person) clean(text string) string {
	for _, secret := range []string{p.password, p.otp} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) { // Cf: marks that turn the direction of a line
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	text = strings.TrimSpace(text)
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return text
}
