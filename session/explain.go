package session

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"

	"github.com/dcvix/dcvix"
)

// An Explanation says what [Broker.Open] would do now, and why.
type Explanation struct {
	Strategy string         // of the pool; "" for a single host, or when the Placer is one of your own
	Chosen   dcvix.Hostname // where the session would be; "" when nowhere
	Hosts    []HostReason   // in the order of the policy
}

// A HostReason says why a host was chosen or not.
type HostReason struct {
	Name     string         // as the policy writes it
	Host     dcvix.Hostname // recorded; "" when no agent is meant
	Code     ReasonCode
	Reason   string // one sentence for an admin: it names other users
	Chosen   bool
	Load     float64 // as [Candidate.Load]; 0 unless a session can be had there
	Sessions int     // that are there or being created; 0 unless a session can be had there
}

// Explain says for every host of a pool, or for one host, why the owner would get a
// session there or not. It changes nothing. With the strategy "random" the next
// choice may be another. It is for admins, since it names other users: the errors
// wrap [ErrForbidden], also when the owner may not open the pool, and [ErrInvalid].
func (b *Broker) Explain(ctx context.Context, who Actor, req OpenRequest) (Explanation, error) {
	if !who.Admin {
		return Explanation{}, fmt.Errorf("explain a choice: %w", ErrForbidden)
	}
	if err := req.validate(); err != nil {
		return Explanation{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	o := &opening{b: b, who: Actor{User: req.Owner, Groups: req.OwnerGroups}, req: req, caller: ctx}
	w := o.want()
	if req.Pool == "" {
		return o.explainHost(w), nil
	}
	pool, err := b.pool(o.who, req)
	if err != nil {
		return Explanation{}, err
	}
	w.healthy, w.require = true, pool.Require
	in := b.members(pool)
	b.warm(ctx, in)
	b.placing.Lock()
	defer b.placing.Unlock()
	s := new(survey)
	b.survey(s, in, w, nil, true)
	e := Explanation{Hosts: b.reasons(in, s, b.choose(pool, w, s))}
	for _, h := range e.Hosts {
		if h.Chosen {
			e.Chosen = h.Host
		}
	}
	if pool.Strategy != "" || b.cfg.Placer == nil {
		e.Strategy = b.strategy(pool)
	}
	return e, nil
}

// explainHost explains a session on one host, which needs no choice.
func (o *opening) explainHost(w *want) Explanation {
	in := &hosts{members: []member{{name: o.req.Server}}}
	a, err := o.b.allowed(o.who, o.req.Server)
	if err == nil {
		in.members[0].agent = a.ID
	}
	s := new(survey)
	o.b.survey(s, in, w, nil, true)
	if _, known := o.b.register.resolve(o.req.Server); err != nil && known == nil {
		s.verdicts[0].code = ReasonNotAllowed
	}
	e := Explanation{}
	if s.verdicts[0].code.possible() {
		e.Chosen = a.Hostname
	}
	e.Hosts = o.b.reasons(in, s, in.members[0].agent)
	e.Hosts[0].Chosen = e.Chosen != ""
	return e
}

// reasons returns a survey in words.
func (b *Broker) reasons(in *hosts, s *survey, chosen dcvix.AgentID) []HostReason {
	reasons := make([]HostReason, len(in.members))
	for i, m := range in.members {
		a, _ := b.register.get(m.agent)
		v := s.verdicts[i]
		reasons[i] = HostReason{
			Name: m.name, Host: a.Hostname, Code: v.code, Reason: v.String(), Chosen: chosen != "" && m.agent == chosen,
			Load: v.load, Sessions: v.sessions,
		}
	}
	return reasons
}

// logPlace says of every host of a pool why it was chosen or not, if the survey has
// it in words.
func (o *opening) logPlace(in *hosts, s *survey, chosen dcvix.AgentID) {
	if len(s.verdicts) == 0 {
		return
	}
	for _, h := range o.b.reasons(in, s, chosen) {
		o.b.cfg.Logger.DebugContext(o.caller, "host considered", slog.String("pool", o.req.Pool), slog.String("owner", string(o.req.Owner)),
			slog.String("type", string(o.req.Type)), slog.String("host", h.Name), slog.Bool("chosen", h.Chosen),
			slog.String("code", string(h.Code)), slog.String("reason", h.Reason))
	}
}

// draw is the chance in a [Placement].
func draw() float64 { return rand.Float64() } //nolint:gosec // a choice among equals is no secret
