package session

import (
	"context"
	"fmt"
	"sync"

	"github.com/dcvix/dcvix"
)

// A keyedLock is a lock for each agent. The zero value is ready to use.
type keyedLock struct {
	mu   sync.Mutex
	held map[dcvix.AgentID]*keyLock
}

type keyLock struct {
	users int           // holders and waiters; guarded by keyedLock.mu
	turn  chan struct{} // holds one token while taken
}

// lock waits for the agent's lock or the end of ctx. The caller calls the
// returned function once.
func (l *keyedLock) lock(ctx context.Context, id dcvix.AgentID) (unlock func(), err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = make(map[dcvix.AgentID]*keyLock)
	}
	k := l.held[id]
	if k == nil {
		k = &keyLock{turn: make(chan struct{}, 1)}
		l.held[id] = k
	}
	k.users++
	l.mu.Unlock()

	select {
	case k.turn <- struct{}{}:
		return func() { <-k.turn; l.leave(id, k) }, nil
	case <-ctx.Done():
		l.leave(id, k)
		return nil, fmt.Errorf("wait for another creation: %w: %w", ErrAgentTimeout, ctx.Err())
	}
}

func (l *keyedLock) leave(id dcvix.AgentID, k *keyLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.users--; k.users == 0 {
		delete(l.held, id)
	}
}
