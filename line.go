package dcvix

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
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

// Visible returns a text in which nothing moves a terminal's cursor or turns text
// around: such characters are written as \uXXXX. JSON stays the same JSON by that
// (RFC 8259, section 7), as long as it has no line breaks.
func Visible(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range text {
		switch {
		case !unicode.IsControl(r) && !unicode.Is(unicode.Cf, r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
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
