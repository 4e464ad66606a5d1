package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/google/uuid"

	"github.com/dcvix/dcvix"
)

// An OpenRequest asks for a session: on one host, or anywhere in a pool.
type OpenRequest struct {
	Owner  dcvix.Username
	Server string // host name as the policy or the user writes it
	Pool   string // id of a pool, in the place of Server
	Type   dcvix.SessionType
	ID     dcvix.SessionID // "" makes one; only admins choose

	OwnerGroups []string // of the owner's login, when an admin asks for somebody else and knows them
}

func (r *OpenRequest) validate() error {
	if r.ID != "" {
		if err := r.ID.Validate(); err != nil {
			return err
		}
	}
	if r.Type != dcvix.SessionConsole && r.Type != dcvix.SessionVirtual {
		return fmt.Errorf("%.80q: %w", string(r.Type), dcvix.ErrBadSessionType)
	}
	if r.Server != "" && r.Pool != "" {
		return errors.New("a host and a pool: it is one of them")
	}
	return r.Owner.Validate()
}

// An OpenedSession is what came of an [OpenRequest].
type OpenedSession struct {
	ID     dcvix.SessionID
	Server dcvix.Hostname
	Type   dcvix.SessionType
	Reused bool // its owner already had it there
}

// Open returns the session of the owner on a host, or on any host of a pool, of
// the type asked for; it creates one when there is none. Who asks for the same
// again meanwhile gets the same session. The errors wrap [ErrInvalid],
// [ErrForbidden], [ErrNotFound], [ErrConflict], [ErrNoCapacity] (as a
// [NoCapacityError]), [ErrAgentFailed] and [ErrAgentTimeout].
//
// In a pool, the owner's session wins wherever it is. Else the pool's [Placer]
// chooses among the hosts that can take it, and when the agent of that one fails,
// among the others.
//
// A creation that has begun goes on when ctx ends, so that a client that leaves
// does not leave half a session.
func (b *Broker) Open(ctx context.Context, who Actor, req OpenRequest) (OpenedSession, error) {
	if err := req.validate(); err != nil {
		return OpenedSession{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	o := &opening{b: b, who: who, req: req, caller: ctx}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.cfg.ActDeadline)
	defer cancel()
	if req.Pool != "" {
		return o.inPool(ctx)
	}
	return o.onHost(ctx)
}

// An opening is one call of [Broker.Open].
type opening struct {
	b      *Broker
	who    Actor
	req    OpenRequest
	caller context.Context //nolint:containedctx // the wait for others ends with it, unlike what we began
	failed map[dcvix.AgentID]bool
	late   []leftover // what hosts that were given up may still create
}

// want returns what is asked of the hosts, with an id of its own.
func (o *opening) want() *want {
	w := &want{
		owner: o.req.Owner, kind: o.req.Type, id: o.req.ID, same: o.b.same,
		replace: !o.b.cfg.KeepAutomaticConsole, known: func(u dcvix.Username) bool { return o.b.Access(u, nil).Known },
	}
	if w.id == "" {
		w.id = dcvix.SessionID(madeHere + uuid.NewString())
	}
	return w
}

func (o *opening) onHost(ctx context.Context) (OpenedSession, error) {
	for {
		a, err := o.b.allowed(o.who, o.req.Server) // again after a wait: the policy may have changed
		if err != nil {
			return OpenedSession{}, err
		}
		if err := o.b.ask(ctx, a); err != nil {
			return OpenedSession{}, err
		}
		p, there := o.b.fleet.reserve(a.ID, o.want(), o.b.cfg.Now())
		switch {
		case !there:
			return OpenedSession{}, noHost(a)
		case p.taken != nil:
			return o.create(ctx, a, p.taken)
		case p.wait != nil:
			if err := o.wait(ctx, p.wait); err != nil {
				return OpenedSession{}, err
			}
		case p.code == ReasonOwn:
			return o.reuse(a, p), nil
		default:
			err := verdict{code: p.code, flags: o.b.flags(a.ID)}.err()
			return OpenedSession{}, fmt.Errorf("session on %s: %w", a.Hostname, err)
		}
	}
}

func (o *opening) reuse(a Agent, p offer) OpenedSession {
	return OpenedSession{ID: p.session.ID, Server: a.Hostname, Type: p.session.Type, Reused: true}
}

// wait waits until what somebody else asked of an agent is over, and returns what
// came of it.
func (o *opening) wait(ctx context.Context, a *act) error {
	select {
	case <-a.over:
		return a.err
	case <-o.caller.Done():
		return fmt.Errorf("wait for a session that is being created: %w: %w", ErrAgentTimeout, o.caller.Err())
	case <-ctx.Done():
		return fmt.Errorf("wait for a session that is being created: %w: %w", ErrAgentTimeout, ctx.Err())
	}
}

// create asks the agent for the session whose place is taken.
func (o *opening) create(ctx context.Context, a Agent, r *reservation) (opened OpenedSession, err error) {
	b := o.b
	defer func() {
		if err != nil {
			b.fleet.notCreated(r)
		}
		r.act.err = err
		close(r.act.over)
	}()
	ctx, end, err := b.call(ctx, a.ID)
	if err != nil {
		return OpenedSession{}, noHost(a)
	}
	defer end()
	if r.replaces != nil {
		if err := b.makeRoom(ctx, a, *r.replaces); err != nil {
			return OpenedSession{}, fmt.Errorf("make room on %s: %w", a.Hostname, err)
		}
	}
	b.fleet.calling(r)
	id, err := b.cfg.Agents.CreateSession(ctx, a, dcvix.AgentCreateSession{UserID: o.req.Owner, SessionType: o.req.Type, SessionID: r.id})
	if err != nil {
		return OpenedSession{}, fmt.Errorf("create a session on %s: %w", a.Hostname, err)
	}
	now := b.cfg.Now()
	s := dcvix.Session{ID: id, Owner: o.req.Owner, Type: o.req.Type, Status: "created", CreationTime: dcvix.Time{Time: now}}
	if !b.fleet.answered(r, s, now) {
		return OpenedSession{}, fmt.Errorf("session %s on %s: %w", id, a.Hostname, ErrClosing)
	}
	b.cfg.Logger.InfoContext(ctx, "session opened", slog.String("session", string(id)),
		slog.String("owner", string(o.req.Owner)), slog.String("hostname", string(a.Hostname)))
	return OpenedSession{ID: id, Server: a.Hostname, Type: o.req.Type, Reused: id != r.id}, nil
}

// makeRoom ends the automatic console of a host, if by a fresh look nobody is
// connected to it.
func (b *Broker) makeRoom(ctx context.Context, a Agent, console dcvix.Session) error {
	asked := b.cfg.Now()
	update, err := b.cfg.Agents.Report(ctx, a)
	if err != nil {
		return fmt.Errorf("look at its console: %w", err)
	}
	i := slices.IndexFunc(update.Sessions, func(s dcvix.Session) bool { return s.ID == console.ID })
	free := i >= 0 && update.Sessions[i].Owner == console.Owner && update.Sessions[i].NumOfConnections == 0
	if err := b.takeIn(a, update, asked); err != nil {
		return noHost(a)
	}
	switch {
	case i < 0:
		return nil
	case !free:
		return ErrConsoleTaken
	}
	b.cfg.Logger.InfoContext(ctx, "automatic console makes room", slog.String("hostname", string(a.Hostname)), slog.String("owner", string(console.Owner)))
	return b.end(ctx, a, console)
}
