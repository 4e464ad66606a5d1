package inifile

import (
	"bytes"
	"strings"
	"unicode"
)

// maxFile bounds a configuration file; real ones have a few kilobytes.
const maxFile = 1 << 20

// A line is what one line of a file says.
type line struct {
	number  int
	section string // the section that the line is in or, with key empty, opens
	key     string
	value   string // without the spaces around it; quotes still in place
	problem string // why the line cannot be read; the rest is empty then
}

// scan reads the lines of a file that say something. It never fails as a whole:
// a line that cannot be read comes with its problem.
func scan(content []byte) []line {
	var (
		lines   []line
		section string
		number  int
	)
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(content, []byte("\xff\xfe")) || bytes.HasPrefix(content, []byte("\xfe\xff")) {
		return []line{{number: 1, problem: "the file is UTF-16: save it as UTF-8"}}
	}
	for text := range strings.Lines(string(content)) {
		number++
		text = strings.TrimSpace(text)
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		l := line{number: number, section: section}
		if text[0] == '[' {
			l.section, l.problem = scanSection(text)
			if l.problem == "" {
				section = l.section
			}
		} else {
			l.key, l.value, l.problem = scanKey(text)
		}
		lines = append(lines, l)
	}
	return lines
}

func scanSection(text string) (name, problem string) {
	name, rest, closed := strings.Cut(text[1:], "]")
	name, rest = strings.TrimSpace(name), strings.TrimSpace(rest)
	switch {
	case !closed:
		return "", `the section has no "]": add it`
	case name == "":
		return "", "the section has no name: write one between the brackets"
	case rest != "" && rest[0] != '#' && rest[0] != ';':
		return "", `there is text after the "]" of a section: put it on a line of its own`
	}
	return name, ""
}

// scanKey never quotes the line: what cannot be read may be part of a secret.
func scanKey(text string) (key, value, problem string) {
	i := strings.IndexAny(text, "=:")
	if i < 0 {
		return "", "", `the line is no [section], no "key = value" and no comment: correct it, or start it with "#"`
	}
	key, value = strings.TrimSpace(text[:i]), strings.TrimSpace(text[i+1:])
	switch {
	case key == "":
		return "", "", `there is no key before the "=": add one, or start the line with "#"`
	case strings.ContainsFunc(value, isForbidden):
		return "", "", "the value contains a control character: remove it"
	}
	return key, value, ""
}

func isForbidden(r rune) bool { return unicode.IsControl(r) && r != '\t' }

// unquote removes one pair of double quotes around a value. A value with
// further double quotes inside is left alone, because a list of quoted arguments
// also starts and ends with one.
func unquote(value string) string {
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' && !strings.Contains(value[1:n-1], `"`) {
		return value[1 : n-1]
	}
	return value
}

// cutComment removes what follows the first " #" or " ;" (or a tab and these),
// or all when the value starts with one. A quoted value ends at its second quote.
func cutComment(value string) string {
	if strings.HasPrefix(value, `"`) {
		if i := strings.IndexByte(value[1:], '"'); i >= 0 {
			if rest := strings.TrimSpace(value[i+2:]); rest == "" || rest[0] == '#' || rest[0] == ';' {
				return value[:i+2]
			}
		}
	}
	if i := commentStart(value); i >= 0 {
		return strings.TrimSpace(value[:i])
	}
	return value
}

// commentStart returns where a person would see a comment start in a value, or -1.
func commentStart(value string) int {
	for i := range len(value) {
		if (value[i] == '#' || value[i] == ';') && (i == 0 || value[i-1] == ' ' || value[i-1] == '\t') {
			return i
		}
	}
	return -1
}
