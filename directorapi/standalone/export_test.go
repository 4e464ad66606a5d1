package standalone

import (
	"context"
	"slices"
)

// A NameKeeper is what remembers the names of a machine, without a director.
type NameKeeper struct{ names *ownNames }

// KeepNames returns one that has asked the machine.
func KeepNames(ctx context.Context, m Machine, further ...string) NameKeeper {
	k := NameKeeper{newOwnNames(m, further)}
	k.names.lookUp(ctx, true)
	return k
}

// Ask asks the machine again.
func (k NameKeeper) Ask(ctx context.Context) { k.names.lookUp(ctx, true) }

// Has says whether a name or an address is the director's.
func (k NameKeeper) Has(name string) bool {
	return slices.Contains(namesIn(k.names.identity()), name)
}
