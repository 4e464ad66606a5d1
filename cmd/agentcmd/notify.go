package agentcmd

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
)

// A herald tells systemd how the agent is, by the protocol of sd_notify(3). Where
// nobody listens, as on Windows and in a terminal, its words go nowhere.
type herald struct {
	status   func() agentclient.Status
	stalled  func() []string    // as [agentclient.Agent.Stalled]
	send     func(words string) // to systemd
	watchdog time.Duration      // within which it wants to hear that we live; 0 means never
	logger   *slog.Logger

	ready bool   // was said
	said  string // the last status
	late  bool   // a loop is stuck, which was logged
}

// lookEach is how often the herald looks, or oftener for a watchdog in a hurry.
const lookEach = time.Second

// announce starts a herald of an agent. What it returns ends it, and waits for that.
func announce(ctx context.Context, agent *agentclient.Agent, logger *slog.Logger) (end func()) {
	h := &herald{status: agent.Status, stalled: agent.Stalled, logger: logger}
	failed := false
	h.send = func(words string) {
		if _, err := daemon.SdNotify(false, words); err != nil && !failed {
			failed = true
			logger.WarnContext(ctx, "systemd cannot be told how the agent is: look at NOTIFY_SOCKET", slog.Any("err", err))
		}
	}
	var err error
	if h.watchdog, err = daemon.SdWatchdogEnabled(false); err != nil {
		logger.WarnContext(ctx, "systemd's watchdog is not fed: look at WATCHDOG_USEC", slog.Any("err", err))
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.run(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// run speaks until ctx ends.
func (h *herald) run(ctx context.Context) {
	each := lookEach
	if h.watchdog > 0 {
		each = min(each, h.watchdog/3)
	}
	tick := time.NewTicker(each)
	defer tick.Stop()
	for {
		h.look(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			h.send(daemon.SdNotifyStopping + "\nSTATUS=stopping")
			return
		}
	}
}

// look says what is new. The agent is ready when it knows who it is: that an admin
// has to approve it first is not a start that failed.
func (h *herald) look(ctx context.Context) {
	s := h.status()
	if s.GUID == "" {
		return
	}
	if words := statusLine(s); words != h.said {
		h.said = words
		h.send("STATUS=" + words)
	}
	if !h.ready {
		h.ready = true
		h.send(daemon.SdNotifyReady)
	}
	if h.watchdog == 0 {
		return
	}
	late := h.stalled()
	if len(late) == 0 {
		h.late = false
		h.send(daemon.SdNotifyWatchdog)
	} else if !h.late {
		h.late = true
		h.logger.ErrorContext(ctx, "a part of the agent does not go on, the watchdog will restart it", slog.String("part", strings.Join(late, ", ")))
	}
}

// statusLine is what "systemctl status" shows.
func statusLine(s agentclient.Status) string {
	words := "registering"
	switch s.State {
	case agentclient.Pending:
		words = "waiting for approval, key fingerprint " + s.Fingerprint
	case agentclient.Enrolled:
		words = "registered, certificate good until " + s.NotAfter.UTC().Format(time.DateOnly)
	case agentclient.Expired:
		words = "certificate ended, registering again"
	default:
	}
	if s.Trouble != "" {
		words += "; " + s.Trouble
	}
	if len(s.Problems) > 0 {
		words += "; " + s.Problems[0]
	}
	const most = 300 // characters
	return dcvix.OneLine(words, most)
}
