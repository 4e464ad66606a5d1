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
	"context"
	"slices"
	"sync"
	"time"

	"github.com/dcvix/dcvix/cmd/internal/diagnosis"
)

type (
	// Finding is [diagnosis.Finding]: what one check came to.
	Finding = diagnosis.Finding
	// Level is [diagnosis.Level]: how bad a finding is.
	Level = diagnosis.Level
	// Report is [diagnosis.Report]: the outcome of an examination.
	Report = diagnosis.Report
)

// The levels, the worst first.
const (
	Problem = diagnosis.Problem
	Warning = diagnosis.Warning
	Skipped = diagnosis.Skipped
	OK      = diagnosis.OK
)

// NewReport is [diagnosis.NewReport].
func NewReport(findings []Finding) Report { return diagnosis.NewReport(findings) }

func ok(check, text string) Finding              { return diagnosis.Well(check, text) }
func warning(check, text, remedy string) Finding { return diagnosis.Warn(check, text, remedy) }
func problem(check, text, remedy string) Finding { return diagnosis.Trouble(check, text, remedy) }

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
			"Write one and set director_host.").By("dcvix-agent --write-config PATH")}
	}
	return []Finding{ok("configuration", d.File)}
}
