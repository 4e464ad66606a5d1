package agentclient

import (
	"context"

	"github.com/dcvix/dcvix/dcvcli"
)

// Parsers of foreign bytes, for the fuzz tests.
var (
	ReadCreate = readCreate
	ReadConfig = readConfig
	Clean      = clean
)

// ParseGrant and ParseRenewal say whether the answers are readable, and if so
// whether they hold what the caller goes on to use.
func ParseGrant(body []byte) (complete bool, err error) {
	g, err := parseGrant(body)
	return len(g.chain) > 0 && g.ca != nil, err
}

func ParseRenewal(body []byte) (complete bool, err error) {
	g, err := parseRenewal(body)
	return len(g.chain) > 0, err
}

// RecordTakes reads a record of sessions and says whether one is of the agent.
func RecordTakes(path string, s dcvcli.Session) bool {
	r := newRecord(path)
	_ = r.load() // it goes on without
	return r.ours(s)
}

// ReportOnce is one report beside the loop, of an agent that was stopped.
func (a *Agent) ReportOnce(ctx context.Context) error { return a.report(ctx) }
