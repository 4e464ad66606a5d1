package agentclient_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/agentclient/agentclienttest"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

const directorName = "director.example"

// A listener is one end of a network of pipes, which works in a bubble.
type listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newListener() *listener {
	return &listener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (l *listener) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.done:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A director is as much of one as an agent can see: real TLS, a real CA, one
// register. Its fields are set before it is used; later changes go through with.
type director struct {
	t   testing.TB
	ca  *ca.Authority
	dir string // of the CA

	mu        sync.Mutex // guards what follows
	ln        *listener
	server    *http.Server // of ln
	approved  bool
	fault     func(w http.ResponseWriter, r *http.Request) bool // true: it answered
	look      int
	names     []string
	leafOnly  bool // sends no CA in the handshake
	stale     bool // its certificate is not made anew
	keys      map[dcvix.AgentID]ca.Fingerprint
	registers []dcvix.RegisterRequest
	renewals  []time.Time
	updates   []dcvix.AgentUpdate
	pair      tls.Certificate
}

func newDirector(t testing.TB) *director {
	dir := t.TempDir()
	authority, err := ca.Open(dir, ca.Config{})
	require.NoError(t, err)
	return directorOf(t, authority, dir)
}

// directorOf starts a director with that CA.
func directorOf(t testing.TB, authority *ca.Authority, dir string) *director {
	d := &director{t: t, ca: authority, dir: dir, names: []string{directorName}, keys: map[dcvix.AgentID]ca.Fingerprint{}}
	d.comeBack()
	t.Cleanup(d.goAway)
	return d
}

// goAway stops the director: its connections break, and new ones are refused.
func (d *director) goAway() {
	d.mu.Lock()
	server, ln := d.server, d.ln
	d.mu.Unlock()
	_ = ln.Close()
	_ = server.Close()
}

// comeBack starts it, at first or again.
func (d *director) comeBack() {
	server, ln := &http.Server{Handler: d, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}, newListener()
	conf := &tls.Config{
		ClientAuth: tls.RequestClientCert,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.certificate(), nil
		},
	}
	d.with(func(d *director) { d.server, d.ln = server, ln })
	go func() { _ = server.Serve(tls.NewListener(ln, conf)) }()
}

// dial connects to the director as it is now.
func (d *director) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	ln := d.ln
	d.mu.Unlock()
	return ln.Dial(ctx, network, address)
}

// certificate is made anew when it is old; mu is held.
func (d *director) certificate() *tls.Certificate {
	if d.pair.Leaf == nil || !d.stale && time.Until(d.pair.Leaf.NotAfter) < 30*24*time.Hour || !slices.Equal(d.pair.Leaf.DNSNames, d.names) {
		d.pair = catest.Issue(d.t, d.ca, dcvix.DirectorCommonName, d.names...)
	}
	pair := d.pair
	if d.leafOnly {
		pair.Certificate = pair.Certificate[:1]
	}
	return &pair
}

func (d *director) with(change func(*director)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

func (d *director) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body) // to its end, so that the server notices a client that leaves
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	d.mu.Lock()
	fault := d.fault
	d.mu.Unlock()
	if fault != nil && fault(w, r) { // without the lock: nobody sleeps with it in a bubble
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch r.Method + " " + r.URL.Path {
	case "GET " + dcvix.PathCA:
		_, _ = w.Write(d.ca.PEM())
	case "POST " + dcvix.PathAgentRegister:
		d.register(w, r)
	case "POST " + dcvix.PathAgentRenew:
		d.renew(w, r)
	case "POST " + dcvix.PathAgentUpdate:
		d.update(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (d *director) register(w http.ResponseWriter, r *http.Request) {
	var asked dcvix.RegisterRequest
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, "malformed", http.StatusBadRequest)
		return
	}
	d.registers = append(d.registers, asked)
	if !d.approved {
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(dcvix.PendingResponse{Error: dcvix.PendingApproval})
		return
	}
	chain, ok := d.sign(w, asked.GUID, asked.CSR)
	if !ok {
		return
	}
	_ = json.NewEncoder(w).Encode(dcvix.RegisterResponse{
		Certificate: string(ca.EncodePEM(chain...)), CA: string(d.ca.PEM()), AgentID: asked.GUID, RenewalIntervalSeconds: d.look,
	})
}

func (d *director) sign(w http.ResponseWriter, guid dcvix.AgentID, der []byte) ([]*x509.Certificate, bool) {
	csr, err := ca.ParseCSR(der)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil, false
	}
	key := csr.Fingerprint()
	if pinned, ok := d.keys[guid]; ok && pinned != key {
		http.Error(w, "another key is pinned", http.StatusUnauthorized)
		return nil, false
	}
	d.keys[guid] = key
	chain, err := d.ca.SignAgent(csr, ca.Identity{CommonName: dcvix.AgentCommonName + string(guid), DNSNames: csr.DNSNames()})
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return nil, false
	}
	return chain, true
}

// caller returns who calls with a good certificate of a registered agent.
func (d *director) caller(w http.ResponseWriter, r *http.Request) (dcvix.AgentID, bool) {
	certs := r.TLS.PeerCertificates
	if len(certs) > 0 {
		_, err := certs[0].Verify(x509.VerifyOptions{Roots: d.ca.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		guid, _ := strings.CutPrefix(certs[0].Subject.CommonName, dcvix.AgentCommonName)
		if _, known := d.keys[dcvix.AgentID(guid)]; err == nil && known && d.approved {
			return dcvix.AgentID(guid), true
		}
	}
	http.Error(w, "This agent is not registered.", http.StatusUnauthorized)
	return "", false
}

func (d *director) renew(w http.ResponseWriter, r *http.Request) {
	guid, ok := d.caller(w, r)
	if !ok {
		return
	}
	var asked dcvix.RenewRequest
	_ = json.NewDecoder(r.Body).Decode(&asked)
	if chain, ok := d.sign(w, guid, asked.CSR); ok {
		d.renewals = append(d.renewals, time.Now())
		_ = json.NewEncoder(w).Encode(dcvix.RenewResponse{Certificate: string(ca.EncodePEM(chain...)), RenewalIntervalSeconds: d.look})
	}
}

func (d *director) update(w http.ResponseWriter, r *http.Request) {
	if _, ok := d.caller(w, r); !ok {
		return
	}
	var update dcvix.AgentUpdate
	if err := json.NewDecoder(r.Body).Decode(&update); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d.updates = append(d.updates, update)
}

// counts returns how often each call was answered.
func (d *director) counts() (registers, renewals, updates int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.registers), len(d.renewals), len(d.updates)
}

func (d *director) lastUpdate() dcvix.AgentUpdate {
	d.mu.Lock()
	defer d.mu.Unlock()
	require.NotEmpty(d.t, d.updates, "no report came")
	return d.updates[len(d.updates)-1]
}

// A logbook keeps what an agent logs, as text.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logbook) count(s string) int { return strings.Count(l.String(), s) }

// A host is an agent in a bubble with all it touches.
type host struct {
	*agentclient.Agent

	t        testing.TB
	director *director
	cfg      agentclient.Config
	dcv      *dcvclitest.DCV
	log      *logbook
	ln       *listener   // where the agent listens
	off      atomic.Bool // no network
	end      func() error
}

// errNoNetwork is what a resolver says without a network.
var errNoNetwork = &net.DNSError{Err: "no such host", Name: directorName, IsNotFound: true}

// newHost returns a host whose agent is not started yet.
func newHost(t testing.TB, d *director, change func(*agentclient.Config)) *host {
	dcv, err := dcvclitest.New(dcvclitest.Config{})
	require.NoError(t, err)
	cli, err := dcvcli.New(dcvcli.Config{Runner: dcv, Platform: "linux"})
	require.NoError(t, err)
	h := &host{t: t, director: d, dcv: dcv, log: &logbook{}}
	h.cfg = agentclient.Config{
		DirectorURL: "https://" + directorName + ":8445",
		StateDir:    t.TempDir(),
		Hostname:    "ws1.lab.example",
		DCV:         cli,
		Stats:       agentclienttest.Stats{},
		Dial:        h.to(d), // a host of a site has no d, and another dialer
		Listen:      func(context.Context, string, string) (net.Listener, error) { return h.ln, nil },
		Logger:      slog.New(slog.NewTextHandler(io.MultiWriter(h.log, t.Output()), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&h.cfg)
	}
	return h
}

// to returns a dialer that reaches d, whatever it dials, while the network is on.
func (h *host) to(d *director) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if h.off.Load() {
			return nil, errNoNetwork
		}
		return d.dial(ctx, network, address)
	}
}

// start runs the agent until stop, at the latest until the test ends.
func (h *host) start() *host {
	agent, err := agentclient.New(h.cfg)
	require.NoError(h.t, err)
	h.Agent, h.ln = agent, newListener()
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.t.Context()))
	done := make(chan error, 1)
	go func() { done <- agent.Run(ctx) }()
	h.end = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	h.t.Cleanup(func() { _ = h.end() })
	return h
}

// stop ends the agent and checks that it ended well.
func (h *host) stop() {
	require.NoError(h.t, h.end())
}

// restart is what a service manager does.
func (h *host) restart() {
	h.stop()
	h.start()
}

// enrolled starts an approved agent and waits until it reported.
func enrolled(t testing.TB, d *director, change func(*agentclient.Config)) *host {
	d.with(func(d *director) { d.approved = true })
	h := newHost(t, d, change).start()
	synctest.Wait()
	require.Equal(t, agentclient.Enrolled, h.Status().State, h.log.String())
	return h
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// A recorder keeps an answer for a test that changes it.
type recorder struct {
	header http.Header
	body   []byte
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(int)     {}
func (r *recorder) Write(p []byte) (int, error) {
	r.body = append(r.body, p...)
	return len(p), nil
}

// writeJSON answers with a message.
func writeJSON[T any](w http.ResponseWriter, message T) {
	_ = json.NewEncoder(w).Encode(message)
}

// callerConf is the TLS of who calls an agent with a certificate of d's CA.
func callerConf(t testing.TB, d *director, commonName string, names ...string) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{catest.Issue(t, d.ca, commonName, names...)},
		RootCAs:      d.ca.Pool(),
		ServerName:   "ws1.lab.example",
	}
}
