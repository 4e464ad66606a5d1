package session

import (
	"cmp"
	"slices"
)

// byName is hosts in the order of their names, kept so that a list of all need not
// be sorted each time it is asked for. A host's name does not change while it is in.
type byName []*live

func (all byName) search(l *live) (int, bool) {
	return slices.BinarySearchFunc(all, l, func(a, b *live) int {
		return cmp.Or(cmp.Compare(a.host.Name, b.host.Name), cmp.Compare(a.host.Agent, b.host.Agent))
	})
}

func (all *byName) add(l *live) {
	if i, there := all.search(l); !there {
		*all = slices.Insert(*all, i, l)
	}
}

func (all *byName) remove(l *live) {
	if i, there := all.search(l); there {
		*all = slices.Delete(*all, i, i+1)
	}
}
