package session

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"
)

// revocations is the read index of the revoked tokens in a Store.
type revocations struct {
	store TokenStore

	mu    sync.RWMutex
	until map[string]time.Time
}

func loadRevocations(ctx context.Context, store TokenStore) (*revocations, error) {
	all, err := store.RevokedTokens(ctx)
	if err != nil {
		return nil, err
	}
	r := &revocations{store: store, until: make(map[string]time.Time, len(all))}
	for _, t := range all {
		r.until[t.TokenID] = t.Until
	}
	return r, nil
}

func (r *revocations) forget(ctx context.Context, now time.Time) error {
	if err := r.store.ForgetTokens(ctx, now); err != nil {
		return fmt.Errorf("forget revoked tokens: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.until, func(_ string, until time.Time) bool { return until.Before(now) })
	return nil
}

// RevokeToken ends a token before its time: it counts at once and survives a
// restart. Until is when the token ends by itself.
func (b *Broker) RevokeToken(ctx context.Context, id string, until time.Time) error {
	if err := b.revoked.store.RevokeToken(ctx, Revocation{TokenID: id, Until: until}); err != nil {
		return fmt.Errorf("revoke a token: %w", err)
	}
	b.revoked.mu.Lock()
	defer b.revoked.mu.Unlock()
	b.revoked.until[id] = until
	return nil
}

// TokenRevoked says whether a token was revoked. It costs no disk read.
func (b *Broker) TokenRevoked(id string) bool {
	b.revoked.mu.RLock()
	defer b.revoked.mu.RUnlock()
	_, revoked := b.revoked.until[id]
	return revoked
}
