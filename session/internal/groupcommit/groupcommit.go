// Package groupcommit lets many goroutines share one write to stable storage,
// which costs the same for one change as for a hundred.
package groupcommit

import "sync"

// A Queue gathers what comes in while a write is under way; the next write takes
// all of it. Its zero value is empty and ready to use. It is safe for concurrent
// use.
type Queue[T any] struct {
	// writing is held by the goroutine that writes. It is taken before mu.
	writing sync.Mutex

	mu   sync.Mutex
	next *batch[T]
}

type batch[T any] struct {
	items   []T
	written bool // guarded by writing
}

// Do returns when a call of write has had the item. Calls of write do not overlap:
// one of the goroutines in Do makes it for all, with their items in the order in
// which they came. When write panics, it has not had its items, and the next
// goroutine that waits for it calls it with them again.
func (q *Queue[T]) Do(item T, write func(items []T)) {
	q.mu.Lock()
	if q.next == nil {
		q.next = new(batch[T])
	}
	b := q.next
	b.items = append(b.items, item)
	q.mu.Unlock()

	q.writing.Lock()
	defer q.writing.Unlock()
	if b.written {
		return
	}
	q.mu.Lock()
	if q.next == b {
		q.next = nil
	}
	q.mu.Unlock()
	write(b.items)
	b.written = true
}

// Alone calls f while nothing is written.
func (q *Queue[T]) Alone(f func()) {
	q.writing.Lock()
	defer q.writing.Unlock()
	f()
}

// Waiting returns how many items the next write will have.
func (q *Queue[T]) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.next == nil {
		return 0
	}
	return len(q.next.items)
}
