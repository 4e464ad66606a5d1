package directorcmd_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
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
	admin   string // cookie
	now     known
	history []known
}

func newSite(t *testing.T) *site {
	t.Helper()
	path := conf(t, "server_names = director.example", "")
	setUsers(t, path, `[{"id": "alice", "workstations": ["ws1"]}, {"id": "root", "admin": true}]`)
	return &site{t: t, conf: path, rec: crashtest.Record(t, filepath.Dir(path)), now: known{certs: make(map[dcvix.AgentID]string)}}
}

func (s *site) file(name string) string { return filepath.Join(filepath.Dir(s.conf), "data", name) }

// start starts the director, recorded by record.
func (s *site) start(record func(*exec.Cmd, ...string)) {
	s.t.Helper()
	cmd := process(s.t, "--conf", s.conf)
	record(cmd)
	s.run, s.address = start(s.t, cmd)
	s.now.ca = s.run.await(`ca_fingerprint=(\S+)`)[1]
	s.done("start", "")
}

// stop ends the director with that signal and waits for its end.
func (s *site) stop(sig os.Signal) {
	s.t.Helper()
	s.rec.Signal(sig)
	_ = s.run.cmd.Wait() // it may have been killed
}

// done notes that an act was answered and is on record, as action unless that is "".
func (s *site) done(act string, action session.AuditAction) {
	s.t.Helper()
	s.now.at = s.rec.Mark() // before anything else happens
	s.now.act = act
	before := len(s.now.audit)
	s.now.audit = s.audit()
	if action != "" {
		require.Len(s.t, s.now.audit, before+1, act)
		require.Equal(s.t, action, s.now.audit[before].Action, act)
	}
	if s.admin != "" {
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
	_, body := s.call(http.MethodGet, dcvix.PathAdminAgents, nil, s.admin, http.StatusOK)
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

// call sends a request with a cookie and wants that status.
func (s *site) call(method, path string, body any, cookie string, status int, certs ...tls.Certificate) (*http.Response, []byte) {
	s.t.Helper()
	conf := trusting(s.t, s.conf)
	conf.Certificates = certs
	transport := &http.Transport{TLSClientConfig: conf}
	defer transport.CloseIdleConnections()
	sent, err := json.Marshal(body)
	require.NoError(s.t, err)
	req, err := http.NewRequestWithContext(s.t.Context(), method, "https://"+s.address+path, bytes.NewReader(sent))
	require.NoError(s.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.AddCookie(&http.Cookie{Name: dcvix.CookieName, Value: cookie})
	resp, err := transport.RoundTrip(req)
	require.NoError(s.t, err)
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, status, resp.StatusCode, "%s: %s", path, answer)
	return resp, answer
}

func (s *site) login(path, user string) string {
	s.t.Helper()
	resp, _ := s.call(http.MethodPost, path, dcvix.LoginRequest{UserID: user, Password: password}, "", http.StatusOK)
	for _, c := range resp.Cookies() {
		if c.Name == dcvix.CookieName {
			s.now.logins = append(s.now.logins, c.Value)
			return c.Value
		}
	}
	s.t.Fatal("a login without a cookie")
	return ""
}

func (s *site) logout(cookie string) {
	s.t.Helper()
	// Whether it is good while the answer is under way is not known.
	s.now.logins = slices.DeleteFunc(s.now.logins, func(c string) bool { return c == cookie })
	s.call(http.MethodPost, dcvix.PathLogout, nil, cookie, http.StatusOK)
	s.now.logouts = append(s.now.logouts, cookie)
}

// register asks for a certificate, and keeps it when the answer is to be one.
func (s *site) register(h *host, status int) {
	s.t.Helper()
	_, body := s.call(http.MethodPost, dcvix.PathAgentRegister, dcvix.RegisterRequest{CSR: h.csr(s.t), GUID: h.id, Hostname: h.name}, "", status)
	if status == http.StatusOK {
		s.keep(h, body)
	}
}

func (s *site) renew(h *host) {
	s.t.Helper()
	_, body := s.call(http.MethodPost, dcvix.PathAgentRenew, dcvix.RenewRequest{CSR: h.csr(s.t)}, "", http.StatusOK, *h.cert)
	s.keep(h, body)
}

func (s *site) keep(h *host, answer []byte) {
	s.t.Helper()
	var r dcvix.RegisterResponse
	require.NoError(s.t, json.Unmarshal(answer, &r))
	chain, err := ca.ParseCerts([]byte(r.Certificate))
	require.NoError(s.t, err)
	h.cert = &tls.Certificate{Certificate: [][]byte{chain[0].Raw}, PrivateKey: h.key, Leaf: chain[0]}
	s.now.certs[h.id] = r.Certificate
}

// act is what an admin does with an agent.
func (s *site) act(path string, h *host, body any) {
	s.t.Helper()
	s.call(http.MethodPost, dcvix.Path(path, string(h.id)), body, s.admin, http.StatusOK)
}

// enrol registers, approves and certifies a host.
func (s *site) enrol(h *host) {
	s.t.Helper()
	s.register(h, http.StatusForbidden)
	s.done(h.name+" asks", session.AuditAgentRegister)
	s.act(dcvix.PathAdminAgentApprove, h, nil)
	s.done(h.name+" is approved", session.AuditAgentApprove)
	s.register(h, http.StatusOK)
	s.done(h.name+" has a certificate", session.AuditAgentCertify)
}
