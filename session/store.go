package session

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/dcvix/dcvix"
)

// A KeyHash is the SHA-256 of a public key (SPKI). The zero KeyHash is of no key:
// nobody holds it, and an entry that has it lets nobody in.
type KeyHash [sha256.Size]byte

// An Agent is an entry of the register: a DCV host as the director knows it for
// good. What it reports is not here but in the [Fleet].
type Agent struct {
	ID      dcvix.AgentID
	State   dcvix.AgentState
	KeyHash KeyHash // pinned at first sight; zero for a revoked entry that was imported without its key

	Hostname  dcvix.Hostname   // recorded; the only name its certificate gets, besides Aliases
	Requested dcvix.Hostname   // the other name it last asked for; "" when none
	Aliases   []dcvix.Hostname // given by an admin

	Port     int    // where it listens, as it said; 0 means the director's agent_port
	Address  string // IP address of its last authenticated request
	Conflict bool   // another key was seen under this ID
	Serial   string // of its last certificate, in hex
	Reason   string // why it was revoked, when not by an admin's plain wish

	CreatedAt    time.Time // to the millisecond, as all times here
	RegisteredAt time.Time // zero while pending
	LastSeenAt   time.Time // zero when never
}

// names returns all names the agent goes by.
func (a *Agent) names() []dcvix.Hostname {
	return append([]dcvix.Hostname{a.Hostname}, a.Aliases...)
}

// hasNoKey says that no key is pinned, so that nobody can prove to be this agent.
func (a *Agent) hasNoKey() bool { return a.KeyHash == KeyHash{} }

func (a Agent) clone() Agent {
	a.Aliases = slices.Clone(a.Aliases)
	return a
}

// Seen says when and from where an agent was last heard.
type Seen struct {
	ID      dcvix.AgentID
	At      time.Time
	Address string
}

// A Revocation ends a token before its time.
type Revocation struct {
	TokenID string
	Until   time.Time // when the token ends anyway
}

// A Denial is of an agent with that key, which an admin sent away.
type Denial struct {
	ID      dcvix.AgentID
	KeyHash KeyHash
	At      time.Time
}

// A Store keeps what must survive the director. Implementations are safe for
// concurrent use, share no memory with the caller, keep times to the
// millisecond, have written to stable storage what they returned nil for (but
// for SeeAgents), and pass [sessiontest.TestStore].
//
// [sessiontest.TestStore]: https://pkg.go.dev/github.com/dcvix/dcvix/session/sessiontest#TestStore
type Store interface {
	AgentStore
	TokenStore
	DenialStore
	HostStore
}

// An AgentStore keeps the register of agents.
type AgentStore interface {
	// Agents returns every agent, ordered by ID.
	Agents(ctx context.Context) ([]Agent, error)
	// ChangeAgents changes the agents of the given ids, all different, in a single
	// atomic step. change gets them in the order of ids, nil where there is none. It
	// changes them in place, puts an agent of that ID where there was none to add it,
	// and nil to remove one. It may be called more than once, so it must have no other
	// effect. If it returns an error, nothing is stored and ChangeAgents returns that
	// error.
	ChangeAgents(ctx context.Context, change func(agents []*Agent) error, ids ...dcvix.AgentID) error
	// SeeAgents sets LastSeenAt and Address of many agents in one step and passes
	// over those that do not exist. It may lose what it wrote when the power fails.
	SeeAgents(ctx context.Context, seen []Seen) error
}

// A TokenStore keeps the tokens that were revoked.
type TokenStore interface {
	// RevokeToken adds a revocation; one that is there already is no error.
	RevokeToken(ctx context.Context, r Revocation) error
	// RevokedTokens returns every revocation, in no order.
	RevokedTokens(ctx context.Context) ([]Revocation, error)
	// ForgetTokens removes the revocations whose time is before the given one.
	ForgetTokens(ctx context.Context, before time.Time) error
}

// A DenialStore keeps the agents that an admin sent away: a thousand at most.
type DenialStore interface {
	// PutDenial adds a denial and takes the place of an earlier one of that ID.
	PutDenial(ctx context.Context, d Denial) error
	// Denials returns every denial, in no order.
	Denials(ctx context.Context) ([]Denial, error)
	// ForgetDenials removes the denials of the given ids in one step and passes over
	// those that do not exist.
	ForgetDenials(ctx context.Context, ids ...dcvix.AgentID) error
}

// A HostStore keeps what admins decided about hosts.
type HostStore interface {
	// HostFlags returns the flags of every host that has some, in no order.
	HostFlags(ctx context.Context) ([]HostFlags, error)
	// PutHostFlags adds flags and takes the place of earlier ones of that agent.
	PutHostFlags(ctx context.Context, f HostFlags) error
	// ForgetHostFlags removes the flags of an agent; it is no error when there are none.
	ForgetHostFlags(ctx context.Context, id dcvix.AgentID) error
}

// An AgentCaller speaks with the agents. It is safe for concurrent use and
// returns soon after ctx is done. Its errors wrap [ErrAgentFailed] or, when the
// agent was too slow, [ErrAgentTimeout].
//
// The agent it is given is a copy of the register's entry; it dials the recorded
// host name, or Address when that name does not resolve, and accepts only a peer
// that proves to hold the pinned key.
type AgentCaller interface {
	// CreateSession starts a session, or returns the one that the user already has
	// there of that type.
	CreateSession(ctx context.Context, a Agent, req dcvix.AgentCreateSession) (dcvix.SessionID, error)
	// CloseSession ends the session of that owner and id. It returns an error that
	// wraps [ErrNotFound] if the host has none: ids such as "console" come back, and
	// by now one may be somebody else's.
	CloseSession(ctx context.Context, a Agent, owner dcvix.Username, id dcvix.SessionID) error
	// SetConfig changes settings of the host's DCV server, all or as far as it gets.
	SetConfig(ctx context.Context, a Agent, settings []dcvix.Setting) error
	// Report asks for what the agent would send by itself.
	Report(ctx context.Context, a Agent) (dcvix.AgentUpdate, error)
}

// An AgentDropper holds connections of agents. DropAgent ends those of an agent
// that is trusted no longer, and soon: it is called after the change is in the
// Store, for some agents more than once, by many goroutines, and must not wait
// for the agent. An [AgentCaller] that is one needs no [Broker.OnDrop].
type AgentDropper interface {
	DropAgent(id dcvix.AgentID)
}

// A Policy says what users may do. Rules is called for every request, must be
// quick and safe for concurrent use, and never returns nil.
type Policy interface {
	Rules() *Rules
}

// A PolicyRefuser is a [Policy] that is read again while it counts. Refused returns
// why what was read last does not count, and since when there is such a reason; nil
// when it counts. It is safe for concurrent use.
type PolicyRefuser interface {
	Refused() (since time.Time, why error)
}
