package sessiontest

import (
	"context"
	"slices"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// SetConfig implements [session.AgentCaller].
func (f *FakeAgents) SetConfig(ctx context.Context, a session.Agent, settings []dcvix.Setting) error {
	if err := f.behave(ctx, a.ID, func(c *Calls) { c.SetConfig++ }); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.host(a.ID)
	h.settings = append(h.settings, settings...)
	return nil
}

// Settings returns what was set on a host, in that order.
func (f *FakeAgents) Settings(id dcvix.AgentID) []dcvix.Setting {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.host(id).settings)
}
