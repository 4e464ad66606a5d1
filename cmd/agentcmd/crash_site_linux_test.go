package agentcmd_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/agentclient/agentclienttest"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/cmd/internal/crashtest"
	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// A pinner is a director that pins keys as the real one does. Its certificates
// are a day old when they are new, so that agents renew them at once.
type pinner struct {
	*httptest.Server

	mu       sync.Mutex // guards what follows
	ca       *ca.Authority
	pair     tls.Certificate
	pinned   map[dcvix.AgentID]string // fingerprints of keys
	approved bool
	asked    func(id dcvix.AgentID, key string) // told of requests for a first certificate
}

func newPinner(t *testing.T) *pinner {
	t.Helper()
	p := &pinner{asked: func(dcvix.AgentID, string) {}}
	p.change(t, newOldCA(t))
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+dcvix.PathAgentRegister, p.register)
	mux.HandleFunc("POST "+dcvix.PathAgentRenew, p.renew)
	mux.HandleFunc("POST "+dcvix.PathAgentUpdate, func(w http.ResponseWriter, r *http.Request) { _, _ = p.known(w, r) })
	p.Server = httptest.NewUnstartedServer(mux)
	p.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return &tls.Config{ClientAuth: tls.RequestClientCert, Certificates: []tls.Certificate{p.pair}, MinVersion: tls.VersionTLS12}, nil
	}}
	p.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

func newOldCA(t *testing.T) *ca.Authority {
	t.Helper()
	a, err := ca.Open(t.TempDir(), ca.Config{Now: func() time.Time { return time.Now().Add(-24 * time.Hour) }})
	require.NoError(t, err)
	return a
}

// change gives the director a CA, and nobody is known to it any more.
func (p *pinner) change(t *testing.T, authority *ca.Authority) {
	t.Helper()
	pair := catest.Issue(t, authority, dcvix.DirectorCommonName)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ca, p.pair, p.pinned = authority, pair, make(map[dcvix.AgentID]string)
}

func (p *pinner) register(w http.ResponseWriter, r *http.Request) {
	var asked dcvix.RegisterRequest
	_ = json.NewDecoder(r.Body).Decode(&asked) // without a request there is no signature
	p.mu.Lock()
	defer p.mu.Unlock()
	csr, err := ca.ParseCSR(asked.CSR)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	key := csr.Fingerprint()
	p.asked(asked.GUID, key.String())
	if pinned, ok := p.pinned[asked.GUID]; ok && pinned != key.String() {
		http.Error(w, "another key is known under this GUID", http.StatusUnauthorized)
		return
	}
	p.pinned[asked.GUID] = key.String()
	if !p.approved {
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(dcvix.PendingResponse{Error: dcvix.PendingApproval}) // nobody to tell
		return
	}
	p.sign(w, csr)
}

func (p *pinner) sign(w http.ResponseWriter, csr *ca.CSR) {
	chain, err := p.ca.SignAgent(csr, ca.Identity{CommonName: csr.CommonNames()[0], DNSNames: []string{"ws1"}})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(dcvix.RegisterResponse{ // nobody to tell
		Certificate: string(ca.EncodePEM(chain...)), CA: string(p.ca.PEM()), RenewalIntervalSeconds: 3600,
	})
}

// known returns the key of the caller if it is pinned and its certificate good.
func (p *pinner) known(w http.ResponseWriter, r *http.Request) (key string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, cert := range r.TLS.PeerCertificates {
		_, err := cert.Verify(x509.VerifyOptions{Roots: p.ca.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		found, _ := ca.KeyFingerprint(cert.PublicKey) // it was parsed
		for id, pinned := range p.pinned {
			if err == nil && cert.Subject.CommonName == dcvix.AgentCommonName+string(id) && pinned == found.String() {
				return pinned, true
			}
		}
	}
	http.Error(w, "unknown agent", http.StatusUnauthorized)
	return "", false
}

func (p *pinner) renew(w http.ResponseWriter, r *http.Request) {
	var asked dcvix.RenewRequest
	_ = json.NewDecoder(r.Body).Decode(&asked) // without a request there is no signature
	if _, ok := p.known(w, r); !ok {
		return
	}
	csr, err := ca.ParseCSR(asked.CSR)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sign(w, csr)
}

// A site is an agent whose every change of the disk is recorded, and what its
// director knows of it.
type site struct {
	t        *testing.T
	director *pinner
	first    *ca.Authority // of the director
	conf     string
	rec      *crashtest.Recording

	mu   sync.Mutex // guards ages
	ages []age
}

// An age is a time in the life of an agent that begins when its director learns
// something.
type age struct {
	from     crashtest.Mark
	what     string
	ca       *ca.Authority // of the director
	pin      bool          // the agent is told the fingerprint of the CA
	id       dcvix.AgentID // "" until it was sent
	key      string        // fingerprint
	approved bool
	enrolled bool // it has a certificate of that CA

	lost map[dcvix.AgentID]string // keys of its earlier identities
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, director: newPinner(t)}
	s.first = s.director.ca
	port := s.director.Listener.Addr().(*net.TCPAddr).Port
	s.conf = conf(t, fmt.Sprintf("director_port = %d\ndcv_path = /nothing/dcv\nupdate_interval = 1h", port), "")
	s.rec = crashtest.Record(t, filepath.Dir(s.conf))
	s.director.asked = s.asked
	return s
}

func (s *site) state(file string) string { return filepath.Join(filepath.Dir(s.conf), "state", file) }

// age begins another age, which is like the one before but for change.
func (s *site) age(what string, change func(*age)) {
	a := s.last()
	a.what, a.from = what, s.rec.Mark()
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&a)
	s.ages = append(s.ages, a)
}

// last returns the newest age.
func (s *site) last() age {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ages) == 0 {
		return age{ca: s.first}
	}
	return s.ages[len(s.ages)-1]
}

// asked is called by the director, which holds its lock.
func (s *site) asked(id dcvix.AgentID, key string) {
	if last := s.last(); last.id != id || last.key != key {
		s.age(fmt.Sprintf("it asked for a certificate as %s with the key %.8s", id, key), func(a *age) { a.id, a.key = id, key })
	}
}

func (s *site) approve() {
	s.director.mu.Lock()
	defer s.director.mu.Unlock()
	s.director.approved = true
	s.age("it was approved", func(a *age) { a.approved = true })
}

func (s *site) enrolled() {
	s.director.mu.Lock()
	defer s.director.mu.Unlock()
	s.age("it was enrolled", func(a *age) { a.enrolled = true })
}

// program returns the agent, not started yet.
func (s *site) program(record func(*exec.Cmd, ...string), options ...string) *exec.Cmd {
	cmd := process(s.t, "--conf", s.conf)
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0") // else it waits a second at its end
	if last := s.last(); last.pin {
		cmd.Env = append(cmd.Env, "DCVIX_AGENT_CA_FINGERPRINT="+ca.FingerprintOf(last.ca.Certificate()).String())
	}
	record(cmd, options...)
	return cmd
}

func (s *site) stop(cmd *exec.Cmd, sig os.Signal) {
	s.t.Helper()
	s.rec.Signal(sig)
	_ = cmd.Wait() // it may have been killed
}

// live lets an agent see all that makes it write: it waits for approval, enrols,
// renews and is killed, renews and is stopped, gets a director with another CA and
// loses its key.
func (s *site) live() {
	t := s.t
	cmd := s.program(s.rec.Run)
	s.age("it was started", func(*age) {})
	log := start(t, cmd, "waiting for an admin to approve")
	s.approve()
	await(t, log, "msg=enrolled")
	s.enrolled()
	await(t, log, "certificate renewed")
	s.stop(cmd, syscall.SIGKILL)

	cmd = s.program(s.rec.Continue)
	start(t, cmd, "certificate renewed")
	s.stop(cmd, syscall.SIGTERM)

	second := newOldCA(t)
	s.director.change(t, second)
	s.age("the director has a new CA", func(a *age) { a.ca, a.pin, a.enrolled = second, true, false })
	cmd = s.program(s.rec.Continue)
	log = start(t, cmd, "msg=enrolled")
	s.enrolled()
	await(t, log, "certificate renewed")
	s.stop(cmd, syscall.SIGTERM)

	require.NoError(t, os.Remove(s.state(agentclient.KeyFile)))
	cmd = s.program(s.rec.Run)
	s.age("it lost its key", func(a *age) {
		a.lost, a.id, a.key, a.enrolled = map[dcvix.AgentID]string{a.id: a.key}, "", "", false
	})
	start(t, cmd, "certificate renewed")
	s.enrolled()
	s.stop(cmd, syscall.SIGKILL)
}

// check starts an agent on what a crash in that age left, and looks whether its
// director still knows it.
func (s *site) check(ctx context.Context, dir string, now age) error {
	s.director.mu.Lock()
	s.director.asked = func(dcvix.AgentID, string) {}
	s.director.mu.Unlock()
	s.director.change(s.t, now.ca)
	s.director.mu.Lock()
	s.director.approved = now.approved
	maps.Copy(s.director.pinned, now.lost)
	if now.id != "" {
		s.director.pinned[now.id] = now.key
	}
	s.director.mu.Unlock()
	if err := files(filepath.Join(dir, "state"), now); err != nil {
		return err
	}
	status, err := s.revive(ctx, filepath.Join(dir, "state"), now)
	switch {
	case err != nil:
		return err
	case now.id != "" && (status.GUID != now.id || status.Fingerprint != now.key):
		return fmt.Errorf("it comes back as %s with the key %.8s", status.GUID, status.Fingerprint)
	}
	s.director.mu.Lock()
	defer s.director.mu.Unlock()
	if len(s.director.pinned) != len(now.lost)+1 {
		return fmt.Errorf("the director knows %d agents", len(s.director.pinned))
	}
	return nil
}

// files looks for what must be in the state folder.
func files(dir string, now age) error {
	chain, err := ca.ReadCertFile(filepath.Join(dir, agentclient.CAFile))
	_, certified := os.Stat(filepath.Join(dir, agentclient.CertFile))
	switch {
	case err != nil && (now.enrolled || certified == nil):
		return fmt.Errorf("it is enrolled and does not know its CA: %w", err)
	case now.enrolled && !chain[0].Equal(now.ca.Certificate()):
		return errors.New("it is enrolled and knows another CA")
	}
	if err := ca.CheckKeyFile(filepath.Join(dir, agentclient.KeyFile)); err != nil && now.id != "" {
		return err
	}
	return nil
}

// revive runs an agent until it waits for approval, or reported.
func (s *site) revive(ctx context.Context, dir string, now age) (agentclient.Status, error) {
	dcv, err := dcvclitest.New(dcvclitest.Config{})
	require.NoError(s.t, err)
	cli, err := dcvcli.New(dcvcli.Config{Runner: dcv, Platform: "linux"})
	require.NoError(s.t, err)
	config := agentclient.Config{
		DirectorURL: s.director.URL, StateDir: dir, Hostname: "ws1", DCV: cli, Stats: agentclienttest.Stats{}, Logger: slog.New(slog.DiscardHandler),
		Listen: func(ctx context.Context, network, _ string) (net.Listener, error) {
			return (&net.ListenConfig{}).Listen(ctx, network, "127.0.0.1:0")
		},
	}
	if now.pin {
		config.CAFingerprint = ca.FingerprintOf(now.ca.Certificate()).String()
	}
	a, err := agentclient.New(config)
	require.NoError(s.t, err)
	ctx, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return a.Status(), fmt.Errorf("the agent ended as %+v: %w", a.Status(), err)
		case <-tick.C:
		}
		status := a.Status()
		if now.approved && !status.LastReport.IsZero() || !now.approved && status.State == agentclient.Pending {
			stop()
			return status, <-ended
		}
	}
}
