package auth

import (
	"container/list"
	"sync"
	"time"
)

const (
	// familiarFor is how long an address is no stranger after a good login.
	familiarFor = 30 * 24 * time.Hour
	// maxFamiliar bounds the pairs that are kept: about 10 MB.
	maxFamiliar = 50_000
)

// familiar remembers which users logged in from which addresses.
type familiar struct {
	mu   sync.Mutex
	all  map[string]*list.Element
	used list.List // of visit, the latest in front
}

// A visit is the latest good login of a user at an address.
type visit struct {
	pair string
	at   time.Time
}

func newFamiliar() *familiar { return &familiar{all: make(map[string]*list.Element)} }

func (f *familiar) has(pair string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, known := f.all[pair]
	return known && now.Sub(e.Value.(visit).at) < familiarFor
}

func (f *familiar) add(pair string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e, known := f.all[pair]; known {
		f.used.Remove(e)
	}
	f.all[pair] = f.used.PushFront(visit{pair, now})
	for oldest := f.used.Back(); len(f.all) > maxFamiliar || now.Sub(oldest.Value.(visit).at) >= familiarFor; oldest = f.used.Back() {
		delete(f.all, oldest.Value.(visit).pair)
		f.used.Remove(oldest)
	}
}
