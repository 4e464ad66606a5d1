package dcvix

import (
	"strings"
	"unicode"
)

// OneLine returns a text from outside as one line that a log or a terminal can
// show: white space and control characters are single spaces, marks that are not
// seen are left out, and what is beyond so many characters is "…".
func OneLine(text string, most int) string {
	if isWord(text) && len(text) <= most {
		return text
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return text
}

// isWord says whether a text is of ASCII letters, digits and signs, as most are.
func isWord(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}
