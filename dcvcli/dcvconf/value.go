package dcvconf

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Value is what a setting is, as GVariant text: "text" in double or single
// quotes, true, false or a number. What is of another type, such as a list, is kept
// as it was written.
type Value string

// Text returns the value that is this text.
func Text(s string) Value {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return Value(b.String())
}

// Bool returns the value that is this switch.
func Bool(on bool) Value { return Value(strconv.FormatBool(on)) }

// Number returns the value that is this whole number.
func Number(n int64) Value { return Value(strconv.FormatInt(n, 10)) }

// AsBool returns the switch that the value is, and whether it is one. The registry
// has numbers for switches, so 0 and 1 are switches too.
func (v Value) AsBool() (on, ok bool) {
	switch strings.TrimSpace(string(v)) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// AsNumber returns the whole number that the value is, and whether it is one.
func (v Value) AsNumber() (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(string(v)), 0, 64)
	return n, err == nil
}

// AsText returns the text that the value is, and whether it is one (GVariant Text
// Format, "Strings", in the GLib documentation).
func (v Value) AsText() (string, bool) {
	s := strings.TrimSpace(string(v))
	if len(s) < 2 || s[0] != '"' && s[0] != '\'' || s[len(s)-1] != s[0] || !utf8.ValidString(s) {
		return "", false
	}
	quote, rest := s[0], s[1:len(s)-1]
	var b strings.Builder
	for rest != "" {
		switch c := rest[0]; {
		case c == quote:
			return "", false // it ended here, and something follows
		case c != '\\':
			b.WriteByte(c)
			rest = rest[1:]
		default:
			meant, length, ok := unescape(rest)
			if !ok {
				return "", false
			}
			b.WriteString(meant)
			rest = rest[length:]
		}
	}
	return b.String(), true
}

// unescape returns what the escape at the start of s means, and its length.
func unescape(s string) (meant string, length int, ok bool) {
	if len(s) < 2 {
		return "", 0, false
	}
	var digits int
	switch s[1] {
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	default:
		if at := strings.IndexByte("abfnrtv", s[1]); at >= 0 {
			return "\a\b\f\n\r\t\v"[at : at+1], 2, true
		}
		_, size := utf8.DecodeRuneInString(s[1:])
		return s[1 : 1+size], 1 + size, true
	}
	if len(s) < 2+digits {
		return "", 0, false
	}
	n, err := strconv.ParseUint(s[2:2+digits], 16, 32)
	if err != nil || n > unicode.MaxRune || !utf8.ValidRune(rune(n)) || n == 0 {
		return "", 0, false
	}
	return string(rune(n)), 2 + digits, true
}

// same says whether two values mean the same, however they are written.
func (v Value) same(w Value) bool {
	if a, ok := v.AsText(); ok {
		b, ok := w.AsText()
		return ok && a == b
	}
	if a, ok := v.AsBool(); ok {
		b, ok := w.AsBool()
		return ok && a == b
	}
	return strings.TrimSpace(string(v)) == strings.TrimSpace(string(w))
}
