// Package doctor looks at a DCV host and says, in plain words, what keeps it from
// working with its director, and what to do about it.
//
// [Run] goes through a list of checks: files, clock, director, agent, the dcv
// command, the settings of the DCV server, its verifier, licence and disk. It
// changes nothing, on the host or elsewhere: its calls to the director read, but
// for one question to the verifier with a token that cannot be good.
//
// What no check can say is whether an admin has revoked the agent since its last
// report: the agent's log does.
package doctor

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
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

// by adds what to type.
func (f Finding) by(command string) Finding {
	f.Command = command
	return f
}

func ok(check, text string) Finding { return Finding{Check: check, Level: OK, Text: text} }
func warning(check, text, remedy string) Finding {
	return Finding{Check: check, Level: Warning, Text: text, Remedy: remedy}
}

func problem(check, text, remedy string) Finding {
	return Finding{Check: check, Level: Problem, Text: text, Remedy: remedy}
}

func skipped(check, because string) []Finding {
	return []Finding{{Check: check, Level: Skipped, Text: because}}
}

// Config is what the agent of the host was told.
type Config struct {
	File          string   // its configuration file; "" means none was found
	Directors     []string // names or addresses, at least one
	DirectorPort  int
	CAFingerprint string // the pinned CA; "" means none
	DataDir       string
	BindAddress   string
	AgentPort     int
	DCVPath       string // the dcv command; "" means where DCV installs it
	DCVPort       int
	DCVConf       string // file of the DCV server's settings; "" means those of this machine

	Limit time.Duration    // of one call; 0 means 10 s
	Now   func() time.Time // nil means time.Now
}

// A doctor is one examination.
type doctor struct {
	Config

	id identity
}

// Run examines the host. It takes some ten seconds at worst, and returns the
// findings with the worst first, and among equals in the order to mend them in.
func Run(ctx context.Context, cfg Config) Report {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Limit == 0 {
		cfg.Limit = 10 * time.Second
	}
	d := &doctor{Config: cfg}
	files := d.readIdentity()
	// Each group is independent of the others; within one, later checks build on
	// earlier ones.
	groups := []func(context.Context) []Finding{
		d.checkHost, d.checkDirectors, d.checkAgent, d.checkDCV, d.checkSettings,
	}
	found := make([][]Finding, len(groups))
	var all sync.WaitGroup
	for i, check := range groups {
		all.Go(func() { found[i] = check(ctx) })
	}
	all.Wait()
	return NewReport(slices.Concat(append([][]Finding{d.configuration(), files}, found...)...))
}

func (d *doctor) configuration() []Finding {
	if d.File == "" {
		return []Finding{warning("configuration", "No configuration file was found: the agent runs on its defaults and looks for the director on this host.",
			"Write one and set director_host.").by("dcvix-agent --write-config PATH")}
	}
	return []Finding{ok("configuration", d.File)}
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
