package directorapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/session"
)

const (
	// refusalsEvery is how often a repeated refusal is written.
	refusalsEvery = time.Minute
	// maxRefusals bounds the refusals that are told apart within a minute, about
	// 1 KiB each. Those beyond are counted together.
	maxRefusals = 4096
)

// onRecord puts an act on record that would grant something, and what came of it.
// It returns err, the act's own error; an act that went well but is not on record
// has not.
func (s *Server) onRecord(c echo.Context, r session.AuditRecord, err error) error {
	if failed := s.record(c, r, err); failed != nil && err == nil {
		return fmt.Errorf("%w: %w", errNoRecord, failed)
	}
	return err
}

// noted puts an act on record that grants nothing, such as a revocation: when the
// record cannot be written, the act stands all the same. It returns err.
func (s *Server) noted(c echo.Context, r session.AuditRecord, err error) error {
	_ = s.record(c, r, err) // is in the log
	return err
}

// record fills in what a request says of itself, and writes the record or, if the
// act was refused, counts it.
func (s *Server) record(c echo.Context, r session.AuditRecord, err error) error {
	c.Set(keyOnRecord, true)
	if s.cfg.Audit == nil {
		return nil
	}
	r.Time, r.Outcome, r.Address = s.cfg.Now(), session.AuditOK, c.RealIP()
	r.RequestID, _ = c.Get(keyRequestID).(string)
	ctx, cancel := detached(c, 10*time.Second)
	defer cancel()
	if err == nil {
		return s.write(ctx, r)
	}
	f := faultOf(err)
	r.Outcome, r.Reason = session.AuditRefused, f.detail
	switch {
	case f.code == dcvix.CodeOTPRequired:
		r.Outcome = session.AuditChallenged
	case f.status >= http.StatusInternalServerError:
		r.Outcome = session.AuditFailed
	}
	due := s.refusals.add(r)
	if len(due) == 0 {
		c.Set(keyRepeated, true)
	}
	return s.write(ctx, due...)
}

// levelOf returns the level at which the log tells of a request: refusals that
// repeat one another are counted in the audit and would fill the log.
func levelOf(c echo.Context, level slog.Level) slog.Level {
	if c.Get(keyRepeated) != nil {
		return slog.LevelDebug
	}
	return level
}

func (s *Server) write(ctx context.Context, records ...session.AuditRecord) error {
	var all error
	for _, r := range records {
		err := s.cfg.Audit.Append(ctx, r)
		s.auditFails.Note(r.Time, err)
		if err != nil {
			s.cfg.Logger.ErrorContext(ctx, "act not put on record", slog.String("action", string(r.Action)),
				slog.String("request_id", r.RequestID), slog.Any("err", err))
		}
		all = errors.Join(all, err)
	}
	return all
}

// Run writes to the audit how often refusals were repeated, once a minute, until
// ctx is done. It then writes what is left and returns nil. Without it the counts
// are written when something else is refused.
func (s *Server) Run(ctx context.Context) error {
	if s.cfg.Audit == nil {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(refusalsEvery / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			_ = s.write(last, s.refusals.take(time.Time{})...) // is in the log
			return nil
		case <-tick.C:
			_ = s.write(ctx, s.refusals.take(s.cfg.Now())...) // is in the log
		}
	}
}

// refused puts on record that a request was refused before its handler had
// anything to say of it: by who sent it, its form or its size. It returns err.
func (s *Server) refused(c echo.Context, r route, err error) error {
	action := r.refused
	if err == nil || action == "" || c.Get(keyOnRecord) != nil {
		return err
	}
	if r.parts == forAgents {
		a, _ := c.Get(keyAgent).(session.Agent)
		return s.noted(c, agentRecord(action, a.ID), err)
	}
	record := s.act(c, action)
	switch id := dcvix.AgentID(c.Param("guid")); {
	case record.Actor == "":
		record.Role = ""
	case record.Role == session.AuditAdmin && id.Validate() == nil:
		record.Target = string(id)
	}
	return s.noted(c, record, err)
}

// act begins the record of what the login in a request does.
func (s *Server) act(c echo.Context, action session.AuditAction) session.AuditRecord {
	who := s.actor(c)
	role := session.AuditUser
	if who.Admin {
		role = session.AuditAdmin
	}
	return session.AuditRecord{Action: action, Role: role, Actor: string(who.User)}
}

// agentRecord begins the record of what an agent does for itself.
func agentRecord(action session.AuditAction, id dcvix.AgentID) session.AuditRecord {
	return session.AuditRecord{Action: action, Role: session.AuditAgent, Actor: string(id), Target: string(id)}
}

// summary says what an admin compares of an agent; "" when there is none.
func summary(a session.Agent) string {
	if a.ID == "" {
		return ""
	}
	aliases := ""
	if len(a.Aliases) > 0 {
		aliases = fmt.Sprintf(" %v", a.Aliases)
	}
	return fmt.Sprintf("%s %s%s with key %s", a.State, a.Hostname, aliases, ca.Fingerprint(a.KeyHash))
}

// refusals counts those that repeat one another, so that nobody fills the audit
// by guessing. The zero value is empty and ready to use.
type refusals struct {
	mu     sync.Mutex
	all    map[refusalKey]*refusal
	looked time.Time
}

type refusalKey struct {
	action                 session.AuditAction
	outcome                session.AuditOutcome
	role                   session.AuditRole
	actor, target, address string
}

// A refusal is what repeated another one.
type refusal struct {
	since time.Time // a record of it was last written
	last  session.AuditRecord
	count int // since then
}

// add takes in a refusal and returns what is to be written now: the first of its
// kind at once, and the counts that are due.
func (f *refusals) add(r session.AuditRecord) []session.AuditRecord {
	r = r.Bounded()
	key := refusalKey{r.Action, r.Outcome, r.Role, r.Actor, r.Target, r.Address}
	f.mu.Lock()
	defer f.mu.Unlock()
	due := f.due(r.Time)
	if known, ok := f.all[key]; ok {
		known.count++
		known.last = r
		return due
	}
	if len(f.all) >= maxRefusals {
		key = refusalKey{action: r.Action, outcome: r.Outcome}
		r = session.AuditRecord{Time: r.Time, Action: r.Action, Outcome: r.Outcome, Reason: "too many different ones to name each"}
		if known, ok := f.all[key]; ok {
			known.count++
			known.last = r
			return due
		}
	}
	if f.all == nil {
		f.all = make(map[refusalKey]*refusal)
	}
	f.all[key] = &refusal{since: r.Time, last: r}
	return append(due, r)
}

// take returns the counts that are due; at the zero time all of them are.
func (f *refusals) take(now time.Time) []session.AuditRecord {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.due(now)
}

// due forgets what was not repeated for a minute and returns the rest.
func (f *refusals) due(now time.Time) []session.AuditRecord {
	if !now.IsZero() && now.Sub(f.looked).Abs() < time.Second {
		return nil // so that many refusals at once do not all look through the map
	}
	f.looked = now
	var due []session.AuditRecord
	for key, known := range f.all {
		switch {
		case !now.IsZero() && now.Sub(known.since).Abs() < refusalsEvery:
		case known.count == 0:
			delete(f.all, key)
		default:
			r := known.last
			r.Count = known.count
			due = append(due, r)
			known.since, known.count = now, 0
		}
	}
	return due
}
