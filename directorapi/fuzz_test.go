package directorapi_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/memory"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// A deskDirector is a director without a network, made anew for each input, with
// an agent in each state. Its hosts' keys and GUIDs are the same each time, so
// that what the fuzzer learned stays good.
type deskDirector struct {
	broker *session.Broker
	store  *memory.Store
	ca     *ca.Authority
	api    http.Handler
	admin  string // an admin's token
}

// The hosts of a deskDirector. The stranger is unknown to it.
type deskHosts struct{ stranger, pending, registered, other, revoked *host }

func newDeskHosts() deskHosts {
	one := func(seed byte, name string, guid dcvix.AgentID) *host {
		return &host{key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)), name: name, guid: guid}
	}
	return deskHosts{
		stranger:   one(1, "ws9", "90000000-0000-4000-8000-000000000009"),
		pending:    one(2, "ws0", "90000000-0000-4000-8000-000000000000"),
		registered: one(3, "ws1", "90000000-0000-4000-8000-000000000001"),
		other:      one(4, "ws2", "90000000-0000-4000-8000-000000000002"),
		revoked:    one(5, "ws3", "90000000-0000-4000-8000-000000000003"),
	}
}

func (h *host) keyHash(t testing.TB) session.KeyHash {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(h.key.Public())
	require.NoError(t, err)
	return sha256.Sum256(der)
}

// workshop is what all deskDirectors of a target share.
type workshop struct {
	authority *ca.Authority
	tokens    *token.Sealer
	hosts     deskHosts
}

func newWorkshop(f *testing.F) *workshop {
	f.Helper()
	tokens, err := token.New(token.Config{Keys: []token.Key{token.NewKey()}})
	require.NoError(f, err)
	return &workshop{catest.New(f), tokens, newDeskHosts()}
}

func (w *workshop) director(t testing.TB) *deskDirector {
	t.Helper()
	d := &deskDirector{store: new(memory.Store), ca: w.authority}
	for h, state := range map[*host]dcvix.AgentState{
		w.hosts.pending: dcvix.AgentPending, w.hosts.registered: dcvix.AgentRegistered,
		w.hosts.other: dcvix.AgentRegistered, w.hosts.revoked: dcvix.AgentRevoked,
	} {
		require.NoError(t, d.store.ChangeAgents(t.Context(), func(agents []*session.Agent) error {
			agents[0] = &session.Agent{ID: h.guid, State: state, KeyHash: h.keyHash(t), Hostname: dcvix.Hostname(h.name)}
			return nil
		}, h.guid))
	}
	policy, silent := new(directorapitest.Policy), slog.New(slog.DiscardHandler)
	policy.Set(t, directorapitest.DefaultUsers, "")
	var err error
	d.broker, err = session.Open(t.Context(), session.Config{
		Store: d.store, Agents: new(sessiontest.FakeAgents), Policy: policy, Logger: silent, Reserved: func() []dcvix.Hostname { return []dcvix.Hostname{"localhost"} },
	})
	require.NoError(t, err)
	d.api, err = directorapi.New(directorapi.Config{
		Broker: d.broker, CA: w.authority, Authenticator: authtest.Static{}, Tokens: w.tokens, Logger: silent, Audit: new(sessiontest.AuditLog),
	})
	require.NoError(t, err)
	d.admin, _, err = w.tokens.Seal(token.Claims{User: directorapitest.Root, Category: token.Admin}, 1<<40)
	require.NoError(t, err)
	return d
}

// send has the real handler answer a request; h is the agent whose certificate
// comes along, or nil.
func (d *deskDirector) send(t testing.TB, path string, body []byte, h *host) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body))
	if h != nil {
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{h.cert.Leaf}}
	} else {
		r.Header.Set("Authorization", "Bearer "+d.admin)
	}
	w := httptest.NewRecorder()
	d.api.ServeHTTP(w, r)
	require.Less(t, w.Code, http.StatusInternalServerError, "%s", w.Body)
	if w.Code >= http.StatusBadRequest && w.Body.String() != "{\"error\":\"pending approval\"}\n" {
		require.Less(t, w.Body.Len(), 800, "one sentence, which may show two keys")
		require.True(t, strings.HasSuffix(w.Body.String(), "."), "%s", w.Body)
		require.NotContains(t, w.Body.String(), "\n")
	}
	return w
}

// agents returns the register, index and Store being the same.
func (d *deskDirector) agents(t testing.TB) map[dcvix.AgentID]session.Agent {
	t.Helper()
	stored, err := d.store.Agents(t.Context())
	require.NoError(t, err)
	all := make(map[dcvix.AgentID]session.Agent)
	for _, a := range stored {
		all[a.ID] = a
	}
	index := d.broker.Agents("")
	require.Len(t, index, len(all))
	for _, a := range index {
		stored := all[a.ID]
		stored.LastSeenAt, stored.Address = a.LastSeenAt, a.Address // written some seconds later
		require.Equal(t, stored, a.Agent)
	}
	return all
}

// kept checks what no request of an agent may change: who is registered, under
// which name and key.
func kept(t testing.TB, before, after map[dcvix.AgentID]session.Agent) {
	t.Helper()
	for id, was := range before {
		is := after[id]
		require.Equal(t, was.State, is.State)
		require.Equal(t, was.KeyHash, is.KeyHash)
		require.Equal(t, was.Hostname, is.Hostname)
		require.Equal(t, was.Aliases, is.Aliases)
	}
	require.LessOrEqual(t, len(after), len(before)+1)
	for id, is := range after {
		if _, known := before[id]; !known {
			require.Equal(t, dcvix.AgentPending, is.State, "who comes anew waits")
			require.NoError(t, id.Validate())
			require.NoError(t, is.Hostname.Validate())
		}
	}
}

func FuzzRegister(f *testing.F) {
	w := newWorkshop(f)
	body := func(h *host, name string, csr []byte) []byte {
		return directorapitest.JSON(f, dcvix.RegisterRequest{CSR: csr, GUID: h.guid, Hostname: name})
	}
	for _, h := range []*host{w.hosts.stranger, w.hosts.pending, w.hosts.registered, w.hosts.revoked} {
		f.Add(body(h, h.name, h.asks(f, nil)))
	}
	h := w.hosts.registered
	f.Add(body(h, "ws7", h.asks(f, manyNames(3))))
	f.Add(body(h, "ws1", h.withKey(w.hosts.stranger.key).asks(f, nil)))
	f.Add(body(h, "ws1\n", h.challenged(f)))
	f.Add([]byte(`{"GUID":1e400,"csr":"*","hostname":["\u0000"],"agentPort":-1}`))
	f.Add([]byte("\xef\xbb\xbf[[[[null"))
	f.Fuzz(func(t *testing.T, body []byte) {
		d := w.director(t)
		before := d.agents(t)
		answer := d.send(t, dcvix.PathAgentRegister, body, nil)
		after := d.agents(t)
		kept(t, before, after)
		if answer.Code != http.StatusOK {
			return
		}
		var got dcvix.RegisterResponse
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &got))
		d.signedFor(t, got.Certificate, before[got.AgentID])
	})
}

// signedFor checks a certificate that was handed out against the entry of its holder.
func (d *deskDirector) signedFor(t testing.TB, certificate string, a session.Agent) {
	t.Helper()
	chain, err := ca.ParseCerts([]byte(certificate))
	require.NoError(t, err)
	leaf := chain[0]
	require.Equal(t, dcvix.AgentRegistered, a.State)
	require.Equal(t, dcvix.AgentCommonName+string(a.ID), leaf.Subject.CommonName)
	require.Equal(t, []string{string(a.Hostname)}, leaf.DNSNames)
	require.Empty(t, leaf.IPAddresses)
	require.False(t, leaf.IsCA)
	require.Equal(t, a.KeyHash, session.KeyHash(sha256.Sum256(leaf.RawSubjectPublicKeyInfo)))
	require.NoError(t, leaf.CheckSignatureFrom(d.ca.Certificate()))
}

func FuzzRenew(f *testing.F) {
	w := newWorkshop(f)
	h := w.hosts.registered.withPair(pairOf(f, w.authority, w.hosts.registered))
	for _, csr := range [][]byte{h.asks(f, nil), h.challenged(f), w.hosts.other.asks(f, nil), h.withKey(w.hosts.other.key).asks(f, nil), nil} {
		f.Add(directorapitest.JSON(f, dcvix.RenewRequest{CSR: csr}))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := w.director(t)
		before := d.agents(t)
		answer := d.send(t, dcvix.PathAgentRenew, body, h)
		kept(t, before, d.agents(t))
		if answer.Code == http.StatusOK {
			var got dcvix.RenewResponse
			require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &got))
			d.signedFor(t, got.Certificate, before[h.guid])
		}
	})
}

func pairOf(t testing.TB, authority *ca.Authority, h *host) tls.Certificate {
	t.Helper()
	chain, err := authority.SignServer(h.key.Public(), ca.Identity{CommonName: dcvix.AgentCommonName + string(h.guid), DNSNames: []string{h.name}})
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{chain[0].Raw}, PrivateKey: h.key, Leaf: chain[0]}
}

func FuzzUpdate(f *testing.F) {
	w := newWorkshop(f)
	h := w.hosts.registered.withPair(pairOf(f, w.authority, w.hosts.registered))
	other := w.hosts.other.withPair(pairOf(f, w.authority, w.hosts.other))
	theirs := directorapitest.JSON(f, dcvix.AgentUpdate{
		Sessions: []dcvix.Session{{ID: "s2", Owner: "bob", Type: "virtual"}}, Tags: []string{"gpu"}, Stats: dcvix.Stats{Hostname: "ws2"},
	})
	for _, name := range []string{"ws1", "WS1.", "ws2", "ws1.lab", "", "ws1\n"} {
		f.Add(directorapitest.JSON(f, dcvix.AgentUpdate{
			Sessions: []dcvix.Session{{ID: "s2", Owner: "mallory", Type: "console"}, {ID: "s2"}}, Stats: dcvix.Stats{Hostname: name},
			AgentPort: 9446, DCVPort: 70000, UpdateIntervalSeconds: 1 << 40, Version: "x", Problems: []string{"\x1b[2J"},
		}))
	}
	f.Add(theirs)
	f.Add([]byte(`{"sessions":[{"creation-time":"9999-99-99"}],"stats":{"hostname":"ws1","cpu_usage":1e309}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d := w.director(t)
		require.Equal(t, http.StatusOK, d.send(t, dcvix.PathAgentUpdate, theirs, other).Code)
		before, hosts := d.agents(t), d.broker.Hosts()
		require.Len(t, hosts, 1)

		answer := d.send(t, dcvix.PathAgentUpdate, body, h)

		after := d.agents(t)
		require.Len(t, after, len(before), "a report makes no entry")
		kept(t, before, after)
		require.Equal(t, before[other.guid], after[other.guid])
		told := 0
		for _, known := range d.broker.Hosts() {
			if known.Agent == other.guid {
				require.Equal(t, hosts[0], known, "nobody speaks for another, or silences it")
				told++
				continue
			}
			require.Equal(t, http.StatusOK, answer.Code)
			require.Equal(t, "ws1", firstLabel(t, body), "it spoke in its own name")
			require.Equal(t, h.guid, known.Agent)
			require.EqualValues(t, "ws1", known.Name, "the recorded name")
		}
		require.Equal(t, 1, told)
		for _, path := range []string{dcvix.PathServers, dcvix.PathSessions} { // what was taken in can be told
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			r.Header.Set("Authorization", "Bearer "+d.admin)
			list := httptest.NewRecorder()
			d.api.ServeHTTP(list, r)
			require.Equal(t, http.StatusOK, list.Code)
			require.True(t, json.Valid(list.Body.Bytes()))
		}
	})
}

// firstLabel returns the first label of the host name in a report.
func firstLabel(t testing.TB, body []byte) string {
	t.Helper()
	var update dcvix.AgentUpdate
	require.NoError(t, json.Unmarshal(body, &update))
	name, err := dcvix.ParseHostname(update.Stats.Hostname)
	require.NoError(t, err)
	return name.FirstLabel()
}

func FuzzApprove(f *testing.F) {
	w := newWorkshop(f)
	for _, body := range []string{
		"", "{}", "null", `{"replace":true}`, `{"aliases":["cad1","CAD1."]}`, `{"aliases":["ws2"]}`, `{"replace":true,"aliases":["ws1","ws2","ws3"]}`,
		`{"aliases":["localhost"]}`, `{"aliases":[null]}`, `{"aliases":["*"]}`, `{"replace":1}`, `{"Replace":true}{}`,
	} {
		f.Add([]byte(body), byte(0))
		f.Add([]byte(body), byte(1))
	}
	f.Fuzz(func(t *testing.T, body []byte, which byte) {
		d := w.director(t)
		h := []*host{w.hosts.pending, w.hosts.registered, w.hosts.revoked, w.hosts.stranger}[which%4]
		before := d.agents(t)
		answer := d.send(t, dcvix.Path(dcvix.PathAdminAgentApprove, string(h.guid)), body, nil)
		after := d.agents(t)
		require.Len(t, after, len(before))
		if answer.Code != http.StatusOK {
			require.Equal(t, before, after, "what is refused changes nothing")
			return
		}
		held := make(map[dcvix.Hostname]dcvix.AgentID)
		for id, is := range after {
			require.Equal(t, before[id].KeyHash, is.KeyHash)
			require.Equal(t, before[id].Hostname, is.Hostname)
			if id != h.guid && is.State != before[id].State {
				require.Equal(t, dcvix.AgentRegistered, before[id].State)
				require.Equal(t, "replaced", is.Reason)
			}
			if is.State != dcvix.AgentRegistered {
				require.NotEqual(t, h.guid, id)
				continue
			}
			for _, n := range append([]dcvix.Hostname{is.Hostname}, is.Aliases...) {
				require.NoError(t, n.Validate())
				require.NotEqual(t, dcvix.Hostname("localhost"), n)
				require.Empty(t, held[n], "%s has two holders", n)
				held[n] = id
			}
		}
	})
}
