package agentclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/internal/durable"
)

// SessionsFile is the record of the sessions that were created through the agent,
// in its state folder.
const SessionsFile = "sessions.json"

const (
	maxRecord = 4 << 20 // bytes of the file; ten thousand sessions have fewer
	// lateSession is how long a session whose creation failed, or was cut off by
	// the end of the agent, may still come to exist.
	lateSession = 5 * time.Minute
	// ownPrefix and a UUID are the ids that directors make, also those of the 0.1
	// generation.
	ownPrefix = "dcvix_"
)

// A record knows which sessions of the host were created through this agent, also
// after a restart. Its methods are safe for concurrent use.
type record struct {
	path string

	mu      sync.Mutex // guards what follows, and is held while the file is written
	made    map[string]made
	written bool // the file has what made has
}

// made is a session that was asked for through this agent.
type made struct {
	ID      string    `json:"id"`
	Owner   string    `json:"owner"`
	Type    string    `json:"type"`
	Created time.Time `json:"created,omitzero"` // as DCV says; zero before it was seen

	keepUntil time.Time // a list that began before does not decide; zero means until the creation ends
}

// same says whether the entry means that session. DCV has no other mark of a
// session than its id, which can be used anew, and when it was created.
func (m made) same(s dcvcli.Session) bool {
	if m.Created.IsZero() { // not seen yet
		return m.Owner == s.Owner && m.Type == s.Type
	}
	return m.Created.Truncate(time.Second).Equal(s.CreationTime.Truncate(time.Second))
}

func newRecord(path string) *record {
	return &record{path: path, made: make(map[string]made), written: true}
}

// load reads the file, if there is one. What cannot be read is an error, and the
// record goes on without it.
func (r *record) load() error {
	f, err := os.Open(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the record of sessions: %w", err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	data, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err != nil {
		return fmt.Errorf("read the record of sessions: %w", err)
	}
	var list []made
	if err := json.Unmarshal(data, &list); err != nil || len(data) > maxRecord {
		return fmt.Errorf("%s is not a record of sessions: those with ids of an admin's choice count as foreign from now on", r.path)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range list {
		m.keepUntil = time.Now().Add(lateSession)
		r.made[m.ID] = m
	}
	return nil
}

// begin notes that a session is about to be created. The entry is kept whatever
// the error, which is that of the disk.
func (r *record) begin(asked dcvix.AgentCreateSession) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := string(asked.SessionID)
	r.made[id] = made{ID: id, Owner: string(asked.UserID), Type: string(asked.SessionType)}
	return r.write()
}

// end notes that the creation is over. A session that did not come to exist may
// do so late.
func (r *record) end(id dcvix.SessionID, exists bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m, ok := r.made[string(id)]; ok {
		m.keepUntil = time.Now()
		if !exists {
			m.keepUntil = m.keepUntil.Add(lateSession)
		}
		r.made[m.ID] = m
	}
}

// saw takes in a list that began at that time: it forgets what is gone, and
// learns when a session was created. The error is that of the disk.
func (r *record) saw(listed []dcvcli.Session, began time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.made) == 0 && r.written {
		return nil
	}
	there := make(map[string]dcvcli.Session, len(listed))
	for _, s := range listed {
		there[s.ID] = s
	}
	for id, m := range r.made {
		s, ok := there[id]
		switch {
		case ok && m.same(s):
			if m.Created.IsZero() && !s.CreationTime.IsZero() {
				m.Created, r.written = s.CreationTime.UTC(), false
				r.made[id] = m
			}
		case m.keepUntil.IsZero(), !began.After(m.keepUntil):
		default:
			delete(r.made, id)
			r.written = false
		}
	}
	if r.written {
		return nil
	}
	return r.write()
}

// ours says whether a session was created through this agent, or carries an id
// that directors make.
func (r *record) ours(s dcvcli.Session) bool {
	if rest, ok := strings.CutPrefix(s.ID, ownPrefix); ok && len(rest) == 36 && uuid.Validate(rest) == nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m, ok := r.made[s.ID]
	return ok && m.same(s)
}

// write writes the file; mu is held.
func (r *record) write() error {
	r.written = false
	list := make([]made, 0, len(r.made))
	for _, m := range r.made {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b made) int { return strings.Compare(a.ID, b.ID) })
	data, err := json.MarshalIndent(list, "", " ")
	if err == nil {
		err = durable.WriteFile(r.path, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("the record of sessions cannot be written, after a restart some may count as foreign: %w", err)
	}
	r.written = true
	return nil
}
