package session

import (
	"context"

	"github.com/dcvix/dcvix"
)

// call begins a call to an agent that is trusted, else it returns an error that
// wraps [ErrRevoked]. The context that it returns ends with the trust. The caller
// calls end when it is done.
func (b *Broker) call(ctx context.Context, id dcvix.AgentID) (callCtx context.Context, end func(), err error) {
	callCtx, cancel := context.WithCancelCause(ctx)
	forget := b.calls.Add(id, func() { cancel(ErrRevoked) })
	end = func() {
		forget()
		cancel(nil)
	}
	// Asked afterwards, because whoever revokes an agent commits first and ends its
	// calls then: either it finds this one, or we find the agent revoked.
	if _, err := b.trusted(id); err != nil {
		end()
		return nil, nil, err
	}
	return callCtx, end, nil
}
