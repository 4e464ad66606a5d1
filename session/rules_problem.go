package session

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/dcvix/dcvix/internal/nearest"
)

// A Problem is something wrong in a policy that does not keep the rest from
// counting.
type Problem struct {
	File       string // without its folder
	Line       int    // from 1
	Entry      string // which entry: user "alice"
	Text       string // what is wrong, a sentence without its end
	Suggestion string // what to do, a sentence
}

// String returns the Problem in one line of printable text.
func (p Problem) String() string { return p.Sentence() + ". " + p.Suggestion }

// Sentence returns the Problem without what to do about it.
func (p Problem) Sentence() string {
	return fmt.Sprintf("%s:%d: %s %s", p.File, p.Line, p.Entry, p.Text)
}

// sortProblems puts problems in the order of the files and lines.
func sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(slices.Index(policyNames[:], a.File)-slices.Index(policyNames[:], b.File), a.Line-b.Line)
	})
}

// A PolicyError says why files cannot be understood at all: one Problem for each.
type PolicyError struct{ Problems []Problem }

func refuse(p Problem) error { return &PolicyError{[]Problem{p}} }

// Error returns each Problem in a line.
func (e *PolicyError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// maxLogged bounds how many problems of one policy are logged.
const maxLogged = 20

// LogProblems logs problems of a policy, the first 20 one by one.
func LogProblems(ctx context.Context, logger *slog.Logger, problems []Problem) {
	for i, p := range problems {
		if i == maxLogged {
			logger.WarnContext(ctx, "more problems in the policy: dcvix-director policy check lists them", slog.Int("problems", len(problems)-i))
			return
		}
		logger.WarnContext(ctx, "problem in the policy", slog.String("problem", p.String()))
	}
}

// A place is a line of a file.
type place struct {
	file string
	line int
}

// String returns the place as programs write it that know lines.
func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }

// maxGuesses bounds the search for names that were meant: it costs much where
// many of many names are wrong.
const maxGuesses = 50

// A guesser finds out what was meant by names that nobody knows.
type guesser struct {
	known  []string
	made   map[string]string
	remedy string // when nothing is near
}

func newGuesser(known []string, remedy string) *guesser {
	return &guesser{known: known, made: make(map[string]string), remedy: remedy}
}

// suggest returns what to do about a name.
func (g *guesser) suggest(name string) string {
	near, done := g.made[name]
	if !done && len(g.made) < maxGuesses {
		near = nearest.Word(name, g.known)
		g.made[name] = near
	}
	if near == "" {
		return g.remedy
	}
	return fmt.Sprintf("Did you mean %.80q?", near)
}
