package session

import (
	"context"
	"sync"

	"github.com/dcvix/dcvix"
)

// calls are those to agents that are under way. The zero value is empty and ready
// to use.
type calls struct {
	mu  sync.Mutex
	all map[dcvix.AgentID]map[*call]struct{}
}

type call struct{ end context.CancelCauseFunc }

// begin notes a call, whose context ends with the trust in the agent. The caller
// calls forget when it is done.
func (c *calls) begin(ctx context.Context, id dcvix.AgentID) (callCtx context.Context, forget func()) {
	callCtx, end := context.WithCancelCause(ctx)
	one := &call{end}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = make(map[dcvix.AgentID]map[*call]struct{})
	}
	if c.all[id] == nil {
		c.all[id] = make(map[*call]struct{})
	}
	c.all[id][one] = struct{}{}
	return callCtx, func() {
		end(context.Canceled)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.all[id], one)
		if len(c.all[id]) == 0 {
			delete(c.all, id)
		}
	}
}

// end ends the calls to an agent.
func (c *calls) end(id dcvix.AgentID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for one := range c.all[id] {
		one.end(ErrRevoked)
	}
}

// call begins a call to an agent that is trusted, else it returns an error that
// wraps [ErrRevoked]. The context that it returns ends with the trust. The caller
// calls end when it is done.
func (b *Broker) call(ctx context.Context, id dcvix.AgentID) (callCtx context.Context, end func(), err error) {
	callCtx, forget := b.calls.begin(ctx, id)
	// Asked afterwards, because whoever revokes an agent commits first and ends its
	// calls then: either it finds this one, or we find the agent revoked.
	if _, err := b.trusted(id); err != nil {
		forget()
		return nil, nil, err
	}
	return callCtx, forget, nil
}
