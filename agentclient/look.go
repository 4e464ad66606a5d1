package agentclient

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/dcvcli"
)

const (
	lookLimit = 10 * time.Second // for each of what a report asks: dcv, the load, the cards
	// keepSessions is how long a report repeats the last list of sessions when dcv
	// gives none: a short trouble must not make them all vanish and come back.
	keepSessions = 5 * time.Minute
)

// A look is the newest list of sessions that dcv gave.
type look struct {
	listed []dcvcli.Session
	began  time.Time // zero before the first
}

// standing are the problems that stay until what caused them is over, one
// sentence each or "".
type standing struct {
	list   string // dcv gives no list
	record string // the disk takes no record
	idle   string // sessions cannot be judged
}

// sentences returns the problems that there are.
func (s standing) sentences() []string {
	return slices.DeleteFunc([]string{s.list, s.record, s.idle}, func(p string) bool { return p == "" })
}

// reported is what the director knows from us.
type reported struct {
	any      bool // there was a report
	sessions []dcvix.Session
	problems standing
}

// list is see, and makes a report due when what it saw is news to the director.
func (a *Agent) list(ctx context.Context) ([]dcvcli.Session, error) {
	listed, err := a.see(ctx)
	a.announce()
	return listed, err
}

// see asks dcv for the sessions. Every list that the agent gets comes from here
// and is remembered.
func (a *Agent) see(ctx context.Context) ([]dcvcli.Session, error) {
	began := time.Now()
	listed, err := a.cfg.DCV.List(ctx)
	if errors.Is(ctx.Err(), context.Canceled) { // nobody waits for it, and that is no fault of dcv
		return listed, err
	}
	var disk error
	if err == nil {
		disk = a.record.saw(listed, began)
	}
	unjudged := a.unjudged(listed)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case began.Before(a.look.began): // a newer one was faster
	case err != nil:
		a.problems.list = "the sessions of DCV cannot be listed: " + clean(err.Error())
		if partial(err) {
			a.problems.list = "not all sessions of DCV can be listed: " + clean(err.Error())
		}
	default:
		a.follow(listed)
		a.look = look{listed: listed, began: began}
		a.problems = standing{record: sentence(disk), idle: unjudged}
	}
	return listed, err
}

// partial says whether an error came with those sessions that can be read. They
// are there, and what they do not show proves nothing.
func partial(err error) bool {
	_, ok := errors.AsType[*dcvcli.PartialListError](err)
	return ok
}

// recent returns the last list when it began less than that long ago, and else a
// new one.
func (a *Agent) recent(ctx context.Context, age time.Duration) ([]dcvcli.Session, error) {
	a.mu.Lock()
	last := a.look
	a.mu.Unlock()
	if !last.began.IsZero() && time.Since(last.began) < age {
		return last.listed, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	return a.list(ctx)
}

// lastKnown returns the last list for as long as it may stand for a newer one.
func (a *Agent) lastKnown() []dcvcli.Session {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.look.began.IsZero() || time.Since(a.look.began) > keepSessions {
		return nil
	}
	return a.look.listed
}

// problem changes the standing problems. The function must not call back.
func (a *Agent) problem(change func(*standing)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.problems)
}

// announce makes a report due when there is something that the last one did not
// say.
func (a *Agent) announce() {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.reported
	if r.any && (a.problems != r.problems || a.problems.list == "" && !slices.Equal(onWire(a.look.listed), r.sessions)) {
		a.due()
	}
}

// due makes the next report due now.
func (a *Agent) due() {
	select {
	case a.kick <- struct{}{}:
	default: // it is due already
	}
}

// took notes that the director took a report. What was seen while it was on its
// way is announced.
func (a *Agent) took(sessions []dcvix.Session, problems standing) {
	a.mu.Lock()
	a.reported = reported{any: true, sessions: sessions, problems: problems}
	a.status.LastReport = a.cfg.Now()
	a.mu.Unlock()
	a.announce()
}

// standingNow returns the standing problems.
func (a *Agent) standingNow() standing {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.problems
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

// onWire returns the sessions in the words of the protocol, ordered by id; the
// list is never nil.
func onWire(sessions []dcvcli.Session) []dcvix.Session {
	list := make([]dcvix.Session, 0, len(sessions))
	for _, s := range sessions {
		list = append(list, dcvix.Session{
			ID:                    dcvix.SessionID(s.ID),
			Owner:                 dcvix.Username(s.Owner),
			User:                  s.User,
			NumOfConnections:      s.NumOfConnections,
			CreationTime:          writable(s.CreationTime),
			LastDisconnectionTime: writable(s.LastDisconnectionTime),
			LicensingMode:         s.LicensingMode,
			StorageRoot:           s.StorageRoot,
			Type:                  dcvix.SessionType(s.Type),
			Status:                s.Status,
			X11Display:            s.X11Display,
			X11Authority:          s.X11Authority,
		})
	}
	slices.SortStableFunc(list, func(a, b dcvix.Session) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// writable returns a time of DCV as the wire has it, in UTC so that equal ones
// are the same; what has no form there is never.
func writable(t time.Time) dcvix.Time {
	t = t.UTC()
	if year := t.Year(); year < 0 || year > 9999 {
		return dcvix.Time{}
	}
	return dcvix.Time{Time: t}
}

// licence returns what DCV says of its licence with its sessions, of each product
// what was checked last; nil when it says nothing.
func licence(sessions []dcvcli.Session) *dcvix.Licence {
	mode := ""
	products := make(map[string]dcvix.LicensedProduct)
	for _, s := range sessions {
		if mode == "" {
			mode = s.LicensingMode
		}
		for _, l := range s.Licenses {
			if known, ok := products[l.Product]; !ok || l.CheckTimestamp.After(known.CheckedAt.Time) {
				products[l.Product] = dcvix.LicensedProduct{
					Product: l.Product, Status: l.Status, CheckedAt: writable(l.CheckTimestamp), ExpiresAt: writable(l.ExpirationDate),
				}
			}
		}
	}
	if mode == "" && len(products) == 0 {
		return nil
	}
	list := slices.SortedFunc(maps.Values(products), func(a, b dcvix.LicensedProduct) int { return cmp.Compare(a.Product, b.Product) })
	return &dcvix.Licence{Mode: mode, Products: list}
}

func sentence(err error) string {
	if err == nil {
		return ""
	}
	return clean(err.Error())
}
