// Package diagnosis is what the doctors of the programs have in common: a list of
// findings, each with what to do about it, and how it is shown.
package diagnosis

import (
	"cmp"
	"slices"
)

// A Level says how bad a finding is.
type Level string

// The levels, the worst first.
const (
	Problem Level = "problem" // something does not work, or is not safe
	Warning Level = "warning" // it works, and will not for long or not well
	Skipped Level = "skipped" // could not be looked at because of a problem
	OK      Level = "ok"
)

// A Finding is what one check came to.
type Finding struct {
	Check  string `json:"check"` // such as "director"
	Level  Level  `json:"level"`
	Text   string `json:"text"`             // what is so, one or two sentences
	Remedy string `json:"remedy,omitempty"` // what to do; "" when nothing is to be done

	// Command is what to type for that, or to find out more; "" means nothing. One
	// that begins with dcvix-director is for the director's machine.
	Command string `json:"command,omitempty"`
}

// By adds what to type.
func (f Finding) By(command string) Finding {
	f.Command = command
	return f
}

// Well is a finding that all is well.
func Well(check, text string) Finding { return Finding{Check: check, Level: OK, Text: text} }

// Warn is a finding of level Warning.
func Warn(check, text, remedy string) Finding {
	return Finding{Check: check, Level: Warning, Text: text, Remedy: remedy}
}

// Trouble is a finding of level Problem.
func Trouble(check, text, remedy string) Finding {
	return Finding{Check: check, Level: Problem, Text: text, Remedy: remedy}
}

// A Report is the outcome of an examination.
type Report struct {
	Findings []Finding `json:"findings"`
	Problems int       `json:"problems"`
	Warnings int       `json:"warnings"`
}

// NewReport orders findings: the worst first, among equals in the order given.
func NewReport(findings []Finding) Report {
	r := Report{Findings: slices.Clone(findings)}
	worst := []Level{Problem, Warning, Skipped, OK}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Compare(slices.Index(worst, a.Level), slices.Index(worst, b.Level))
	})
	for _, f := range findings {
		switch f.Level {
		case Problem:
			r.Problems++
		case Warning:
			r.Warnings++
		default:
		}
	}
	return r
}
