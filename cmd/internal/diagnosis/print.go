package diagnosis

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/dcvix/dcvix"
)

// The columns of a report: level, check, and what is left of 80 for the words.
const (
	levelColumn = 9
	checkColumn = 15
	lineWidth   = 80
)

// WriteText writes the report for a person: at most 80 columns, a finding with its
// remedy below it, and at the end "all well" or how much is not.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	indent := strings.Repeat(" ", levelColumn+checkColumn)
	for _, f := range r.Findings {
		lines := wrap(dcvix.OneLine(f.Text, maxWords))
		if f.Remedy != "" {
			lead := "> "
			for _, l := range wrap(dcvix.OneLine(f.Remedy, maxWords)) {
				lines, lead = append(lines, lead+l), "  "
			}
		}
		if f.Command != "" { // in one piece, to be copied
			lines = append(lines, "  $ "+f.Command)
		}
		for i, l := range lines {
			if i == 0 {
				fmt.Fprintf(&b, "%-*s%-*s%s\n", levelColumn, f.Level, checkColumn, f.Check, l)
			} else {
				b.WriteString(indent + l + "\n")
			}
		}
	}
	b.WriteString("\n" + r.verdict() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// maxWords bounds a sentence with foreign text in it, in characters.
const maxWords = 1000

func (r Report) verdict() string {
	switch {
	case r.Problems+r.Warnings == 0:
		return "all well"
	case r.Problems == 0:
		return Count(r.Warnings, "warning") + ", no problem"
	default:
		return Count(r.Problems, "problem") + ", " + Count(r.Warnings, "warning")
	}
}

// Count is a number of things: "1 warning", "2 warnings".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// WriteJSON writes the report for a program.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// wrap breaks a sentence between words, and a fingerprint behind a colon.
func wrap(text string) []string {
	const width = lineWidth - levelColumn - checkColumn - len("> ")
	var words []string
	for word := range strings.FieldsSeq(text) {
		for len(word) > width && strings.Contains(word[:width], ":") {
			cut := strings.LastIndex(word[:width], ":") + 1
			words, word = append(words, word[:cut]), word[cut:]
		}
		words = append(words, word)
	}
	lines := []string{""}
	for _, word := range words {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}
