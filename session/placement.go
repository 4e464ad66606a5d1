package session

import (
	"cmp"
	"fmt"

	"github.com/dcvix/dcvix"
)

// A Placer chooses the host of a pool on which a new session is created. A broker
// asks one question at a time, so a Placer needs no lock; it must be quick, because
// all others who open pools wait.
type Placer interface {
	// Place returns the index of the best candidate, or -1 when none will do. There
	// is at least one, and they are in the order of the pool. The slice is used again
	// when Place has returned; the candidates do not change.
	Place(p Placement, candidates []*Candidate) int
}

// A Placement is the question to a [Placer].
type Placement struct {
	Pool  string
	Owner dcvix.Username
	Type  dcvix.SessionType
	Last  dcvix.Hostname // where the pool's last session was created; "" when none was since the start
	Draw  float64        // random, from 0 to just below 1
}

// A Candidate is a host that can take the session.
type Candidate struct {
	Host     dcvix.Hostname
	Stats    dcvix.Stats
	GPUs     []dcvix.GPU
	Tags     []string
	Sessions int // that are there or being created
	Clients  int // connected to them
	Recent   int // of the Sessions: those that its figures do not count yet

	load  float64
	agent dcvix.AgentID
}

// recentLoad is what a session counts that the host's figures do not show yet.
const recentLoad = 0.1

// Load says how busy the host is: the share of what it has least of, among its
// processors, its memory and its graphics cards (of the least busy one), and 0.1 for
// each recent session. 1 is all of it; it may be more.
func (c *Candidate) Load() float64 {
	if c.agent == "" { // made by a test, not by a broker
		return c.busy()
	}
	return c.load
}

func (c *Candidate) busy() float64 {
	load := c.Stats.CPUUsage / 100
	if c.Stats.Cores > 0 {
		load = max(load, c.Stats.Load1/float64(c.Stats.Cores))
	}
	if c.Stats.TotalMemory > 0 && c.Stats.FreeMemory <= c.Stats.TotalMemory {
		load = max(load, 1-float64(c.Stats.FreeMemory)/float64(c.Stats.TotalMemory))
	}
	if len(c.GPUs) > 0 {
		idlest := c.GPUs[0].Usage
		for _, g := range c.GPUs[1:] {
			idlest = min(idlest, g.Usage)
		}
		load = max(load, idlest/100)
	}
	return load + recentLoad*float64(c.Recent)
}

// The strategies that a pool may name.
const (
	LeastLoaded = "least-loaded" // the host with the smallest load; among equals the one with fewer sessions
	Spread      = "spread"       // the host with the fewest sessions; among equals the one with less load
	Pack        = "pack"         // the host with the most sessions that has room, so that others stay empty
	RoundRobin  = "round-robin"  // the host after the last one, in the order of names
	Random      = "random"       // any
)

// Strategies returns the names of all strategies, the default first.
func Strategies() []string { return []string{LeastLoaded, Spread, Pack, RoundRobin, Random} }

// NewPlacer returns the Placer of a strategy; "" is the default. The error wraps
// [ErrInvalid].
func NewPlacer(strategy string) (Placer, error) {
	switch strategy {
	case LeastLoaded, "":
		return best(byLoad), nil
	case Spread:
		return best(bySessions), nil
	case Pack:
		return best(byRoom), nil
	case RoundRobin:
		return PlacerFunc(roundRobin), nil
	case Random:
		return PlacerFunc(func(p Placement, c []*Candidate) int { return int(p.Draw * float64(len(c))) }), nil
	}
	return nil, fmt.Errorf("%.80q is no strategy, it is one of %v: %w", strategy, Strategies(), ErrInvalid)
}

// A PlacerFunc is a function that is a [Placer].
type PlacerFunc func(p Placement, candidates []*Candidate) int

// Place calls the function.
func (f PlacerFunc) Place(p Placement, candidates []*Candidate) int { return f(p, candidates) }

// A standing is what candidates are compared by: the smaller is the better, first
// by the first figure.
type standing [2]float64

// best returns the Placer that takes the candidate of the smallest standing, and of
// equals the first in the pool.
func best(of func(*Candidate) standing) Placer {
	return PlacerFunc(func(_ Placement, candidates []*Candidate) int {
		chosen, smallest := 0, of(candidates[0])
		for i := 1; i < len(candidates); i++ {
			if s := of(candidates[i]); s[0] < smallest[0] || s[0] == smallest[0] && s[1] < smallest[1] {
				chosen, smallest = i, s
			}
		}
		return chosen
	})
}

func byLoad(c *Candidate) standing { return standing{c.Load(), float64(c.Sessions)} }

func bySessions(c *Candidate) standing { return standing{float64(c.Sessions), c.Load()} }

// fullLoad is the load from which a host is left alone by [Pack] while others have
// room.
const fullLoad = 0.8

func byRoom(c *Candidate) standing {
	if load := c.Load(); load >= fullLoad {
		return standing{1, load}
	}
	return standing{0, -float64(c.Sessions)}
}

// roundRobin takes the candidate whose name comes after the last one's in the
// order of names: the last one itself may be no candidate now.
func roundRobin(p Placement, candidates []*Candidate) int {
	after, first := -1, 0
	for i := range candidates {
		name := candidates[i].Host
		if cmp.Less(name, candidates[first].Host) {
			first = i
		}
		if name > p.Last && (after < 0 || name < candidates[after].Host) {
			after = i
		}
	}
	if after < 0 {
		return first
	}
	return after
}
