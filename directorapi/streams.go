package directorapi

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

const (
	maxStreams        = 4096                   // that are open at once
	maxStreamsOfOne   = 8                      // of one user
	streamEvery       = 500 * time.Millisecond // how long changes are gathered
	maxWaitingBatches = 4                      // for a slow reader
)

// streams are the streams of events that are open. One goroutine, which lives while
// there is one, reads the broker's events, gathers them, and hands each batch to all:
// a thousand streams cost a thousand wake-ups for a batch and not for an event. The
// zero value is ready to use.
type streams struct {
	patience time.Duration // for a reader that takes nothing

	mu     sync.Mutex
	open   map[*line]struct{}
	ofUser map[string]int
	stop   context.CancelFunc // ends the goroutine; nil while there is none
	id     atomic.Uint64      // of the last batch
}

// A line is how batches come to one stream.
type line struct {
	user    string
	batches chan *batch
	missed  atomic.Bool // a batch, because the stream was too slow
}

// A batch is what changed within a short time. It does not change.
type batch struct {
	id      uint64
	resync  bool // events were missed: anything may have changed
	renewed bool // policy or register changed
	hosts   map[dcvix.AgentID]struct{}
	owners  map[string]struct{} // by ownerKey: of sessions that changed
	changes func() []byte       // in JSON, for admins; encoded when the first one asks
}

// begin opens a line for a user; the error is errStreams when there are too many.
func (s *streams) begin(broker *session.Broker, user string) (*line, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= maxStreams || s.ofUser[user] >= maxStreamsOfOne {
		return nil, errStreams
	}
	if s.open == nil {
		s.open, s.ofUser = make(map[*line]struct{}), make(map[string]int)
	}
	l := &line{user: user, batches: make(chan *batch, maxWaitingBatches)}
	s.open[l] = struct{}{}
	s.ofUser[user]++
	if s.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		s.stop = cancel
		g := &gatherer{broker: broker, owners: make(map[dcvix.AgentID][]string)}
		events := broker.Watch(ctx)
		go s.gather(g, events)
	}
	return l, nil
}

func (s *streams) end(l *line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, l)
	if s.ofUser[l.user]--; s.ofUser[l.user] == 0 {
		delete(s.ofUser, l.user)
	}
	if len(s.open) == 0 {
		s.stop()
		s.stop = nil
	}
}

// last returns the id of the last batch.
func (s *streams) last() uint64 { return s.id.Load() }

// gather hands out batches until the events end.
func (s *streams) gather(g *gatherer, events <-chan session.Event) {
	g.lookAtOwners()
	for e := range events {
		g.add(e)
		timer := time.NewTimer(streamEvery)
		for waiting := true; waiting; {
			select {
			case e, open := <-events:
				if !open {
					timer.Stop()
					return
				}
				g.add(e)
			case <-timer.C:
				waiting = false
			}
		}
		s.handOut(g.take(s.id.Add(1)))
	}
}

func (s *streams) handOut(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.open {
		select {
		case l.batches <- b:
		default:
			l.missed.Store(true)
		}
	}
}

// A gatherer makes batches of events.
type gatherer struct {
	broker *session.Broker
	owners map[dcvix.AgentID][]string // of the sessions that a host had last

	resync, policy          bool
	hosts, sessions, agents map[dcvix.AgentID]struct{}
}

func (g *gatherer) add(e session.Event) {
	note := func(set *map[dcvix.AgentID]struct{}) {
		if *set == nil {
			*set = make(map[dcvix.AgentID]struct{})
		}
		(*set)[e.Agent] = struct{}{}
	}
	switch e.Kind {
	case session.EventHost:
		note(&g.hosts)
	case session.EventSessions:
		note(&g.hosts)
		note(&g.sessions)
	case session.EventAgent:
		note(&g.agents)
	case session.EventPolicy:
		g.policy = true
	case session.EventResync:
		g.resync = true
	}
}

// take returns what was added as a batch, and begins a new one.
func (g *gatherer) take(id uint64) *batch {
	b := &batch{id: id, resync: g.resync, renewed: g.policy || len(g.agents) > 0, hosts: g.hosts, owners: make(map[string]struct{})}
	if g.resync {
		g.lookAtOwners()
	}
	for agent := range g.sessions {
		host, _ := g.broker.Host(agent)
		now := ownersOf(host)
		for _, key := range append(g.owners[agent], now...) {
			b.owners[key] = struct{}{}
		}
		if g.owners[agent] = now; len(now) == 0 {
			delete(g.owners, agent)
		}
	}
	hosts, sessions, agents, policy := g.hosts, g.sessions, g.agents, g.policy
	broker := g.broker
	b.changes = sync.OnceValue(func() []byte {
		data, _ := json.Marshal(dcvix.Changes{ // names and ids always have a form
			Servers: hostNames(broker, hosts), Sessions: hostNames(broker, sessions),
			Agents: append([]dcvix.AgentID{}, slices.Sorted(maps.Keys(agents))...), Policy: policy,
		})
		return data
	})
	g.resync, g.policy, g.hosts, g.sessions, g.agents = false, false, nil, nil, nil
	return b
}

func (g *gatherer) lookAtOwners() {
	clear(g.owners)
	for _, host := range g.broker.Hosts() {
		if owners := ownersOf(host); len(owners) > 0 {
			g.owners[host.Agent] = owners
		}
	}
}

func ownersOf(h session.Host) []string {
	owners := make([]string, len(h.Sessions))
	for i, s := range h.Sessions {
		owners[i] = ownerKey(s.Owner)
	}
	return owners
}

// hostNames returns the names of hosts, those that the register still knows.
func hostNames(broker *session.Broker, ids map[dcvix.AgentID]struct{}) []dcvix.Hostname {
	names := make([]dcvix.Hostname, 0, len(ids))
	for id := range ids {
		if a, known := broker.Agent(id); known {
			names = append(names, a.Hostname)
		}
	}
	slices.Sort(names)
	return names
}
