package session

import (
	"net/netip"
	"sync"
	"time"
)

const (
	newcomerWindow = time.Hour
	maxNewcomers   = 10_000
	// newcomerBits is how much of an IPv6 address counts: whoever has one has its
	// whole /64.
	newcomerBits = 64
)

// newcomers counts the new pending entries that came from each address, in
// windows of an hour that begin with the first one. It is bounded: beyond 10,000
// addresses the one whose window began first is let go. The zero value is empty
// and ready to use.
type newcomers struct {
	mu  sync.Mutex
	all map[string]newcomer
}

type newcomer struct {
	since time.Time
	count int
	told  bool // that there were too many
}

// admit counts one entry more of an address. Over the limit it does not and says
// so; first is true once a window.
func (n *newcomers) admit(address string, limit int, now time.Time) (admitted, first bool) {
	key := origin(address)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all == nil {
		n.all = make(map[string]newcomer)
	}
	one, known := n.all[key]
	// A clock put back locks nobody out for long. A little back is none: callers
	// that come at once read the clock before they wait for their turn here.
	if age := now.Sub(one.since); !known || age.Abs() >= newcomerWindow {
		one = newcomer{since: now}
	}
	if one.count >= limit {
		first, one.told = !one.told, true
		n.all[key] = one
		return false, first
	}
	if !known && len(n.all) >= maxNewcomers {
		n.evict()
	}
	one.count++
	n.all[key] = one
	return true, false
}

// giveBack takes back an admission that made no entry.
func (n *newcomers) giveBack(address string) {
	key := origin(address)
	n.mu.Lock()
	defer n.mu.Unlock()
	one, known := n.all[key]
	switch {
	case !known:
	case one.count <= 1 && !one.told:
		delete(n.all, key)
	default:
		one.count--
		n.all[key] = one
	}
}

// evict lets go of the address whose window began first; mu is held.
func (n *newcomers) evict() {
	oldest, since := "", time.Time{}
	for key, one := range n.all {
		if since.IsZero() || one.since.Before(since) {
			oldest, since = key, one.since
		}
	}
	delete(n.all, oldest)
}

// forget lets go of the addresses whose window is over.
func (n *newcomers) forget(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for key, one := range n.all {
		if now.Sub(one.since).Abs() >= newcomerWindow {
			delete(n.all, key)
		}
	}
}

// origin is what counts as one address.
func origin(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(newcomerBits)
	if err != nil {
		return address
	}
	return prefix.String()
}
