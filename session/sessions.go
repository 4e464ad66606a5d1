package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/dcvix/dcvix"
)

// Access returns what a user may do whose login brought these groups, by the policy
// of this moment.
func (b *Broker) Access(user dcvix.Username, groups []string) Access {
	return b.cfg.Policy.Rules().Access(user, groups)
}

// same says whether two names are of one user, by the rule of the policy.
func (b *Broker) same(x, y dcvix.Username) bool { return b.cfg.Policy.Rules().SameUser(x, y) }

// An Actor is who asks for something.
type Actor struct {
	User   dcvix.Username
	Groups []string // of the login
	Admin  bool     // acts for others too, and may name any host
}

// allowed returns the agent that a host name means, if who may use it. A user
// cannot tell a host that is forbidden from one that does not exist.
func (b *Broker) allowed(who Actor, server string) (Agent, error) {
	a, err := b.register.resolve(server)
	access := b.Access(who.User, who.Groups)
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
	b.fleet.expire(b.cfg.Now())
	own := make([]dcvix.Session, 0)
	for _, h := range b.fleet.hostsOf(owner, b.same) {
		for _, s := range h.Sessions {
			if b.same(s.Owner, owner) {
				own = append(own, s)
			}
		}
	}
	return own
}

// Hosts returns the hosts that report, ordered by name.
func (b *Broker) Hosts() []Host {
	b.fleet.expire(b.cfg.Now())
	return b.fleet.Hosts()
}

// HostsRevision returns a number that is another one whenever Hosts returns
// something else, and costs nothing of what that does. Taken before Hosts, it is of
// what Hosts then returns or of something older, never of something newer. It counts
// from the start of this Broker.
func (b *Broker) HostsRevision() uint64 {
	b.fleet.expire(b.cfg.Now())
	return b.fleet.Revision()
}

// Host returns the host of an agent, and whether it reports; else it has only its
// name and what was decided about it.
func (b *Broker) Host(id dcvix.AgentID) (Host, bool) {
	b.fleet.expire(b.cfg.Now())
	if h, reports := b.fleet.Host(id); reports {
		return h, true
	}
	a, _ := b.register.get(id)
	return Host{Agent: id, Name: a.Hostname, Tags: []string{}, Sessions: []dcvix.Session{}, LastSeen: a.LastSeenAt, Flags: b.flags(id)}, false
}

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
	if !speaksFor(a, update.Stats.Hostname) {
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
func speaksFor(a Agent, said string) bool {
	if said == string(a.Hostname) {
		return true
	}
	name, err := dcvix.ParseHostname(said)
	return err == nil && slices.ContainsFunc(a.names(), func(own dcvix.Hostname) bool {
		return own == name || own.FirstLabel() == string(name) || string(own) == name.FirstLabel()
	})
}

// Close ends a session. Server may be empty when the id is on one host alone. Who
// asks for it again meanwhile gets the same answer. The errors wrap [ErrNotFound]
// (also for a session of somebody else), [ErrAmbiguous], [ErrAgentFailed] and
// [ErrAgentTimeout].
func (b *Broker) Close(ctx context.Context, who Actor, id dcvix.SessionID, server string) error {
	if err := id.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.cfg.ActDeadline)
	defer cancel()
	if server != "" {
		if a, err := b.register.resolve(server); err == nil {
			b.logged(ctx, "host did not answer", b.ask(ctx, a))
		}
	}
	for {
		host, s, err := b.find(who, id, server)
		if err != nil {
			return err
		}
		a, err := b.registered(host)
		if err != nil {
			return err
		}
		act, mine, err := b.fleet.closing(a.ID, s, b.cfg.Now())
		switch {
		case err != nil:
			return err
		case mine:
			return b.endOf(ctx, who, a, s, act)
		}
		select {
		case <-act.over:
		case <-caller.Done():
			return fmt.Errorf("wait for another act on session %s: %w: %w", id, ErrAgentTimeout, caller.Err())
		case <-ctx.Done():
			return fmt.Errorf("wait for another act on session %s: %w: %w", id, ErrAgentTimeout, ctx.Err())
		}
		if act.closes {
			return act.err
		}
	}
}

// endOf asks the agent to end a session, as an act that has begun, for somebody.
func (b *Broker) endOf(ctx context.Context, who Actor, a Agent, s dcvix.Session, act *act) error {
	if err := b.carryOut(ctx, a, s, act); err != nil {
		return err
	}
	b.cfg.Logger.InfoContext(ctx, "session closed", slog.String("session", string(s.ID)), slog.String("owner", string(s.Owner)),
		slog.String("hostname", string(a.Hostname)), slog.String("by", string(who.User)))
	return nil
}

// end ends a session that nobody asked to be closed. When somebody does just then,
// it waits for that.
func (b *Broker) end(ctx context.Context, a Agent, s dcvix.Session) error {
	act, mine, err := b.fleet.closing(a.ID, s, b.cfg.Now())
	switch {
	case err != nil:
		return nil //nolint:nilerr // it is not there: that is what was wanted
	case mine:
		return b.carryOut(ctx, a, s, act)
	}
	select {
	case <-act.over:
		return act.err
	case <-ctx.Done():
		return fmt.Errorf("wait for another act on session %s: %w: %w", s.ID, ErrAgentTimeout, ctx.Err())
	}
}

// carryOut asks the agent to end a session and settles the act.
func (b *Broker) carryOut(ctx context.Context, a Agent, s dcvix.Session, act *act) (err error) {
	defer func() {
		if err != nil {
			b.fleet.notClosed(a.ID, act)
		} else {
			b.fleet.closed(a.ID, act, b.cfg.Now())
		}
		act.err = err
		close(act.over)
	}()
	ctx, end, err := b.call(ctx, a.ID)
	if err != nil {
		return noHost(a)
	}
	defer end()
	if err := b.cfg.Agents.CloseSession(ctx, a, s.Owner, s.ID); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("close session %s on %s: %w", s.ID, a.Hostname, err)
	}
	return nil
}

// registered returns the agent of a host if it may still be called.
func (b *Broker) registered(h Host) (Agent, error) {
	a, err := b.trusted(h.Agent)
	if err != nil {
		return Agent{}, noHost(Agent{Hostname: h.Name})
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
			if s.ID == id && (who.Admin || b.same(s.Owner, who.User)) {
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
	case err != nil || !enterable(s):
		return Endpoint{}, fmt.Errorf("connect to session %.80q: %w", strings.ToValidUTF8(string(id), ""), ErrForbidden)
	}
	return Endpoint{Session: s.ID, Server: host.Name, Host: host.Name, Port: host.DCVPort, WebPath: "/"}, nil
}

// Verify says whether a user may enter a session on a host: it exists, is the
// user's, is not just being created, and no close was asked for. After a start of the director it asks a
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
		return s.ID == id && b.same(s.Owner, user) && enterable(s)
	})
}
