package dcvcli

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what is passed to the command, in bytes.
const (
	maxArgument = 256
	maxPath     = 4096
	maxValue    = 8192 // of a configuration value, which may be a list
)

// checkID returns an error unless value can name a session. No page of the guide
// says what an id may be made of.
func checkID(value string) error { return checkArgument("session id", value) }

// checkArgument returns an error unless value can stand alone among the
// arguments of a command: it must not be taken for an option.
func checkArgument(what, value string) error {
	if strings.HasPrefix(value, "-") {
		return fmt.Errorf("%s %.40q: %w: it starts with \"-\"", what, value, ErrInvalid)
	}
	return checkText(what, value, maxArgument)
}

// checkPath returns an error unless value can be the path of a file on the host.
// It must not be taken for an option.
func checkPath(what, value string) error {
	if strings.HasPrefix(value, "-") {
		return fmt.Errorf("%s %.40q: %w: it starts with \"-\"", what, value, ErrInvalid)
	}
	return checkText(what, value, maxPath)
}

// checkText returns an error unless value is text on one line of 1 to most bytes.
func checkText(what, value string, most int) error {
	switch {
	case value == "":
		return fmt.Errorf("%s: %w: it is empty", what, ErrInvalid)
	case len(value) > most:
		return fmt.Errorf("%s %.40q…: %w: it is longer than %d bytes", what, value, ErrInvalid, most)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Errorf("%s %.40q: %w: it has a control character", what, value, ErrInvalid)
	}
	return nil
}

// checkName returns an error unless value can be shown as the name of a session.
func checkName(what, value string) error {
	const most = 256 // Administrator Guide, "Starting Amazon DCV sessions"
	if utf8.RuneCountInString(value) > most {
		return fmt.Errorf("%s: %w: it is longer than %d characters", what, ErrInvalid, most)
	}
	return checkText(what, value, most*utf8.UTFMax)
}
