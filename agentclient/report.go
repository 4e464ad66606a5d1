package agentclient

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/dcvcli"
)

// reportPause is the shortest time between two reports.
const reportPause = time.Second

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

// untilNextReport waits, but not longer than until a report is due for another
// reason. Changes that follow each other closely share a report.
func (a *Agent) untilNextReport(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-a.kick:
	case <-ctx.Done():
		return ctx.Err()
	}
	return sleep(ctx, max(0, reportPause-time.Since(a.reportedAt)))
}

// report reports once. Only reportLoop calls it.
func (a *Agent) report(ctx context.Context) error {
	select {
	case <-a.kick: // what is due is in this report
	default:
	}
	a.reportedAt = time.Now()
	update, problems := a.update(ctx)
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
		a.took(update.Sessions, problems)
	}
	return err
}

// update says how the host is, and which of its problems are standing ones. What
// cannot be found out becomes a problem in it.
func (a *Agent) update(ctx context.Context) (dcvix.AgentUpdate, standing) {
	sessions := a.sessionsNow(ctx)
	stats, err := a.statsNow(ctx)
	wrong := []error{err}
	gpus, err := a.gpusNow(ctx)
	wrong = append(wrong, err)

	lasting := a.standingNow()
	problems := lasting.sentences()
	for _, err := range wrong {
		if err != nil {
			problems = append(problems, clean(err.Error()))
		}
	}
	a.noteProblems(ctx, problems)
	return dcvix.AgentUpdate{
		Sessions:              onWire(sessions),
		Stats:                 stats,
		Tags:                  append([]string{}, a.cfg.Tags...),
		AgentPort:             a.cfg.AgentPort,
		DCVPort:               a.cfg.DCVPort,
		UpdateIntervalSeconds: int(max(0, a.cfg.UpdateInterval) / time.Second),
		Version:               dcvix.Version,
		Problems:              problems,
		GPUs:                  gpus,
		Licence:               licence(sessions),
	}, lasting
}

// sessionsNow returns the sessions of the host, of a list that is not whole those
// that can be read; when dcv fails, the last known ones for a while.
func (a *Agent) sessionsNow(ctx context.Context) []dcvcli.Session {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	listed, err := a.see(ctx)
	if err != nil && !partial(err) {
		return a.lastKnown()
	}
	return listed
}

// statsNow returns the load of the host, or as much of it as can be read.
func (a *Agent) statsNow(ctx context.Context) (dcvix.Stats, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	stats, err := a.cfg.Stats.Stats(ctx)
	stats.Hostname = string(a.hostname)
	finite(&stats.CPUUsage, &stats.Load1, &stats.Load5, &stats.Load15)
	if err != nil {
		return stats, fmt.Errorf("the load of the host cannot be read: %w", err)
	}
	return stats, nil
}

// gpusNow returns the graphics cards of the host, or those that can be read.
func (a *Agent) gpusNow(ctx context.Context) ([]dcvix.GPU, error) {
	if a.cfg.GPUs == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	gpus, err := a.cfg.GPUs.GPUs(ctx)
	gpus = slices.Clone(gpus)
	for i := range gpus {
		finite(&gpus[i].Usage, &gpus[i].EncoderUsage, &gpus[i].Temperature)
	}
	if err != nil {
		return gpus, fmt.Errorf("the graphics cards cannot be read: %w", err)
	}
	return gpus, nil
}

// finite makes figures that JSON has no word for zero.
func finite(figures ...*float64) {
	for _, figure := range figures {
		if math.IsNaN(*figure) || math.IsInf(*figure, 0) {
			*figure = 0
		}
	}
}
