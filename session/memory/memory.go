// Package memory is a session.Store that forgets everything on exit.
package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

var _ session.Store = (*Store)(nil)

// Store keeps everything in memory. The zero value is empty and ready to use.
type Store struct {
	mu      sync.Mutex
	agents  map[dcvix.AgentID]session.Agent
	revoked map[string]time.Time
	denied  map[dcvix.AgentID]session.Denial
	flags   map[dcvix.AgentID]session.HostFlags
}

// Agents implements [session.AgentStore].
func (s *Store) Agents(context.Context) ([]session.Agent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]session.Agent, 0, len(s.agents))
	for _, a := range s.agents {
		all = append(all, clone(a))
	}
	slices.SortFunc(all, func(a, b session.Agent) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// ChangeAgents implements [session.AgentStore].
func (s *Store) ChangeAgents(_ context.Context, change func([]*session.Agent) error, ids ...dcvix.AgentID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	agents := make([]*session.Agent, len(ids))
	for i, id := range ids {
		if a, ok := s.agents[id]; ok {
			a = clone(a)
			agents[i] = &a
		}
	}
	if err := change(agents); err != nil {
		return err
	}
	if s.agents == nil {
		s.agents = make(map[dcvix.AgentID]session.Agent)
	}
	for i, id := range ids {
		if agents[i] == nil {
			delete(s.agents, id)
		} else {
			s.agents[id] = clone(*agents[i])
		}
	}
	return nil
}

// SeeAgents implements [session.AgentStore].
func (s *Store) SeeAgents(_ context.Context, seen []session.Seen) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range seen {
		if a, ok := s.agents[one.ID]; ok {
			a.LastSeenAt, a.Address = one.At.Truncate(time.Millisecond), one.Address
			s.agents[one.ID] = a
		}
	}
	return nil
}

// RevokeToken implements [session.TokenStore].
func (s *Store) RevokeToken(_ context.Context, r session.Revocation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revoked == nil {
		s.revoked = make(map[string]time.Time)
	}
	s.revoked[r.TokenID] = r.Until.Truncate(time.Millisecond)
	return nil
}

// RevokedTokens implements [session.TokenStore].
func (s *Store) RevokedTokens(context.Context) ([]session.Revocation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]session.Revocation, 0, len(s.revoked))
	for id, until := range s.revoked {
		all = append(all, session.Revocation{TokenID: id, Until: until})
	}
	return all, nil
}

// ForgetTokens implements [session.TokenStore].
func (s *Store) ForgetTokens(_ context.Context, before time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.revoked, func(_ string, until time.Time) bool { return until.Before(before) })
	return nil
}

// PutDenial implements [session.DenialStore].
func (s *Store) PutDenial(_ context.Context, d session.Denial) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.denied == nil {
		s.denied = make(map[dcvix.AgentID]session.Denial)
	}
	d.At = d.At.Truncate(time.Millisecond)
	s.denied[d.ID] = d
	return nil
}

// Denials implements [session.DenialStore].
func (s *Store) Denials(context.Context) ([]session.Denial, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.denied)), nil
}

// ForgetDenials implements [session.DenialStore].
func (s *Store) ForgetDenials(_ context.Context, ids ...dcvix.AgentID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		delete(s.denied, id)
	}
	return nil
}

// HostFlags implements [session.HostStore].
func (s *Store) HostFlags(context.Context) ([]session.HostFlags, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.flags)), nil
}

// PutHostFlags implements [session.HostStore].
func (s *Store) PutHostFlags(_ context.Context, f session.HostFlags) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flags == nil {
		s.flags = make(map[dcvix.AgentID]session.HostFlags)
	}
	f.At = f.At.Truncate(time.Millisecond)
	s.flags[f.Agent] = f
	return nil
}

// ForgetHostFlags implements [session.HostStore].
func (s *Store) ForgetHostFlags(_ context.Context, id dcvix.AgentID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.flags, id)
	return nil
}

// clone copies what an agent shares and cuts its times to what a store keeps.
func clone(a session.Agent) session.Agent {
	a.Aliases = slices.Clone(a.Aliases)
	for _, at := range []*time.Time{&a.CreatedAt, &a.RegisteredAt, &a.LastSeenAt} {
		*at = at.Truncate(time.Millisecond)
	}
	return a
}
