package session

// A ring remembers the newest of what comes in steps of time, one T a step. The zero
// T means that nothing came.
type ring[T any] struct { // any: only whole values are kept
	last  int64 // the newest step
	slots []T   // as many as steps are remembered
}

func newRing[T any](steps int) ring[T] { return ring[T]{slots: make([]T, steps)} }

// place returns where a step is, whether it is remembered or not.
func (r *ring[T]) place(step int64) *T {
	n := int64(len(r.slots))
	return &r.slots[(step%n+n)%n]
}

// at makes step the newest and returns its place. Steps that were left out are
// empty. When time was put back, what is ahead of it is forgotten.
func (r *ring[T]) at(step int64) *T {
	from, to := min(r.last, step)+1, max(r.last, step)
	var none T
	for s := max(from, to-int64(len(r.slots))+1); s <= to; s++ {
		*r.place(s) = none
	}
	r.last = step
	return r.place(step)
}

// get returns what came in a step, and nothing for a step that is not remembered.
func (r *ring[T]) get(step int64) (value T) {
	if step > r.last || step <= r.last-int64(len(r.slots)) {
		return value
	}
	return *r.place(step)
}

// old says whether nothing is left that is worth remembering at a step.
func (r *ring[T]) old(step int64) bool { return step-r.last >= int64(len(r.slots)) }
