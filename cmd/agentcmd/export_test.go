package agentcmd

import (
	"context"
	"log/slog"
	"time"

	"github.com/dcvix/dcvix/agentclient"
)

// Herald runs a herald of an agent that is made up, until ctx ends.
func Herald(ctx context.Context, watchdog time.Duration, status func() agentclient.Status, stalled func() []string, send func(string), logger *slog.Logger) {
	h := &herald{status: status, stalled: stalled, send: send, watchdog: watchdog, logger: logger}
	h.run(ctx)
}
