package agentclient

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/dcvcli"
)

const (
	lookLimit = 10 * time.Second // for what dcv and the host say in a report
	// keepSessions is how long a report repeats the last list of sessions when dcv
	// gives none: a short trouble must not make them all vanish and come back.
	keepSessions = 5 * time.Minute
)

// lastSessions is the last list that dcv gave.
type lastSessions struct {
	list []dcvix.Session
	at   time.Time
}

// reportLoop reports at once, again after a random part of the interval, and then
// regularly, one report at a time. It
// returns errEnrolAgain when the director does not know us, and else ctx's error
// when ctx ends.
func (a *Agent) reportLoop(ctx context.Context) error {
	if a.cfg.UpdateInterval < 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	first, renamed := true, false
	defer a.left("report")
	for failures := 0; ; {
		a.heard("report", max(a.cfg.UpdateInterval, maxRetry))
		if !a.certified() {
			return a.expired(ctx)
		}
		err := a.report(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if refusedWith(err, http.StatusUnauthorized) {
			return a.refused(ctx, "report", err)
		}
		a.trouble(ctx, "report", err)
		renamed = a.sayName(ctx, err, renamed)
		switch {
		case err != nil:
			failures++
			// Later than other calls are tried again: all hosts report, and the next
			// report is due soon anyway.
			err = retryAfter(ctx, failures+2, maxRetry)
		case first:
			// Hosts that got their power back together are not to report together.
			first, failures = false, 0
			err = a.untilNextReport(ctx, spread(a.cfg.UpdateInterval, a.cfg.UpdateInterval))
		default:
			failures = 0
			err = a.untilNextReport(ctx, a.cfg.UpdateInterval)
		}
		if err != nil {
			return err
		}
	}
}

// sayName registers again when reports begin to be refused, since the host may
// have another name than the director recorded: it notes the wish for an admin.
// When they are taken again, the new certificate has the new name. It returns
// whether the wish is said and the name not yet certified.
func (a *Agent) sayName(ctx context.Context, reported error, said bool) bool {
	refused := refusedWith(reported, http.StatusForbidden)
	if refused == said || !refused && reported != nil {
		return said
	}
	if err := a.ask(ctx, a.register); err != nil {
		return said
	}
	return refused
}

func (a *Agent) untilNextReport(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-a.kick:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// changed makes the next report due now.
func (a *Agent) changed() {
	select {
	case a.kick <- struct{}{}:
	default: // it is due already
	}
}

func (a *Agent) report(ctx context.Context) error {
	update := a.update(ctx)
	body, err := json.Marshal(update)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	err = a.ask(ctx, func(ctx context.Context, d *director) error {
		answer, err := d.post(ctx, dcvix.PathAgentUpdate, body)
		if err == nil && answer.status != http.StatusOK {
			err = answer.refusal()
		}
		return err
	})
	if err == nil {
		a.set(func(s *Status) { s.LastReport = a.cfg.Now() })
	}
	return err
}

// update says how the host is. What cannot be found out becomes a problem in it.
func (a *Agent) update(ctx context.Context) dcvix.AgentUpdate {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	problems := []string{}
	sessions, problem := a.sessionsNow(ctx)
	if problem != "" {
		problems = append(problems, problem)
	}
	stats, err := a.cfg.Stats.Stats(ctx)
	if err != nil {
		problems = append(problems, "the load of the host cannot be read: "+clean(err.Error()))
	}
	stats.Hostname = string(a.hostname)
	for _, figure := range []*float64{&stats.CPUUsage, &stats.Load1, &stats.Load5, &stats.Load15} {
		if math.IsNaN(*figure) || math.IsInf(*figure, 0) { // JSON has no word for these
			*figure = 0
		}
	}
	a.noteProblems(ctx, problems)
	return dcvix.AgentUpdate{
		Sessions:              sessions,
		Stats:                 stats,
		Tags:                  append([]string{}, a.cfg.Tags...),
		AgentPort:             a.cfg.AgentPort,
		DCVPort:               a.cfg.DCVPort,
		UpdateIntervalSeconds: int(max(0, a.cfg.UpdateInterval) / time.Second),
		Version:               dcvix.Version,
		Problems:              problems,
	}
}

// sessionsNow returns the sessions of the host; when dcv fails, the last known
// ones for a while and a sentence.
func (a *Agent) sessionsNow(ctx context.Context) ([]dcvix.Session, string) {
	listed, err := a.cfg.DCV.List(ctx)
	now := a.cfg.Now()
	if err == nil {
		list := onWire(listed)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.sessions = lastSessions{list: list, at: now}
		return list, ""
	}
	a.mu.Lock()
	last := a.sessions
	a.mu.Unlock()
	problem := "the sessions of DCV cannot be listed: " + clean(err.Error())
	if last.list == nil || now.Sub(last.at) > keepSessions {
		return []dcvix.Session{}, problem
	}
	return last.list, problem
}

// noteProblems logs problems when they change.
func (a *Agent) noteProblems(ctx context.Context, problems []string) {
	var before []string
	a.set(func(s *Status) { before, s.Problems = s.Problems, problems })
	for _, p := range problems {
		if !slices.Contains(before, p) {
			a.cfg.Logger.WarnContext(ctx, "problem on this host", slog.String("problem", p))
		}
	}
	if len(problems) == 0 && len(before) > 0 {
		a.cfg.Logger.InfoContext(ctx, "no problem on this host any more")
	}
}

// onWire returns the sessions in the words of the protocol; the list is never
// nil.
func onWire(sessions []dcvcli.Session) []dcvix.Session {
	list := make([]dcvix.Session, 0, len(sessions))
	for _, s := range sessions {
		list = append(list, dcvix.Session{
			ID:                    dcvix.SessionID(s.ID),
			Owner:                 dcvix.Username(s.Owner),
			User:                  s.User,
			NumOfConnections:      s.NumOfConnections,
			CreationTime:          dcvix.Time{Time: s.CreationTime},
			LastDisconnectionTime: dcvix.Time{Time: s.LastDisconnectionTime},
			LicensingMode:         s.LicensingMode,
			StorageRoot:           s.StorageRoot,
			Type:                  dcvix.SessionType(s.Type),
			Status:                s.Status,
			X11Display:            s.X11Display,
			X11Authority:          s.X11Authority,
		})
	}
	return list
}
