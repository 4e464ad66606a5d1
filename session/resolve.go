package session

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dcvix/dcvix"
)

// madeHere is what the ids of sessions start with that the director makes; a UUID
// follows.
const madeHere = "dcvix_"

const (
	// locateLimit is how long a gateway is kept waiting for hosts: it gives up after
	// 10 s itself (http-establish-timeout in the gateway's configuration reference).
	locateLimit = 8 * time.Second
	// locateEvery is how often a session is looked for while hosts are asked.
	locateEvery = 50 * time.Millisecond
	// maxLocate is a session id, "-" and a host name at their longest.
	maxLocate = 64 + 1 + 253
)

// Unique says whether an id has the form of those that the director makes, so
// that no second session has it. Others, such as "console", repeat across hosts.
func Unique(id dcvix.SessionID) bool {
	tail, ours := strings.CutPrefix(string(id), madeHere)
	return ours && uuid.Validate(tail) == nil && len(tail) == 36
}

// Shared returns the name by which [Broker.Locate] finds this session and no
// other: its id, or {id}-{server} when the id may be on several hosts.
func (e Endpoint) Shared() string {
	if Unique(e.Session) {
		return string(e.Session)
	}
	return string(e.Session) + "-" + string(e.Server)
}

// Locate returns where the session is that a connection gateway asks for, by its
// id or as {id}-{server}; the Endpoint has the real id. A host that has not
// reported since the start of the director is asked first, for up to 8 s.
//
// The error wraps [ErrNotFound] when there is no such session, its close was asked
// for, or its host is silent, and [ErrAmbiguous] when the name may mean several.
func (b *Broker) Locate(ctx context.Context, name string) (Endpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, locateLimit)
	defer cancel()
	if len(name) > maxLocate {
		return Endpoint{}, fmt.Errorf("session %.80q: %w", name, ErrNotFound)
	}
	found := b.locateQualified(ctx, name)
	if id := dcvix.SessionID(name); id.Validate() == nil {
		found = append(found, b.locateID(ctx, id, len(found) > 0)...)
	}
	switch len(found) {
	case 0:
		return Endpoint{}, fmt.Errorf("session %.80q: %w", name, ErrNotFound)
	case 1:
		return found[0], nil
	}
	return Endpoint{}, fmt.Errorf("session %.80q: %w", name, ErrAmbiguous)
}

// locateQualified returns the sessions that name may mean as {id}-{server}: both
// parts may have a "-" themselves. A server by its recorded name, as
// [Endpoint.Shared] gives it, comes before what is short for one.
func (b *Broker) locateQualified(ctx context.Context, name string) []Endpoint {
	var exact, short []Endpoint
	for i := range name {
		if name[i] != '-' {
			continue
		}
		id := dcvix.SessionID(name[:i])
		a, found := b.register.find(name[i+1:])
		if !found || id.Validate() != nil {
			continue
		}
		if err := b.ask(ctx, a); err != nil {
			b.cfg.Logger.DebugContext(ctx, "host did not answer", slog.String("hostname", string(a.Hostname)), slog.Any("err", err))
			continue
		}
		host, ok := b.fleet.Host(a.ID)
		switch {
		case !ok || !host.offers(id):
		case name[i+1:] == string(a.Hostname):
			exact = append(exact, host.endpoint(id))
		default:
			short = append(short, host.endpoint(id))
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return short
}

// locateID returns the sessions of that id. Until all hosts were asked, one may
// have it that is not known: of an id that repeats it may be a second one.
func (b *Broker) locateID(ctx context.Context, id dcvix.SessionID, known bool) []Endpoint {
	for {
		last := b.asks.allHeard() || ctx.Err() != nil
		found := b.fleet.offering(id)
		if last || known || len(found) > 0 && Unique(id) {
			return found
		}
		select {
		case <-ctx.Done():
		case <-time.After(locateEvery):
		}
	}
}

// offering returns where sessions of that id can be entered.
func (f *Fleet) offering(id dcvix.SessionID) []Endpoint {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var found []Endpoint
	for _, host := range f.where[id] {
		if l := f.hosts[host]; l.host.offers(id) {
			found = append(found, l.host.endpoint(id))
		}
	}
	return found
}

// offers says whether the host has the session and it can be entered.
func (h *Host) offers(id dcvix.SessionID) bool {
	for i := range h.Sessions { // not copied: a gateway has all of a fleet looked through
		if s := &h.Sessions[i]; s.ID == id {
			return s.Status != dcvix.StatusClosing && s.Status != dcvix.StatusUnknown
		}
	}
	return false
}

func (h *Host) endpoint(id dcvix.SessionID) Endpoint {
	return Endpoint{Session: id, Server: h.Name, Host: h.Name, Port: h.DCVPort, WebPath: "/"}
}

// AgentOf returns the registered agent that a host name means, if there is one.
// It costs no disk read.
func (b *Broker) AgentOf(server dcvix.Hostname) (Agent, bool) {
	a, err := b.register.resolve(string(server))
	return a, err == nil
}
