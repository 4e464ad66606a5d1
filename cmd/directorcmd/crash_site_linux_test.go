package directorcmd_test

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/internal/crashtest"
	"github.com/dcvix/dcvix/directorapi/standalone"
	"github.com/dcvix/dcvix/session"
)

// known is what people and agents know once an act was answered.
type known struct {
	act     string
	at      crashtest.Mark
	ca      string // fingerprint
	agents  []entry
	denied  []*host
	certs   map[dcvix.AgentID]string // PEM, the newest of each agent
	logins  []string                 // cookies that are good
	logouts []string                 // cookies that are good no more
	audit   []session.AuditRecord
}

// An entry is what must not be lost of an agent.
type entry struct {
	ID                           dcvix.AgentID
	State                        dcvix.AgentState
	Hostname, Requested          dcvix.Hostname
	Fingerprint, Serial, Aliases string
	Conflict                     bool
}

func joined(names []dcvix.Hostname) string {
	var all strings.Builder
	for _, n := range names {
		all.WriteString(string(n) + " ")
	}
	return all.String()
}

// A host is an agent reduced to what it sends.
type host struct {
	id   dcvix.AgentID
	key  crypto.Signer
	name string
	cert *tls.Certificate
}

func newHost(t *testing.T, name string) *host {
	t.Helper()
	return &host{id: dcvix.AgentID(uuid.NewString()), key: newKey(t), name: name}
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return key
}

func (h *host) csr(t *testing.T) []byte {
	t.Helper()
	der, err := ca.NewCSR(h.key, ca.Identity{CommonName: dcvix.AgentCommonName + string(h.id)})
	require.NoError(t, err)
	return der
}

// A site is a director whose every change of the disk is recorded, and what was
// answered to the people and agents around it.
type site struct {
	t       *testing.T
	conf    string
	rec     *crashtest.Recording
	run     *running
	address string
	env     []string                // of the director
	admin   string                  // cookie
	given   string                  // cookie that came last
	redone  bool                    // an act was done once more, as it was not answered
	hosts   map[dcvix.AgentID]*host // that have a certificate
	now     known
	history []known
}

func newSite(t *testing.T) *site {
	t.Helper()
	path := conf(t, "server_names = director.example", "")
	setUsers(t, path, `[{"id": "alice", "workstations": ["ws1"]}, {"id": "root", "admin": true}]`)
	return &site{t: t, conf: path, rec: crashtest.Record(t, filepath.Dir(path)), hosts: make(map[dcvix.AgentID]*host), now: known{certs: make(map[dcvix.AgentID]string)}}
}

func (s *site) file(name string) string { return filepath.Join(filepath.Dir(s.conf), "data", name) }

// start starts the director, recorded by record.
func (s *site) start(record func(*exec.Cmd, ...string), options ...string) {
	s.t.Helper()
	s.run, s.address = start(s.t, s.program(record, options...))
	s.now.ca = s.run.await(`ca_fingerprint=(\S+)`)[1]
	s.done(started)
}

// started is the act of a start.
const started = "start"

// program returns the director, not started yet.
func (s *site) program(record func(*exec.Cmd, ...string), options ...string) *exec.Cmd {
	cmd := process(s.t, "--conf", s.conf)
	cmd.Env = append(cmd.Env, s.env...)
	record(cmd, options...)
	return cmd
}

// stop ends the director with that signal and waits for its end.
func (s *site) stop(sig os.Signal) {
	s.t.Helper()
	s.rec.Signal(sig)
	_ = s.run.cmd.Wait() // it may have been killed
}

// A step is one act in the life of a site.
type step struct {
	act    string
	record session.AuditAction // that it makes
	do     func() error
}

// do does steps, each of which must be answered and on record.
func (s *site) do(steps ...step) {
	s.t.Helper()
	for _, st := range steps {
		before := len(s.now.audit)
		require.NoError(s.t, st.do(), st.act)
		s.done(st.act)
		require.Len(s.t, s.now.audit, before+1, st.act)
		require.Equal(s.t, st.record, s.now.audit[before].Action, st.act)
	}
}

// done notes that an act was answered.
func (s *site) done(act string) {
	s.t.Helper()
	s.now.at = s.rec.Mark() // before anything else happens
	s.now.act = act
	s.now.audit = s.audit()
	if s.admin != "" && act != started { // what a killed director did last may be seen and not be lasting yet
		s.now.agents = s.list()
	}
	k := s.now
	k.certs, k.denied, k.logins, k.logouts = maps.Clone(k.certs), slices.Clone(k.denied), slices.Clone(k.logins), slices.Clone(k.logouts)
	s.history = append(s.history, k)
}

// audit returns what is on record now.
func (s *site) audit() []session.AuditRecord {
	data, err := os.ReadFile(s.file(standalone.AuditFile))
	require.NoError(s.t, err)
	var all []session.AuditRecord
	for line := range bytes.Lines(data) {
		var r session.AuditRecord
		require.NoError(s.t, json.Unmarshal(line, &r))
		if r.Action != session.AuditCut {
			all = append(all, r)
		}
	}
	return all
}

// list returns the register as the admin sees it.
func (s *site) list() []entry {
	s.t.Helper()
	var agents []dcvix.Agent
	body, err := s.call(http.MethodGet, dcvix.PathAdminAgents, request{cookie: s.admin})
	require.NoError(s.t, err)
	require.NoError(s.t, json.Unmarshal(body, &agents))
	all := make([]entry, 0, len(agents))
	for _, a := range agents {
		all = append(all, entry{
			ID: a.GUID, State: a.State, Hostname: a.Hostname, Requested: a.RequestedHostname, Fingerprint: a.Fingerprint,
			Serial: a.CertSerial, Aliases: joined(a.Aliases), Conflict: a.Conflict,
		})
	}
	return all
}

// A request is what call sends. The zero value is one of a stranger who says nothing.
type request struct {
	body   any // any, because it goes to encoding/json
	cookie string
	cert   *tls.Certificate
	status int // that is wanted; 0 means 200
}

// A statusError is an answer with another status than the one wanted.
type statusError struct {
	status int
	body   []byte
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.body) }

// call sends a request and returns the answer.
func (s *site) call(method, path string, r request) ([]byte, error) {
	s.t.Helper()
	conf := trusting(s.t, s.conf)
	if r.cert != nil {
		conf.Certificates = []tls.Certificate{*r.cert}
	}
	transport := &http.Transport{TLSClientConfig: conf}
	defer transport.CloseIdleConnections()
	sent, err := json.Marshal(r.body)
	require.NoError(s.t, err)
	req, err := http.NewRequestWithContext(s.t.Context(), method, "https://"+s.address+path, bytes.NewReader(sent))
	require.NoError(s.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.AddCookie(&http.Cookie{Name: dcvix.CookieName, Value: r.cookie})
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	for _, c := range resp.Cookies() {
		if c.Name == dcvix.CookieName {
			s.given = c.Value
		}
	}
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != cmp.Or(r.status, http.StatusOK) {
		err = &statusError{resp.StatusCode, answer}
	}
	return answer, err
}

// login logs in and gives the cookie to keep.
func (s *site) login(path, user string, keep func(cookie string)) step {
	return step{user + " logs in", session.AuditLogin, func() error {
		_, err := s.call(http.MethodPost, path, request{body: dcvix.LoginRequest{UserID: user, Password: password}})
		if err == nil {
			keep(s.given)
			s.now.logins = append(s.now.logins, s.given)
		}
		return err
	}}
}

// logout ends the login that was the last.
func (s *site) logout(user string) step {
	return step{user + " logs out", session.AuditLogout, func() error {
		last := len(s.now.logins) - 1
		cookie := s.now.logins[last]
		_, err := s.call(http.MethodPost, dcvix.PathLogout, request{cookie: cookie})
		if err == nil {
			s.now.logins, s.now.logouts = s.now.logins[:last], append(s.now.logouts, cookie)
		}
		return err
	}}
}

// asks is the first request of a host.
func (s *site) asks(h *host) step {
	return step{h.name + " asks", session.AuditAgentRegister, func() error { return s.register(h, http.StatusForbidden) }}
}

// certified is the request of a host that was approved.
func (s *site) certified(h *host) step {
	return step{h.name + " asks for its certificate", session.AuditAgentCertify, func() error { return s.register(h, http.StatusOK) }}
}

// register asks for a certificate, and keeps it when the answer is to be one.
func (s *site) register(h *host, status int) error {
	answer, err := s.call(http.MethodPost, dcvix.PathAgentRegister, request{
		body: dcvix.RegisterRequest{CSR: h.csr(s.t), GUID: h.id, Hostname: h.name}, status: status,
	})
	if err != nil || status != http.StatusOK {
		return err
	}
	return s.keep(h, answer)
}

func (s *site) renews(h *host) step {
	return step{h.name + " renews", session.AuditAgentCertify, func() error {
		answer, err := s.call(http.MethodPost, dcvix.PathAgentRenew, request{body: dcvix.RenewRequest{CSR: h.csr(s.t)}, cert: h.cert})
		if err != nil {
			return err
		}
		return s.keep(h, answer)
	}}
}

func (s *site) keep(h *host, answer []byte) error {
	var r dcvix.RegisterResponse
	if err := json.Unmarshal(answer, &r); err != nil {
		return err
	}
	chain, err := ca.ParseCerts([]byte(r.Certificate))
	if err != nil {
		return err
	}
	h.cert = &tls.Certificate{Certificate: [][]byte{chain[0].Raw}, PrivateKey: h.key, Leaf: chain[0]}
	s.now.certs[h.id], s.hosts[h.id] = r.Certificate, h
	return nil
}

// decides is what the admin does with a host.
func (s *site) decides(action session.AuditAction, path string, h *host, body any) step {
	return step{fmt.Sprintf("%s %s", action, h.name), action, func() error {
		_, err := s.call(http.MethodPost, dcvix.Path(path, string(h.id)), request{body: body, cookie: s.admin})
		return err
	}}
}

// enrols is the way of a host to its certificate.
func (s *site) enrols(h *host) []step {
	return []step{s.asks(h), s.decides(session.AuditAgentApprove, dcvix.PathAdminAgentApprove, h, nil), s.certified(h)}
}
