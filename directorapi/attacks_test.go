package directorapi_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/memory"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// What those hear who are refused.
const (
	saysNotJSON  = "The request is not JSON: check it and send it again."
	saysTooLarge = "The request is too large."
	saysGUID     = "The GUID is not a UUID of version 4 in lower case."
	saysHostname = `The host name is not one: use letters, digits, "-" and dots.`
	saysCSR      = "The certificate request is not well formed or its signature does not verify."
	saysWeakKey  = "The key is not accepted: use Ed25519, ECDSA P-256 or RSA 2048."
	saysCSRName  = "The certificate request names another agent than the GUID."
	saysOtherKey = "Another key is known under this GUID: an admin sees both, and a new GUID lets this host ask anew."
	saysRevoked  = "This agent is revoked: an admin can reactivate it."
	saysNoAgent  = "This needs the certificate of a registered agent."
	saysNothing  = "There is no such thing here."
	saysState    = "The agent is not in a state for this: look at the list again."
)

// A fortress is a director with an agent in each state, which attacks do not change.
type fortress struct {
	*directorapitest.Server

	audit *sessiontest.AuditLog
	ahead *atomic.Int64
	store *memory.Store
	admin *caller

	pending, registered, other, revoked, denied *host
}

// An attack is a request that is refused.
type attack struct {
	by     *caller
	path   string
	body   []byte
	status int
	says   string
	record session.AuditRecord // what is on record of it, in Action, Role, Actor and Target
	marks  dcvix.AgentID       // the agent that an admin then sees a conflict of; "" for none
}

func newFortress(t *testing.T, opts ...directorapitest.Option) *fortress {
	t.Helper()
	f := &fortress{store: new(memory.Store)}
	f.Server, f.audit, f.ahead = audited(t, append(opts, directorapitest.WithBroker(func(c *session.Config) {
		c.Store, c.Agents = f.store, new(sessiontest.FakeAgents)
		c.Reserved = func() []dcvix.Hostname {
			return []dcvix.Hostname{dcvix.DirectorCommonName, "localhost", "director.lab"}
		}
	}))...)
	f.admin = loggedIn(t, f.Server, dcvix.PathAdminLogin, directorapitest.Root)
	f.pending = newHost(t, f.Server, "ws0")
	require.Equal(t, http.StatusForbidden, f.pending.register(t).status)
	f.registered, f.other, f.revoked = approved(t, f.Server, "ws1"), approved(t, f.Server, "ws2"), approved(t, f.Server, "ws3")
	require.Equal(t, http.StatusOK, f.registered.report(t, dcvix.Session{ID: "s1", Owner: "alice", Type: "virtual"}).status)
	require.Equal(t, http.StatusOK, f.other.report(t, dcvix.Session{ID: "s2", Owner: "bob", Type: "virtual"}).status)
	require.Equal(t, http.StatusOK, f.act(t, dcvix.PathAdminAgentRevoke, f.revoked.guid).status)
	f.denied = newHost(t, f.Server, "ws4")
	require.Equal(t, http.StatusForbidden, f.denied.register(t).status)
	require.Equal(t, http.StatusOK, f.act(t, dcvix.PathAdminAgentDeny, f.denied.guid).status)
	return f
}

func (f *fortress) act(t *testing.T, path string, id dcvix.AgentID) reply {
	t.Helper()
	return f.admin.post(t, dcvix.Path(path, string(id)), nil)
}

// A registerState is all that the director knows of agents and their hosts.
type registerState struct {
	Index    []session.AgentStatus
	Stored   []session.Agent
	Denials  []session.Denial
	Sessions []dcvix.Session
}

// state returns what the director knows; marked adds the mark that the admin is
// to see after an attack.
func (f *fortress) state(t *testing.T, marked dcvix.AgentID) string {
	t.Helper()
	s := registerState{Index: f.Broker.Agents(""), Sessions: f.Broker.Sessions()}
	var err error
	s.Stored, err = f.store.Agents(t.Context())
	require.NoError(t, err)
	s.Denials, err = f.store.Denials(t.Context())
	require.NoError(t, err)
	for i := range s.Index {
		s.Index[i].Conflict = s.Index[i].Conflict || s.Index[i].ID == marked
	}
	for i := range s.Stored {
		s.Stored[i].Conflict = s.Stored[i].Conflict || s.Stored[i].ID == marked
		s.Stored[i].LastSeenAt, s.Stored[i].Address = time.Time{}, "" // written some seconds after the index has them
	}
	text, err := json.Marshal(s)
	require.NoError(t, err)
	return string(text)
}

// repel runs attacks, each twice: for a person who reads text and for a program
// that reads problems.
func (f *fortress) repel(t *testing.T, attacks map[string]attack) {
	for name, a := range attacks {
		t.Run(name, func(t *testing.T) {
			if a.by == nil {
				a.by = anybody(f.Server)
			}
			for _, accept := range []string{"", "application/problem+json"} {
				f.ahead.Add(int64(61 * time.Second)) // what is refused within a minute would be counted
				f.repelled(t, a, accept)
			}
		})
	}
	assert.Equal(t, http.StatusOK, f.registered.report(t).status, "who does no wrong is served as before")
}

func (f *fortress) repelled(t *testing.T, a attack, accept string) {
	t.Helper()
	before, lines := f.state(t, a.marks), len(records(t, f.audit))
	by := *a.by
	if by.header = map[string]string{}; accept != "" {
		by.header["Accept"] = accept
	}
	r := by.send(t, http.MethodPost, a.path, a.body)

	require.Equal(t, a.status, r.status, r.body)
	told := r.body
	if accept == "" {
		assert.Equal(t, "text/plain; charset=UTF-8", r.header.Get("Content-Type"))
	} else {
		var p dcvix.Problem
		r.json(t, &p)
		assert.Equal(t, a.status, p.Status)
		assert.Equal(t, r.header.Get("X-Request-Id"), p.Instance)
		told = p.Detail
	}
	assert.Equal(t, a.says, masked(told))
	assert.Equal(t, a.status == http.StatusTooManyRequests, r.header.Get("Retry-After") != "")
	assert.True(t, strings.HasSuffix(told, ".") && !strings.Contains(told, ". ") && !strings.Contains(told, "\n"), "one sentence: %q", told)
	assert.JSONEq(t, before, f.state(t, ""), "the register is as it was")
	require.Len(t, records(t, f.audit), lines+1, "one line on record")
	got := records(t, f.audit)[lines]
	assert.WithinDuration(t, time.Now().Add(time.Duration(f.ahead.Load())), got.Time, time.Minute)
	want := a.record
	want.Time, want.Outcome, want.Reason, want.Address, want.RequestID = got.Time, session.AuditRefused, a.says, "127.0.0.1", r.header.Get("X-Request-Id")
	want.Old, want.New, got.Reason = got.Old, got.New, masked(got.Reason)
	assert.Equal(t, want, got)
}

// masked has KEY for each fingerprint and TIME for each moment of a text.
func masked(text string) string {
	text = regexp.MustCompile(`([0-9A-F]{2}:){31}[0-9A-F]{2}`).ReplaceAllString(text, "KEY")
	return regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d UTC`).ReplaceAllString(text, "TIME")
}

// by is the record of what an agent is refused; none is for one that did not show
// who it is.
func by(action session.AuditAction, h *host) session.AuditRecord {
	r := session.AuditRecord{Action: action, Role: session.AuditAgent}
	if h != nil {
		r.Actor, r.Target = string(h.guid), string(h.guid)
	}
	return r
}
