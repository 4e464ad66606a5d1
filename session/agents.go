package session

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/dcvix/dcvix"
)

// A Registration is what an agent says when it asks for a certificate, after its
// proof that it holds the key.
type Registration struct {
	ID       dcvix.AgentID
	KeyHash  KeyHash
	Hostname dcvix.Hostname
	Port     int    // where it listens; 0 means the director's agent_port
	Address  string // IP address it asks from
	Token    string // the registration token it shows
}

// Register takes in an agent's request. It returns the agent's entry when it is
// registered, and nobody else may be given a certificate: an unknown agent is
// noted as pending. The errors are [ErrPending], [ErrRevoked], [ErrKeyMismatch],
// [ErrBadToken], [ErrTooMany] and those of the Store.
func (b *Broker) Register(ctx context.Context, r Registration) (Agent, error) {
	a, known := b.register.get(r.ID)
	if !known {
		return Agent{}, b.admitPending(ctx, r)
	}
	if a.hasNoKey() {
		return Agent{}, ErrRevoked
	}
	if a.KeyHash != r.KeyHash {
		return Agent{}, b.noteConflict(ctx, a, r)
	}
	switch a.State {
	case dcvix.AgentRegistered:
		return b.noteWish(ctx, a, r)
	case dcvix.AgentRevoked:
		return Agent{}, ErrRevoked
	default:
		b.register.see(Seen{ID: a.ID, At: b.now(), Address: r.Address})
		if _, err := b.noteWish(ctx, a, r); err != nil {
			return Agent{}, err
		}
		return Agent{}, ErrPending
	}
}

func (b *Broker) admitPending(ctx context.Context, r Registration) error {
	if b.denied.remembers(r, b.cfg.Now()) {
		return ErrPending
	}
	switch want := b.cfg.RegistrationToken; {
	case want == "": // anybody may ask, so that nobody may ask too often
		admitted, first := b.newcomers.admit(r.Address, b.cfg.PendingPerAddress, b.cfg.Now())
		if first {
			b.cfg.Logger.WarnContext(ctx, "too many new agents from one address, refused for up to an hour",
				slog.String("address", r.Address), slog.Int("pending_per_address", b.cfg.PendingPerAddress))
		}
		if !admitted {
			return ErrTooMany
		}
	case subtle.ConstantTimeCompare([]byte(r.Token), []byte(want)) != 1:
		return ErrBadToken
	}
	err := b.notePending(ctx, r)
	if err != nil && b.cfg.RegistrationToken == "" {
		b.newcomers.giveBack(r.Address)
	}
	switch {
	case errors.Is(err, ErrConflict): // it asked twice at once
		return ErrPending
	case errors.Is(err, ErrTooMany):
		return ErrTooMany
	case err != nil:
		return fmt.Errorf("note a pending agent: %w", err)
	}
	b.cfg.Logger.InfoContext(ctx, "agent asks to be registered", slog.String("guid", string(r.ID)),
		slog.String("hostname", string(r.Hostname)), slog.String("address", r.Address))
	return ErrPending
}

func (b *Broker) notePending(ctx context.Context, r Registration) error {
	return b.register.put(ctx, Agent{
		ID: r.ID, State: dcvix.AgentPending, KeyHash: r.KeyHash, Hostname: r.Hostname,
		Port: r.Port, Address: r.Address, CreatedAt: b.now(),
	}, b.cfg.PendingMax)
}

// noteConflict marks an entry whose GUID was used with another key. That key
// gets nothing, and the admin sees the mark.
func (b *Broker) noteConflict(ctx context.Context, a Agent, r Registration) error {
	b.cfg.Logger.WarnContext(ctx, "agent refused: another key is pinned to its guid", slog.String("guid", string(a.ID)),
		slog.String("hostname", string(r.Hostname)), slog.String("address", r.Address))
	if a.Conflict {
		return ErrKeyMismatch
	}
	err := b.register.update(ctx, func(agents []*Agent, _ *draft) error {
		agents[0].Conflict = true
		return nil
	}, a.ID)
	return errors.Join(ErrKeyMismatch, err)
}

// noteWish keeps the recorded name and notes another one for the admin.
func (b *Broker) noteWish(ctx context.Context, a Agent, r Registration) (Agent, error) {
	wish := r.Hostname
	if slices.Contains(a.names(), wish) {
		wish = ""
	}
	if a.Requested == wish && a.Port == r.Port {
		return a, nil
	}
	err := b.register.update(ctx, func(agents []*Agent, _ *draft) error {
		agents[0].Requested, agents[0].Port = wish, r.Port
		return nil
	}, a.ID)
	if err != nil {
		return Agent{}, fmt.Errorf("note the host name %s wishes: %w", a.Hostname, err)
	}
	a.Requested, a.Port = wish, r.Port
	return a, nil
}

// Authorize returns the entry of an agent that presented a certificate with this
// id and key: it must be registered and the key the pinned one. The errors are
// [ErrNotFound], [ErrRevoked] and [ErrKeyMismatch]. It costs no disk read.
func (b *Broker) Authorize(id dcvix.AgentID, key KeyHash) (Agent, error) {
	a, ok := b.register.get(id)
	switch {
	case !ok || a.State == dcvix.AgentPending:
		return Agent{}, ErrNotFound
	case a.KeyHash != key || a.hasNoKey():
		return Agent{}, ErrKeyMismatch
	case a.State != dcvix.AgentRegistered:
		return Agent{}, ErrRevoked
	}
	return a, nil
}

// Certified records the serial number of a certificate that is about to be
// handed out, if the agent is still registered with that key; else it returns
// [ErrRevoked], and the certificate must not be handed out.
func (b *Broker) Certified(ctx context.Context, id dcvix.AgentID, key KeyHash, serial string) error {
	err := b.register.update(ctx, func(agents []*Agent, _ *draft) error {
		if agents[0].State != dcvix.AgentRegistered || agents[0].KeyHash != key || agents[0].hasNoKey() {
			return ErrRevoked
		}
		agents[0].Serial = serial
		return nil
	}, id)
	if errors.Is(err, ErrNotFound) {
		return ErrRevoked
	}
	return err
}

// An AgentStatus is an entry of the register with what its host last said.
type AgentStatus struct {
	Agent
	Tags       []string // never nil
	Version    string
	OrphanedBy dcvix.AgentID // the pending agent that seems to be the same host with a new key; "" when none
}

// Agents returns the entries in the given state, or all for "", ordered by ID.
func (b *Broker) Agents(state dcvix.AgentState) []AgentStatus {
	all := b.register.all()
	orphans := orphans(all, b.cfg.Now())
	agents := make([]AgentStatus, 0, len(all))
	for _, a := range all {
		if state != "" && a.State != state {
			continue
		}
		s := AgentStatus{Agent: a, Tags: []string{}, OrphanedBy: orphans[a.ID]}
		if h, ok := b.fleet.Host(a.ID); ok {
			s.Tags, s.Version = h.Tags, h.Version
		}
		agents = append(agents, s)
	}
	return agents
}

// Approval is what an admin decides about an agent besides letting it in.
type Approval struct {
	Replace bool             // revoke the registered agents that hold its names
	Aliases []dcvix.Hostname // replace its aliases, when not nil
}

// Approve registers a pending agent under the name it asked for, or accepts the
// name that a registered agent wishes. Either way, and for a registered agent that
// wishes none, the mark is taken away that another key was seen under its ID: the
// key on record stays the only one. The errors wrap [ErrNotFound],
// [ErrWrongState], [ErrNameReserved] and, as a [NameTakenError], [ErrNameTaken].
func (b *Broker) Approve(ctx context.Context, id dcvix.AgentID, how Approval) error {
	a, ok := b.register.get(id)
	switch {
	case !ok:
		return fmt.Errorf("agent %s: %w", id, ErrNotFound)
	case a.State == dcvix.AgentRevoked: // said before anything about its name, which it does not hold
		return fmt.Errorf("approve agent %s: %w", id, ErrWrongState)
	}
	name := a.Hostname
	if a.State == dcvix.AgentRegistered && a.Requested != "" {
		name = a.Requested
	}
	aliases := a.Aliases
	if how.Aliases != nil {
		aliases = how.Aliases
	}
	names, err := b.certifiable(name, aliases)
	if err != nil {
		return fmt.Errorf("approve agent %s: %w", id, err)
	}
	older := b.register.holders(id, names)
	if len(older) > 0 && !how.Replace {
		holds, _ := b.register.get(older[0])
		return fmt.Errorf("agent %s as %s: %w", id, name, &NameTakenError{Asks: a, Holds: holds})
	}
	err = b.register.update(ctx, b.approval(names, a), append([]dcvix.AgentID{id}, older...)...)
	if err != nil {
		return fmt.Errorf("approve agent %s: %w", id, err)
	}
	for _, replaced := range older {
		b.drop(replaced)
		b.cfg.Logger.InfoContext(ctx, "agent replaced", slog.String("guid", string(replaced)), slog.String("by", string(id)))
	}
	b.cfg.Logger.InfoContext(ctx, "agent approved", slog.String("guid", string(id)), slog.String("hostname", string(name)))
	return nil
}

// certifiable returns the names, each once, if an agent may have them all.
func (b *Broker) certifiable(name dcvix.Hostname, aliases []dcvix.Hostname) ([]dcvix.Hostname, error) {
	var names []dcvix.Hostname
	reserved := b.cfg.Reserved()
	for _, n := range append([]dcvix.Hostname{name}, aliases...) {
		if err := n.Validate(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		if slices.Contains(reserved, n) {
			return nil, fmt.Errorf("%s: %w", n, ErrNameReserved)
		}
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names, nil
}

// approval changes the approved agent, which must be as the admin saw it, and
// after it those that it replaces.
func (b *Broker) approval(names []dcvix.Hostname, saw Agent) func([]*Agent, *draft) error {
	return func(agents []*Agent, in *draft) error {
		a, replaced := agents[0], agents[1:]
		switch {
		case a.State != saw.State || a.Hostname != saw.Hostname || a.Requested != saw.Requested:
			return ErrWrongState
		case a.State == dcvix.AgentRevoked, a.State == dcvix.AgentRegistered && slices.Equal(names, a.names()) && !a.Conflict:
			return ErrWrongState
		}
		for _, other := range in.holders(a.ID, names) {
			if !slices.ContainsFunc(replaced, func(r *Agent) bool { return r.ID == other }) {
				return &NameTakenError{Asks: saw, Holds: in.holder(other)}
			}
		}
		for _, r := range replaced {
			r.State, r.Reason = dcvix.AgentRevoked, "replaced"
		}
		if a.State == dcvix.AgentPending {
			a.RegisteredAt = b.now()
		}
		a.State, a.Hostname, a.Aliases, a.Requested, a.Conflict = dcvix.AgentRegistered, names[0], names[1:], "", false
		return nil
	}
}

// Revoke ends the trust in a registered agent at once: its next request is
// refused, it is no longer called, its connections are closed both ways, and its
// sessions are offered to nobody. The errors wrap [ErrNotFound] and [ErrWrongState].
func (b *Broker) Revoke(ctx context.Context, id dcvix.AgentID) error {
	err := b.transition(ctx, id, dcvix.AgentRegistered, dcvix.AgentRevoked)
	if err == nil {
		b.drop(id)
	}
	return err
}

// Reactivate trusts a revoked agent again, under its recorded name. The errors
// wrap [ErrNotFound], [ErrWrongState], [ErrNoKey], [ErrNameReserved] and [ErrNameTaken].
func (b *Broker) Reactivate(ctx context.Context, id dcvix.AgentID) error {
	return b.transition(ctx, id, dcvix.AgentRevoked, dcvix.AgentRegistered)
}

func (b *Broker) transition(ctx context.Context, id dcvix.AgentID, from, to dcvix.AgentState) error {
	err := b.register.update(ctx, func(agents []*Agent, in *draft) error {
		a := agents[0]
		if a.State != from {
			return ErrWrongState
		}
		if to == dcvix.AgentRegistered {
			if a.hasNoKey() {
				return ErrNoKey
			}
			if _, err := b.certifiable(a.Hostname, a.Aliases); err != nil {
				return err
			}
			if len(in.holders(id, a.names())) > 0 {
				return ErrNameTaken
			}
		}
		a.State, a.Reason, a.Conflict = to, "", false // an admin has looked at it
		return nil
	}, id)
	if err != nil {
		return fmt.Errorf("make agent %s %s: %w", id, to, err)
	}
	b.cfg.Logger.InfoContext(ctx, "agent changed", slog.String("guid", string(id)), slog.String("state", string(to)))
	return nil
}

// now is the time in the precision of a Store.
func (b *Broker) now() time.Time { return b.cfg.Now().Truncate(time.Millisecond) }
