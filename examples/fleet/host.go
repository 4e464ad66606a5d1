package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dcvix/dcvix"
)

// A host is the sessions below an agent, as the dcv command would have them.
type host struct {
	kind dcvix.SessionType // of its sessions: a host has one console, or virtual ones

	mu       sync.Mutex // guards what follows
	sessions []dcvix.Session
	changes  int  // made so far
	reported int  // of these, how many the director has been told of
	met      bool // the director took a report
}

// create returns the session of that owner, a new one when there is none.
func (h *host) create(want dcvix.AgentCreateSession) (dcvix.SessionID, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.sessions {
		switch {
		case s.Owner == want.UserID && s.Type == want.SessionType:
			return s.ID, nil
		case s.Type != want.SessionType || s.Type == dcvix.SessionConsole || s.ID == want.SessionID:
			return "", fmt.Errorf("session %s is in the way", s.ID)
		}
	}
	h.sessions = append(h.sessions, dcvix.Session{
		ID: want.SessionID, Owner: want.UserID, Type: want.SessionType, Status: "created",
		CreationTime: dcvix.Time{Time: time.Now().Truncate(time.Microsecond)}, LicensingMode: "EC2",
	})
	h.changes++
	return want.SessionID, nil
}

// seed adds a session from before the director knew of the host.
func (h *host) seed(owner dcvix.Username) dcvix.SessionID {
	id := dcvix.SessionID("dcvix_" + uuid.NewString())
	id, err := h.create(dcvix.AgentCreateSession{UserID: owner, SessionType: h.kind, SessionID: id})
	if err != nil {
		panic(err) // people seed only where they have nothing
	}
	return id
}

// end ends a session and says whether there was one.
func (h *host) end(id dcvix.SessionID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := len(h.sessions)
	h.sessions = slices.DeleteFunc(h.sessions, func(s dcvix.Session) bool { return s.ID == id })
	if len(h.sessions) == before {
		return false
	}
	h.changes++
	return true
}

// list returns the sessions and how many changes have led to them.
func (h *host) list() ([]dcvix.Session, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]dcvix.Session{}, h.sessions...), h.changes
}

// told notes that the director took a report.
func (h *host) told(changes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reported, h.met = max(h.reported, changes), true
}

// known says whether the director took a report.
func (h *host) known() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.met
}

// knows says whether the director has been told of everything.
func (h *host) knows() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reported == h.changes
}
