package privacyidea

import "github.com/dcvix/dcvix"

// Parse reads an answer as Verify does and says what came of it.
func Parse(body []byte) (accepted bool, prompt, state string, err error) {
	a, err := parse(body, func(text string) string { return dcvix.OneLine(text, maxText) })
	if a.challenge != nil {
		prompt, state = a.challenge.prompt, a.challenge.state()
	}
	return a.accepted, prompt, state, err
}

// OpensState says whether Verify would take the state for one of its own.
func OpensState(state string) bool {
	_, ok := parseState(state)
	return ok
}
