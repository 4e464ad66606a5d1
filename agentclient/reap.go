package agentclient

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/dcvcli"
)

// A track is for how long a session has had no client, as far as the agent can
// tell. Durations are measured by the agent itself: a clock that is set, on the
// host or in DCV, closes no session.
type track struct {
	created, left time.Time // as DCV says
	idle          time.Time // since when, by the agent's own count
	failed        bool      // it could not be closed, and that is logged
}

// follow brings the tracks up to a list that dcv gave; mu is held.
//
// What is idle since when: DCV says when a session was created and when its last
// client left, and is believed about sessions of before the agent's start, unless
// that is in the future. From then on the agent counts: since it saw a client,
// since the last client's leaving changed, since the session appeared.
func (a *Agent) follow(listed []dcvcli.Session) {
	now := time.Now()
	first := a.look.began.IsZero()
	tracks := make(map[string]track, len(listed))
	for _, s := range listed {
		t, known := a.tracks[s.ID]
		switch {
		case known && t.created.Equal(s.CreationTime) && t.left.Equal(s.LastDisconnectionTime) && s.NumOfConnections == 0:
		case known && t.created.Equal(s.CreationTime):
			t.idle = now
		case first:
			t = track{idle: now.Add(-a.idleBefore(s))}
		default:
			t = track{idle: now}
		}
		t.created, t.left = s.CreationTime, s.LastDisconnectionTime
		tracks[s.ID] = t
	}
	a.tracks = tracks
}

// idleBefore returns for how long a session was idle by what DCV says alone.
func (a *Agent) idleBefore(s dcvcli.Session) time.Duration {
	since := s.CreationTime
	if s.LastDisconnectionTime.After(since) {
		since = s.LastDisconnectionTime
	}
	if s.NumOfConnections > 0 || since.IsZero() {
		return 0
	}
	return max(0, a.cfg.Now().Sub(since))
}

// awaited notes that a user is about to connect to a session.
func (a *Agent) awaited(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t, ok := a.tracks[id]; ok {
		t.idle = time.Now()
		a.tracks[id] = t
	}
}

// reaps says whether idle sessions are closed at all.
func (a *Agent) reaps() bool { return a.cfg.IdleTimeout > 0 && a.cfg.ReapInterval > 0 }

// reapable says whether a session may be closed for being idle, whatever it does.
func (a *Agent) reapable(s dcvcli.Session) bool {
	switch {
	case dcvix.SessionID(s.ID).Validate() != nil: // we act on no such id
		return false
	case s.Type != dcvcli.Virtual && !a.cfg.ReapConsole:
		return false
	default:
		return a.cfg.ReapForeign || a.record.ours(s)
	}
}

// unjudged returns the problem that there are sessions of which DCV does not say
// what closing the idle ones needs; else "".
func (a *Agent) unjudged(listed []dcvcli.Session) string {
	if a.reaps() && slices.ContainsFunc(listed, func(s dcvcli.Session) bool { return s.ActivityUnknown && a.reapable(s) }) {
		return "DCV does not say whether its sessions have clients, so idle ones are not closed: update the DCV server"
	}
	return ""
}

// overdue says whether a session that dcv just listed has been idle for too long,
// and since when.
func (a *Agent) overdue(s dcvcli.Session) (since time.Time, yes bool) {
	if s.ActivityUnknown || s.NumOfConnections > 0 || !a.reapable(s) {
		return time.Time{}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t, known := a.tracks[s.ID]
	return t.idle, known && t.created.Equal(s.CreationTime) && time.Since(t.idle) >= a.cfg.IdleTimeout
}

// reapPatience is how long the closing of a session may have to wait for others
// that are created and closed, one after the other.
const reapPatience = 10 * time.Minute

// reapLoop closes idle sessions until ctx ends, also while there is no director.
func (a *Agent) reapLoop(ctx context.Context) error {
	if !a.reaps() {
		return nil
	}
	defer a.left("reap")
	for {
		a.heard("reap", a.cfg.ReapInterval+reapPatience)
		if sleep(ctx, a.cfg.ReapInterval) != nil {
			return nil
		}
		a.reap(ctx)
	}
}

// reap looks for idle sessions once. A list that fails decides nothing.
func (a *Agent) reap(ctx context.Context) {
	listed, err := a.recent(ctx, a.cfg.ReapInterval)
	if err != nil {
		return // a problem of the host by now
	}
	for _, s := range listed {
		if _, yes := a.overdue(s); yes && ctx.Err() == nil {
			a.heard("reap", reapPatience)
			a.reapOne(ctx, s.ID)
		}
	}
}

// reapOne closes a session if it is still idle. It looks again in the turn of
// those who create and close, so that who just came is not thrown out, and whom a
// session was just promised to finds it.
func (a *Agent) reapOne(ctx context.Context, id string) {
	done, err := a.turn(ctx)
	if err != nil {
		return
	}
	defer done()
	ctx, cancel := change(ctx)
	defer cancel()
	listed, err := a.list(ctx)
	if err != nil {
		return
	}
	for _, s := range listed {
		if since, yes := a.overdue(s); yes && s.ID == id {
			a.closeIdleSession(ctx, s, since)
			return
		}
	}
}

func (a *Agent) closeIdleSession(ctx context.Context, s dcvcli.Session, since time.Time) {
	err := a.cfg.DCV.Close(ctx, s.ID)
	a.due()
	if err == nil || errors.Is(err, dcvcli.ErrNotFound) {
		a.cfg.Logger.InfoContext(ctx, "session closed: it had no client for too long",
			slog.String("session_id", s.ID), slog.String("owner", clean(s.Owner)), slog.String("type", s.Type),
			slog.Time("idle_since", a.cfg.Now().Add(-time.Since(since))), slog.Duration("idle_timeout", a.cfg.IdleTimeout))
		return
	}
	a.mu.Lock()
	t := a.tracks[s.ID]
	said := t.failed
	t.failed = true
	a.tracks[s.ID] = t
	a.mu.Unlock()
	if !said {
		a.cfg.Logger.WarnContext(ctx, "an idle session could not be closed, trying again at every look",
			slog.String("session_id", s.ID), slog.String("owner", clean(s.Owner)), slog.String("reason", clean(err.Error())))
	}
}
