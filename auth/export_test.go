package auth

import "time"

// Len returns how many keys are kept.
func (m *MemoryCounters) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.all)
}

// Familiar is familiar.
type Familiar struct{ *familiar }

// NewFamiliar returns an empty one.
func NewFamiliar() Familiar { return Familiar{newFamiliar()} }

// Has is has.
func (f Familiar) Has(pair string, now time.Time) bool { return f.has(pair, now) }

// Add is add.
func (f Familiar) Add(pair string, now time.Time) { f.add(pair, now) }

// Len returns how many pairs are kept.
func (f Familiar) Len() int { return len(f.all) }

// FoldUser is foldUser.
func FoldUser(name string) string { return foldUser(name) }

// FoldAddress is foldAddress.
func FoldAddress(address string) string { return foldAddress(address) }
