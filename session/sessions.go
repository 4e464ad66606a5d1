package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/dcvix/dcvix"
)

// Access returns what a user may do by the policy of this moment.
func (b *Broker) Access(user dcvix.Username) Access { return b.cfg.Policy.Rules().Access(user) }

// An Actor is who asks for something.
type Actor struct {
	User  dcvix.Username
	Admin bool // acts for others too, and may name any host
}

// An OpenRequest asks for a session.
type OpenRequest struct {
	Owner  dcvix.Username
	Server string // host name as the policy or the user writes it
	Type   dcvix.SessionType
	ID     dcvix.SessionID // "" makes one; only admins choose
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
	return r.Owner.Validate()
}

// An OpenedSession is what came of an [OpenRequest].
type OpenedSession struct {
	ID     dcvix.SessionID
	Server dcvix.Hostname
	Type   dcvix.SessionType
	Reused bool // its owner already had it there
}

// Open returns the session of the owner on a host, of the type asked for; it
// creates one when there is none. The errors wrap [ErrInvalid], [ErrForbidden],
// [ErrNotFound], [ErrConflict], [ErrAgentFailed] and [ErrAgentTimeout].
//
// A creation that has begun goes on when ctx ends, so that a client that leaves
// does not leave half a session.
func (b *Broker) Open(ctx context.Context, who Actor, req OpenRequest) (OpenedSession, error) {
	if err := req.validate(); err != nil {
		return OpenedSession{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	a, err := b.allowed(who, req.Server)
	if err != nil {
		return OpenedSession{}, err
	}
	unlock, err := b.busy.lock(ctx, a.ID)
	if err != nil {
		return OpenedSession{}, err
	}
	defer unlock()
	// A wait may have been long: the agent revoked, the policy changed.
	if a, err = b.allowed(who, req.Server); err != nil {
		return OpenedSession{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.cfg.ActDeadline)
	defer cancel()
	if err := b.ask(ctx, a); err != nil {
		return OpenedSession{}, err
	}
	host, _ := b.fleet.Host(a.ID)
	if s, ok := existing(host, req); ok {
		return OpenedSession{ID: s.ID, Server: a.Hostname, Type: s.Type, Reused: true}, nil
	}
	if err := free(host, req); err != nil {
		return OpenedSession{}, fmt.Errorf("session on %s: %w", a.Hostname, err)
	}
	return b.create(ctx, a, req)
}

func (b *Broker) create(ctx context.Context, a Agent, req OpenRequest) (OpenedSession, error) {
	wanted := req.ID
	if wanted == "" {
		wanted = dcvix.SessionID(madeHere + uuid.NewString())
	}
	ctx, end, err := b.call(ctx, a.ID)
	if err != nil {
		return OpenedSession{}, gone(a)
	}
	defer end()
	id, err := b.cfg.Agents.CreateSession(ctx, a, dcvix.AgentCreateSession{UserID: req.Owner, SessionType: req.Type, SessionID: wanted})
	if err != nil {
		return OpenedSession{}, fmt.Errorf("create a session on %s: %w", a.Hostname, err)
	}
	now := b.cfg.Now()
	b.fleet.Opened(a.ID, dcvix.Session{
		ID: id, Owner: req.Owner, Type: req.Type, Status: "created", CreationTime: dcvix.Time{Time: now},
	}, now)
	b.cfg.Logger.InfoContext(ctx, "session opened", slog.String("session", string(id)),
		slog.String("owner", string(req.Owner)), slog.String("hostname", string(a.Hostname)))
	return OpenedSession{ID: id, Server: a.Hostname, Type: req.Type, Reused: id != wanted}, nil
}

// allowed returns the agent that a host name means, if who may use it. A user
// cannot tell a host that is forbidden from one that does not exist.
func (b *Broker) allowed(who Actor, server string) (Agent, error) {
	a, err := b.register.resolve(server)
	access := b.Access(who.User)
	switch {
	case who.Admin || access.Custom:
		return a, err
	case err != nil || !slices.ContainsFunc(access.Hosts, func(name string) bool {
		named, err := b.register.resolve(name)
		return err == nil && named.ID == a.ID
	}):
		return Agent{}, fmt.Errorf("host %.80q: %w", server, ErrForbidden)
	}
	return a, nil
}

func existing(h Host, req OpenRequest) (dcvix.Session, bool) {
	for _, s := range h.Sessions {
		if s.Owner == req.Owner && s.Type == req.Type && s.Status != dcvix.StatusClosing && s.ID.Validate() == nil && (req.ID == "" || req.ID == s.ID) {
			return s, true
		}
	}
	return dcvix.Session{}, false
}

// free says why the host cannot take the session: it has one console, and never
// console and virtual sessions together.
func free(h Host, req OpenRequest) error {
	for _, s := range h.Sessions {
		switch {
		case s.Status == dcvix.StatusClosing:
		case s.ID == req.ID:
			return ErrIDTaken
		case s.Type != req.Type:
			return ErrOtherType
		case req.Type == dcvix.SessionConsole:
			return ErrConsoleTaken
		}
	}
	return nil
}

// Sessions returns the sessions that hosts report, by host and id.
func (b *Broker) Sessions() []dcvix.Session {
	all := make([]dcvix.Session, 0)
	for _, h := range b.Hosts() {
		all = append(all, h.Sessions...)
	}
	return all
}

// SessionsOf returns the sessions of one owner, by host and id.
func (b *Broker) SessionsOf(owner dcvix.Username) []dcvix.Session {
	return slices.DeleteFunc(b.Sessions(), func(s dcvix.Session) bool { return s.Owner != owner })
}

// Hosts returns the hosts that report, ordered by name.
func (b *Broker) Hosts() []Host { return b.fleet.Hosts() }

// Report takes in what a registered agent says about its host. The name it says
// must be one of its own, else the error wraps [ErrForbidden]; when the agent was
// revoked since it was authorized, it wraps [ErrRevoked]. A port that the agent
// says and that is not on record is recorded: agents that come back with a good
// certificate do not register again.
func (b *Broker) Report(ctx context.Context, a Agent, address string, update dcvix.AgentUpdate) error {
	now := b.cfg.Now()
	a, err := b.trusted(a.ID)
	if err != nil {
		return err
	}
	name, err := dcvix.ParseHostname(update.Stats.Hostname)
	if err != nil || !speaksFor(a, name) {
		return fmt.Errorf("report of %.80q by the agent of %s: %w", update.Stats.Hostname, a.Hostname, ErrForbidden)
	}
	if port := update.AgentPort; port != a.Port && port >= minAgentPort && port <= maxAgentPort {
		a.Port = port
		err := b.register.update(ctx, func(agents []*Agent, _ *draft) error {
			agents[0].Port = port
			return nil
		}, a.ID)
		if err != nil {
			return fmt.Errorf("record the port of the agent of %s: %w", a.Hostname, err)
		}
	}
	a.Address = address
	b.register.see(Seen{ID: a.ID, At: b.now(), Address: address})
	return b.takeIn(a, update, now)
}

// The ports an agent may listen on (a privileged one would let a report make the
// director dial other services of the host).
const (
	minAgentPort = 1024
	maxAgentPort = 65535
)

// speaksFor says whether a name is the agent's: one it goes by, or the short
// form of one, which agents of the 0.1 generation say.
func speaksFor(a Agent, name dcvix.Hostname) bool {
	return slices.ContainsFunc(a.names(), func(own dcvix.Hostname) bool {
		return own == name || own.FirstLabel() == string(name) || string(own) == name.FirstLabel()
	})
}

// Close ends a session. Server may be empty when the id is on one host alone.
// The errors wrap [ErrNotFound] (also for a session of somebody else),
// [ErrAmbiguous], [ErrAgentFailed] and [ErrAgentTimeout].
func (b *Broker) Close(ctx context.Context, who Actor, id dcvix.SessionID, server string) error {
	if err := id.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	host, s, err := b.find(who, id, server)
	if err != nil {
		return err
	}
	a, err := b.registered(host)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.cfg.ActDeadline)
	defer cancel()
	ctx, end, err := b.call(ctx, a.ID)
	if err != nil {
		return gone(a)
	}
	defer end()
	b.fleet.Closing(a.ID, id, b.cfg.Now())
	if err := b.cfg.Agents.CloseSession(ctx, a, s.Owner, id); err != nil && !errors.Is(err, ErrNotFound) {
		b.fleet.NotClosed(a.ID, s)
		return fmt.Errorf("close session %s on %s: %w", id, a.Hostname, err)
	}
	b.fleet.Closed(a.ID, id, b.cfg.Now())
	b.cfg.Logger.InfoContext(ctx, "session closed", slog.String("session", string(id)), slog.String("owner", string(s.Owner)),
		slog.String("hostname", string(a.Hostname)), slog.String("by", string(who.User)))
	return nil
}

// registered returns the agent of a host if it may still be called.
func (b *Broker) registered(h Host) (Agent, error) {
	a, err := b.trusted(h.Agent)
	if err != nil {
		return Agent{}, gone(Agent{Hostname: h.Name})
	}
	return a, nil
}

// find returns the one session of that id that who may touch.
func (b *Broker) find(who Actor, id dcvix.SessionID, server string) (Host, dcvix.Session, error) {
	var only *dcvix.AgentID
	if server != "" {
		a, err := b.register.resolve(server)
		if err != nil {
			return Host{}, dcvix.Session{}, fmt.Errorf("session %s: %w", id, ErrNotFound)
		}
		only = &a.ID
	}
	var host Host
	var found dcvix.Session
	n := 0
	for _, h := range b.Hosts() {
		if only != nil && h.Agent != *only {
			continue
		}
		for _, s := range h.Sessions {
			if s.ID == id && (who.Admin || s.Owner == who.User) {
				host, found = h, s
				n++
			}
		}
	}
	switch {
	case n == 0:
		return Host{}, dcvix.Session{}, fmt.Errorf("session %s: %w", id, ErrNotFound)
	case n > 1:
		return Host{}, dcvix.Session{}, fmt.Errorf("session %s: %w", id, ErrAmbiguous)
	}
	return host, found, nil
}

// An Endpoint is where a viewer finds a session.
type Endpoint struct {
	Session dcvix.SessionID
	Server  dcvix.Hostname
	Host    dcvix.Hostname
	Port    int
	WebPath string
}

// Connect returns where a user's own session is. When it is not the user's, or is
// not there, the error wraps [ErrForbidden]: a user cannot tell which.
func (b *Broker) Connect(ctx context.Context, user dcvix.Username, id dcvix.SessionID, server string) (Endpoint, error) {
	if server != "" {
		if a, err := b.register.resolve(server); err == nil {
			b.logged(ctx, "host did not answer", b.ask(ctx, a))
		}
	}
	host, s, err := b.find(Actor{User: user}, id, server)
	switch {
	case errors.Is(err, ErrAmbiguous):
		return Endpoint{}, err
	case err != nil || s.Status == dcvix.StatusClosing:
		return Endpoint{}, fmt.Errorf("connect to session %.80q: %w", strings.ToValidUTF8(string(id), ""), ErrForbidden)
	}
	return Endpoint{Session: s.ID, Server: host.Name, Host: host.Name, Port: host.DCVPort, WebPath: "/"}, nil
}

// Verify says whether a user may enter a session on a host: it exists, is the
// user's, and no close was asked for. After a start of the director it asks a
// host that has not reported yet.
func (b *Broker) Verify(ctx context.Context, user dcvix.Username, id dcvix.SessionID, server dcvix.Hostname) bool {
	a, err := b.register.resolve(string(server))
	if err != nil {
		return false
	}
	if err := b.ask(ctx, a); err != nil {
		b.logged(ctx, "host did not answer", err)
		return false
	}
	host, _ := b.fleet.Host(a.ID)
	return slices.ContainsFunc(host.Sessions, func(s dcvix.Session) bool {
		return s.ID == id && s.Owner == user && s.Status != dcvix.StatusClosing
	})
}
