package directorcmd

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/standalone"
)

// lookEach is how often the herald looks, or oftener for a watchdog in a hurry.
const lookEach = 5 * time.Second

// A herald tells systemd how the director is, by the protocol of sd_notify(3).
// Where nobody listens, as in a terminal, its words go nowhere.
type herald struct {
	status   func() string // a director that is stuck does not return from it
	watchdog time.Duration // within which systemd wants to hear that we live; 0 means never
	logger   *slog.Logger

	said   string // the last status
	failed bool   // to tell, which was logged
}

// announce returns a herald of a director.
func announce(ctx context.Context, director *standalone.Server, logger *slog.Logger) *herald {
	h := &herald{status: func() string { return statusLine(director) }, logger: logger}
	var err error
	if h.watchdog, err = daemon.SdWatchdogEnabled(false); err != nil {
		logger.WarnContext(ctx, "systemd's watchdog is not fed: look at WATCHDOG_USEC", slog.Any("err", err))
	}
	return h
}

// run speaks until ctx ends. The watchdog is fed only when the director has
// answered how it is: one in which that hangs is restarted.
func (h *herald) run(ctx context.Context) error {
	each := lookEach
	if h.watchdog > 0 {
		each = min(each, h.watchdog/3)
	}
	tick := time.NewTicker(each)
	defer tick.Stop()
	h.tell(ctx, daemon.SdNotifyReady)
	for {
		if words := h.status(); words != h.said {
			h.said = words
			h.tell(ctx, "STATUS="+words)
		}
		if h.watchdog > 0 {
			h.tell(ctx, daemon.SdNotifyWatchdog)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			h.tell(ctx, daemon.SdNotifyStopping+"\nSTATUS=stopping: requests under way get 20 s")
			return nil
		}
	}
}

func (h *herald) tell(ctx context.Context, words string) {
	if _, err := daemon.SdNotify(false, words); err != nil && !h.failed {
		h.failed = true
		h.logger.WarnContext(ctx, "systemd cannot be told how the director is: look at NOTIFY_SOCKET", slog.Any("err", err))
	}
}

// statusLine is what "systemctl status" shows. It takes every lock that a request
// may wait for.
func statusLine(director *standalone.Server) string {
	broker := director.Broker()
	return fmt.Sprintf("%d agents registered, %d waiting for approval, %d sessions",
		len(broker.Agents(dcvix.AgentRegistered)), len(broker.Agents(dcvix.AgentPending)), len(broker.Sessions()))
}
