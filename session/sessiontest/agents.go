package sessiontest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

var _ session.AgentCaller = (*FakeAgents)(nil)

// FakeAgents is a session.AgentCaller whose hosts live in memory, for tests of
// whatever needs a broker. A host comes into being, without sessions, when it is
// first named. The zero value is ready to use, and safe for concurrent use.
type FakeAgents struct {
	// Lax makes hosts take what DCV refuses: a second console, and a console beside
	// virtual sessions. What keeps them apart is then the broker alone.
	Lax bool

	mu    sync.Mutex
	hosts map[dcvix.AgentID]*fakeHost
}

type fakeHost struct {
	sessions []dcvix.Session
	settings []dcvix.Setting
	how      Behaviour
	calls    Calls
}

// Behaviour says how a fake agent answers. The zero value answers well and at once.
type Behaviour struct {
	Delay time.Duration // before an answer; the work is done after it
	Err   error         // the answer instead of doing the work; it comes wrapped in session.ErrAgentFailed
	Hang  bool          // there is no answer: the call ends with its context
	Late  bool          // a creation is done all the same when the caller does not wait for the answer
}

// Calls counts what a fake agent was asked for, whatever came of it.
type Calls struct{ Create, Close, Report, SetConfig int }

func (f *FakeAgents) host(id dcvix.AgentID) *fakeHost {
	if f.hosts == nil {
		f.hosts = make(map[dcvix.AgentID]*fakeHost)
	}
	if f.hosts[id] == nil {
		f.hosts[id] = new(fakeHost)
	}
	return f.hosts[id]
}

// Behave changes how an agent answers from its next call on.
func (f *FakeAgents) Behave(id dcvix.AgentID, how Behaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.host(id).how = how
}

// SetSessions replaces what runs on a host, as if somebody had used the dcv
// command there.
func (f *FakeAgents) SetSessions(id dcvix.AgentID, sessions ...dcvix.Session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.host(id).sessions = slices.Clone(sessions)
}

// Change lets change replace what runs on a host, in one step. It gets a copy.
func (f *FakeAgents) Change(id dcvix.AgentID, change func([]dcvix.Session) []dcvix.Session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.host(id)
	h.sessions = change(slices.Clone(h.sessions))
}

// Sessions returns what runs on a host.
func (f *FakeAgents) Sessions(id dcvix.AgentID) []dcvix.Session {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.host(id).sessions)
}

// Calls returns how often an agent was asked for what.
func (f *FakeAgents) Calls(id dcvix.AgentID) Calls {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.host(id).calls
}

// Update returns what the agent of a host would report of itself now.
func (f *FakeAgents) Update(a session.Agent) dcvix.AgentUpdate {
	return dcvix.AgentUpdate{Sessions: f.Sessions(a.ID), Stats: dcvix.Stats{Hostname: string(a.Hostname), Cores: 4}, Tags: []string{}}
}

// CreateSession implements [session.AgentCaller].
func (f *FakeAgents) CreateSession(ctx context.Context, a session.Agent, req dcvix.AgentCreateSession) (dcvix.SessionID, error) {
	err := f.behave(ctx, a.ID, func(c *Calls) { c.Create++ })
	if err != nil && ctx.Err() != nil && f.late(a.ID) {
		_, _ = f.create(a, req) // the answer is the timeout
	}
	if err != nil {
		return "", err
	}
	return f.create(a, req)
}

func (f *FakeAgents) late(id dcvix.AgentID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.host(id).how.Late
}

func (f *FakeAgents) create(a session.Agent, req dcvix.AgentCreateSession) (dcvix.SessionID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.host(a.ID)
	for _, s := range h.sessions {
		switch {
		case s.Owner == req.UserID && s.Type == req.SessionType:
			return s.ID, nil
		case s.ID == req.SessionID:
			return "", fmt.Errorf("%w: session %s exists", session.ErrAgentFailed, s.ID)
		}
	}
	// One console, and no console beside virtual sessions (DCV Administrator Guide,
	// introduction to sessions).
	for _, s := range h.sessions {
		if !f.Lax && (s.Type != req.SessionType || s.Type == dcvix.SessionConsole) {
			return "", fmt.Errorf("%w: the %s session %s is there", session.ErrAgentFailed, s.Type, s.ID)
		}
	}
	h.sessions = append(h.sessions, dcvix.Session{ID: req.SessionID, Owner: req.UserID, Type: req.SessionType, Status: "created"})
	return req.SessionID, nil
}

// CloseSession implements [session.AgentCaller].
func (f *FakeAgents) CloseSession(ctx context.Context, a session.Agent, owner dcvix.Username, id dcvix.SessionID) error {
	if err := f.behave(ctx, a.ID, func(c *Calls) { c.Close++ }); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.host(a.ID)
	before := len(h.sessions)
	h.sessions = slices.DeleteFunc(h.sessions, func(s dcvix.Session) bool { return s.ID == id && s.Owner == owner })
	if len(h.sessions) == before {
		return fmt.Errorf("session %s: %w", id, session.ErrNotFound)
	}
	return nil
}

// Report implements [session.AgentCaller].
func (f *FakeAgents) Report(ctx context.Context, a session.Agent) (dcvix.AgentUpdate, error) {
	if err := f.behave(ctx, a.ID, func(c *Calls) { c.Report++ }); err != nil {
		return dcvix.AgentUpdate{}, err
	}
	return f.Update(a), nil
}

// behave counts a call and waits and fails as the agent was told to.
func (f *FakeAgents) behave(ctx context.Context, id dcvix.AgentID, count func(*Calls)) error {
	f.mu.Lock()
	h := f.host(id)
	count(&h.calls)
	how := h.how
	f.mu.Unlock()

	var answer <-chan time.Time
	switch {
	case how.Hang: // a nil channel never answers
	case how.Delay > 0:
		timer := time.NewTimer(how.Delay)
		defer timer.Stop()
		answer = timer.C
	default:
		now := make(chan time.Time, 1)
		now <- time.Time{}
		answer = now
	}
	select {
	case <-answer:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", session.ErrAgentTimeout, ctx.Err())
	}
	if how.Err != nil {
		return fmt.Errorf("%w: %w", session.ErrAgentFailed, how.Err)
	}
	return nil
}

// NewAgentID returns a random id, as agents make theirs.
func NewAgentID() dcvix.AgentID { return dcvix.AgentID(uuid.NewString()) }

// Join registers an agent of that host name with the broker, approves it as an
// admin would, and returns its entry. Its key follows from its id, and so does its
// address, because the broker counts new agents by address.
func Join(t testing.TB, b *session.Broker, name dcvix.Hostname) session.Agent {
	t.Helper()
	r := session.Registration{ID: NewAgentID(), Hostname: name}
	r.KeyHash = sha256.Sum256([]byte(r.ID))
	r.Address = fmt.Sprintf("198.%d.%d.%d", 18+r.KeyHash[0]&1, r.KeyHash[1], r.KeyHash[2]) // set aside for tests of devices
	if _, err := b.Register(t.Context(), r); !errors.Is(err, session.ErrPending) {
		t.Fatalf("first request of %s: error = %v, want ErrPending", name, err)
	}
	if err := b.Approve(t.Context(), r.ID, session.Approval{}); err != nil {
		t.Fatal(err)
	}
	a, err := b.Register(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
