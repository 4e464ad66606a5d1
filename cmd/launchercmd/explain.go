package launchercmd

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
	"github.com/dcvix/dcvix/directorapi/client"
)

// A saidError is an error in the person's own language.
type saidError struct {
	text string
	err  error // what it is for programs; may be nil
}

func (e *saidError) Error() string { return e.text }

func (e *saidError) Unwrap() error { return e.err }

// A Trouble says what kind of error a person has met, so that a window can offer
// what helps.
type Trouble string

// The kinds of trouble.
const (
	TroubleOther       Trouble = "other"
	TroubleCancelled   Trouble = "cancelled"   // by the person: nothing to show
	TroubleLogin       Trouble = "login"       // user, password or code is wrong
	TroubleLoggedOut   Trouble = "logged-out"  // the login ran out or was ended: ask for the password again
	TroubleUnreachable Trouble = "unreachable" // the director does not answer
	TroubleUntrusted   Trouble = "untrusted"   // see [Engine.Introduce]
	TroubleNotDirector Trouble = "not-director"
	TroubleRefused     Trouble = "refused"   // the director says no, in its own words
	TroubleNoViewer    Trouble = "no-viewer" // see [ViewerHome]
	TroubleViewer      Trouble = "viewer"    // the viewer ended with an error
)

// An Explanation is an error as a person is told it.
type Explanation struct {
	Trouble  Trouble
	Sentence string // what is wrong and what to do
	Detail   string // for the one who helps: the error in full, with the request id; may be empty
}

// ErrLoggedOut means that the director does not know the login any more.
var ErrLoggedOut = errors.New("the login has ended")

// Explain says an error of an Engine to a person. The error nil is no trouble: the
// zero Explanation.
func (e *Engine) Explain(err error) Explanation { return explain(e.words(), err) }

func explain(w *words.Words, err error) Explanation {
	var refusal *dcvix.Error
	var untrusted *client.UntrustedError
	var viewer *ViewerError
	x := Explanation{Trouble: TroubleOther}
	if err == nil {
		return Explanation{}
	}
	x.Sentence = err.Error()
	errors.As(err, &refusal)
	switch {
	case errors.Is(err, context.Canceled):
		return Explanation{Trouble: TroubleCancelled, Sentence: w.Say(words.Cancelled)}
	case errors.Is(err, ErrLoggedOut):
		x.Trouble, x.Sentence = TroubleLoggedOut, w.Say(words.LoggedOut)
	case errors.As(err, &untrusted):
		x.Trouble, x.Sentence = TroubleUntrusted, w.Say(words.Untrusted, untrusted.URL)
		x.Detail = untrusted.Error()
	case errors.Is(err, client.ErrUnreachable):
		x.Trouble, x.Sentence, x.Detail = TroubleUnreachable, w.Say(words.Unreachable), err.Error()
	case errors.Is(err, client.ErrNotDirector):
		x.Trouble, x.Sentence, x.Detail = TroubleNotDirector, w.Say(words.NotDirector), err.Error()
	case errors.Is(err, ErrNoViewer):
		x.Trouble = TroubleNoViewer
	case errors.As(err, &viewer):
		x.Trouble, x.Detail = TroubleViewer, viewer.Output
	case refusal != nil && (refusal.Code == dcvix.CodeUnauthenticated || refusal.Code == dcvix.CodeOTPRequired):
		x.Trouble = TroubleLogin
	case refusal != nil:
		x.Trouble = TroubleRefused
	}
	if refusal != nil && refusal.RequestID != "" {
		x.Detail = w.Say(words.RequestID, string(refusal.Code), refusal.RequestID)
	}
	x.Sentence = finish(x.Sentence)
	return x
}

// finish makes a sentence of the text of an error.
func finish(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if last, _ := utf8.DecodeLastRuneInString(text); !strings.ContainsRune(".!?…", last) {
		text += "."
	}
	return text
}
