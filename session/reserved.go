package session

import (
	"slices"

	"github.com/dcvix/dcvix"
)

// ReservedNames returns those of the agent's names that are the director's own by
// now; the agent may have had them before. It must be given no certificate then.
func (b *Broker) ReservedNames(a Agent) []dcvix.Hostname {
	reserved := b.cfg.Reserved()
	return slices.DeleteFunc(a.names(), func(n dcvix.Hostname) bool { return !slices.Contains(reserved, n) })
}
