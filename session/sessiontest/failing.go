package sessiontest

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

var _ session.Store = (*FailingStore)(nil)

// FailingStore is a session.Store that fails when it is told to and otherwise
// does what Store does. It fails before it changes anything, as a Store promises.
// Store is required; the rest is safe for concurrent use.
type FailingStore struct {
	Store session.Store

	err atomic.Pointer[error]
}

// FailWith makes every call return err, until FailWith(nil).
func (s *FailingStore) FailWith(err error) { s.err.Store(&err) }

func (s *FailingStore) failure() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Agents implements [session.AgentStore].
func (s *FailingStore) Agents(ctx context.Context) ([]session.Agent, error) {
	if err := s.failure(); err != nil {
		return nil, err
	}
	return s.Store.Agents(ctx)
}

// ChangeAgents implements [session.AgentStore]. When it fails it has called change
// first, as a Store does whose disk is full at the commit.
func (s *FailingStore) ChangeAgents(ctx context.Context, change func([]*session.Agent) error, ids ...dcvix.AgentID) error {
	return s.Store.ChangeAgents(ctx, func(agents []*session.Agent) error {
		if err := change(agents); err != nil {
			return err
		}
		return s.failure()
	}, ids...)
}

// SeeAgents implements [session.AgentStore].
func (s *FailingStore) SeeAgents(ctx context.Context, seen []session.Seen) error {
	if err := s.failure(); err != nil {
		return err
	}
	return s.Store.SeeAgents(ctx, seen)
}

// RevokeToken implements [session.TokenStore].
func (s *FailingStore) RevokeToken(ctx context.Context, r session.Revocation) error {
	if err := s.failure(); err != nil {
		return err
	}
	return s.Store.RevokeToken(ctx, r)
}

// RevokedTokens implements [session.TokenStore].
func (s *FailingStore) RevokedTokens(ctx context.Context) ([]session.Revocation, error) {
	if err := s.failure(); err != nil {
		return nil, err
	}
	return s.Store.RevokedTokens(ctx)
}

// ForgetTokens implements [session.TokenStore].
func (s *FailingStore) ForgetTokens(ctx context.Context, before time.Time) error {
	if err := s.failure(); err != nil {
		return err
	}
	return s.Store.ForgetTokens(ctx, before)
}

// PutDenial implements [session.DenialStore].
func (s *FailingStore) PutDenial(ctx context.Context, d session.Denial) error {
	if err := s.failure(); err != nil {
		return err
	}
	return s.Store.PutDenial(ctx, d)
}

// Denials implements [session.DenialStore].
func (s *FailingStore) Denials(ctx context.Context) ([]session.Denial, error) {
	if err := s.failure(); err != nil {
		return nil, err
	}
	return s.Store.Denials(ctx)
}

// ForgetDenials implements [session.DenialStore].
func (s *FailingStore) ForgetDenials(ctx context.Context, ids ...dcvix.AgentID) error {
	if err := s.failure(); err != nil {
		return err
	}
	return s.Store.ForgetDenials(ctx, ids...)
}

// HostFlags implements [session.HostStore].
func (s *FailingStore) HostFlags(ctx context.Context) ([]session.HostFlags, error) {
	if err := s.failure(); err != nil {
		return nil, err
	}
	return s.Store.HostFlags(ctx)
}

// PutHostFlags implements [session.HostStore].
func (s *FailingStore) PutHostFlags(ctx context.Context, f session.HostFlags) error {
	if err := s.failure(); err != nil {
		return err
	}
	return s.Store.PutHostFlags(ctx, f)
}

// ForgetHostFlags implements [session.HostStore].
func (s *FailingStore) ForgetHostFlags(ctx context.Context, id dcvix.AgentID) error {
	if err := s.failure(); err != nil {
		return err
	}
	return s.Store.ForgetHostFlags(ctx, id)
}
