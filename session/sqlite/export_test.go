package sqlite

import (
	"context"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// Import01Reaching is Import01 with a function that hears of each step; its error
// ends the import there, as a kill would.
func Import01Reaching(ctx context.Context, cfg ImportConfig, reached func(step string) error) error {
	return (&importing{ImportConfig: cfg, reached: reached}).run(ctx)
}

// Loss says whether an error means that the old register is lost.
func Loss(err error) (string, error) { return loss(err) }

// Interpret is how a row is read and what it becomes: GUID, host name, state,
// deletion, the three times, serial number, keys.
func Interpret(reserved []dcvix.Hostname, values ...any) (Imported, session.Agent) {
	e, ok := interpret(values)
	if !ok {
		return Imported{Reason: "deleted"}, session.Agent{}
	}
	d := decide([]entry{e}, reserved)[0]
	return d.Imported, d.agent
}
