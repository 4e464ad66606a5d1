// Package session decides who gets which desktop.
//
// A [Broker] keeps the register of agents in a [Store] and what their hosts
// report in a [Fleet], reads from [Rules] what users may do, and asks an
// [AgentCaller] to start and end sessions. What is durable is read through one
// index that is loaded at start and changed only by the function that committed
// the change, so a request costs no disk read and still sees a revocation at once.
//
// The package speaks no HTTP and no SQL and knows neither certificates nor
// passwords: packages directorapi, session/sqlite and session/agenthttp do.
package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session/internal/links"
)

// Config says what a [Broker] is made of. Store, Agents and Policy are required.
type Config struct {
	Store  Store
	Agents AgentCaller
	Policy Policy

	Audit             AuditLog                // where it goes on record which agents were forgotten for their age; nil means nowhere
	Strategy          string                  // of pools that name none, one of [Strategies]; "" means [LeastLoaded]
	Placer            Placer                  // for pools that name no strategy, in the place of Strategy; nil means none
	Reserved          func() []dcvix.Hostname // names no agent may have now: the director's own; for concurrent use; nil means none
	RegistrationToken string                  // what an unknown agent must show; "" means nothing
	PendingMax        int                     // agents that may wait for approval; 0 means 10,000
	PendingPerAddress int                     // new ones from one address (IPv6: one /64) in an hour, without a registration token; 0 means 60
	UserSettings      []SettingName           // what users may set on a DCV server besides display/quality; see [Broker.SetConfig]

	// KeepAutomaticConsole keeps the broker from ending the console session that a DCV
	// server made by itself, when nobody is connected to it and it is in the way.
	KeepAutomaticConsole bool

	MaxAge           time.Duration    // silence after which a host is shown as silent, at least 2.5 report intervals; 0 means 30 s
	Housekeeping     time.Duration    // how often silent hosts are looked for; 0 means 40 s
	ActDeadline      time.Duration    // how long creating and closing may take; 0 means 30 s
	PendingTTL       time.Duration    // age after which a pending agent is forgotten; 0 means 7 days
	Now              func() time.Time // nil means time.Now
	Logger           *slog.Logger     // nil means slog.Default()
	ColdStartWorkers int              // agents asked at once at start; 0 means 32
}

func (c *Config) setDefaults() {
	c.PendingMax = orDefault(c.PendingMax, 10_000)
	c.PendingPerAddress = orDefault(c.PendingPerAddress, 60)
	c.MaxAge = orDefault(c.MaxAge, 30*time.Second)
	c.Housekeeping = orDefault(c.Housekeeping, 40*time.Second)
	c.ActDeadline = orDefault(c.ActDeadline, 30*time.Second)
	c.PendingTTL = orDefault(c.PendingTTL, 7*24*time.Hour)
	c.ColdStartWorkers = orDefault(c.ColdStartWorkers, 32)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Reserved == nil {
		c.Reserved = func() []dcvix.Hostname { return nil }
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// A Broker decides who gets which desktop. It is safe for concurrent use.
type Broker struct {
	cfg       Config
	register  *register
	revoked   *revocations
	fleet     *Fleet
	denied    *denials
	newcomers newcomers
	calls     links.Set // to agents, under way
	asks      asks
	feed      feed
	unwanted  unwanted
	loads     loads

	storeFails Failing
	problems   foundProblems
	flagging   sync.Mutex // held while the flags of a host change

	memberships memberships
	placing     sync.Mutex // guards what follows; it is held while a place in a pool is chosen and taken
	candidates  []*Candidate
	lastPlaced  map[string]dcvix.Hostname // by id of the pool

	dropping sync.RWMutex
	droppers []AgentDropper
}

// Open returns a Broker that has read the register from cfg.Store. It starts
// nothing: call [Broker.Run]. There is nothing to close.
func Open(ctx context.Context, cfg Config) (*Broker, error) {
	if cfg.Store == nil || cfg.Agents == nil || cfg.Policy == nil {
		return nil, errors.New("session: Config needs Store, Agents and Policy")
	}
	if _, err := NewPlacer(cfg.Strategy); err != nil {
		return nil, fmt.Errorf("session: Config.Strategy: %w", err)
	}
	cfg.setDefaults()
	b := &Broker{cfg: cfg, lastPlaced: make(map[string]dcvix.Hostname)}
	b.fleet = newFleet(cfg.MaxAge, cfg.ActDeadline, b.feed.publish)
	if d, ok := cfg.Agents.(AgentDropper); ok {
		b.droppers = append(b.droppers, d)
	}
	var err error
	if b.register, err = loadRegister(ctx, cfg.Store); err != nil {
		return nil, fmt.Errorf("read the register of agents: %w", err)
	}
	b.register.changed = func(id dcvix.AgentID) { b.feed.publish(Event{Kind: EventAgent, Agent: id}) }
	if b.revoked, err = loadRevocations(ctx, cfg.Store); err != nil {
		return nil, fmt.Errorf("read the revoked tokens: %w", err)
	}
	if b.denied, err = loadDenials(ctx, cfg.Store, cfg.Now()); err != nil {
		return nil, fmt.Errorf("read the denied agents: %w", err)
	}
	if err := b.loadFlags(ctx); err != nil {
		return nil, fmt.Errorf("read which hosts are in maintenance: %w", err)
	}
	b.asks.start(b.register.all())
	return b, nil
}

// Run asks all registered hosts for their sessions, then writes down when agents
// were seen and forgets what has had its time, until ctx is done. It then
// returns nil.
func (b *Broker) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { b.askAll(ctx) })
	wg.Go(func() { b.endLeftovers(ctx) })
	wg.Go(func() { b.watchPolicy(ctx) })
	defer wg.Wait()
	seen := time.NewTicker(10 * time.Second)
	defer seen.Stop()
	live := time.NewTicker(b.cfg.Housekeeping)
	defer live.Stop()
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	gone := new(cleanup)
	for {
		select {
		case <-ctx.Done():
			return b.writeSeen(context.WithoutCancel(ctx))
		case <-seen.C:
			b.logged(ctx, "last-seen times not written, they are tried again", b.writeSeen(ctx))
		case <-live.C:
			b.fleet.expire(b.cfg.Now())
			b.lookForSilence(ctx)
			b.countSessions()
		case <-hourly.C:
			b.logged(ctx, "pending agents not forgotten", b.forgetPending(ctx))
			b.logged(ctx, "agents that are gone not forgotten", b.forgetGone(ctx, gone))
			b.logged(ctx, "old denials not forgotten", b.denied.forgetOld(ctx, b.cfg.Now()))
			b.newcomers.forget(b.cfg.Now())
			b.logged(ctx, "ended revocations not forgotten", b.revoked.forget(ctx, b.cfg.Now()))
		}
	}
}

func (b *Broker) logged(ctx context.Context, message string, err error) {
	if err != nil {
		b.cfg.Logger.ErrorContext(ctx, message, slog.Any("err", err)) //nolint:sloglint // constant at every caller
	}
}

func (b *Broker) writeSeen(ctx context.Context) error {
	seen := b.register.takeSeen()
	if len(seen) == 0 {
		return nil
	}
	err := b.cfg.Store.SeeAgents(ctx, seen)
	b.storeFails.Note(b.cfg.Now(), err)
	if err != nil {
		b.register.giveBack(seen)
		return fmt.Errorf("write last-seen times: %w", err)
	}
	return nil
}

func (b *Broker) lookForSilence(ctx context.Context) {
	silent, dropped := b.fleet.sweep(b.cfg.Now())
	for _, h := range silent {
		b.cfg.Logger.WarnContext(ctx, "host is silent", slog.String("hostname", string(h.Name)), slog.Time("last_seen", h.LastSeen))
	}
	for _, h := range dropped {
		b.cfg.Logger.WarnContext(ctx, "silent host dropped from view", slog.String("hostname", string(h.Name)))
	}
}

// trusted returns the entry of an agent as it is now, or an error that wraps
// [ErrRevoked] when it is not registered.
func (b *Broker) trusted(id dcvix.AgentID) (Agent, error) {
	a, ok := b.register.get(id)
	if !ok || a.State != dcvix.AgentRegistered {
		return Agent{}, fmt.Errorf("agent %s: %w", id, ErrRevoked)
	}
	return a, nil
}

// OnDrop has d told of every agent that is trusted no longer, from now on and for
// as long as the Broker lives.
func (b *Broker) OnDrop(d AgentDropper) {
	b.dropping.Lock()
	defer b.dropping.Unlock()
	b.droppers = append(b.droppers, d)
}

// drop forgets the host of an agent that is trusted no longer and ends calls to it
// and its connections. The register says so already.
func (b *Broker) drop(id dcvix.AgentID) {
	b.calls.Cut(id)
	b.fleet.Drop(id)
	b.dropping.RLock()
	defer b.dropping.RUnlock()
	for _, d := range b.droppers {
		d.DropAgent(id)
	}
}
