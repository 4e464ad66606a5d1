// Package directorapitest runs a director inside a test.
//
// A [Server] is the whole director, with a throw-away CA, a memory store and
// users that it knows by heart, on a free port of the loopback interface with
// real TLS. Its agents are real too; only the dcv command below them is a fake.
package directorapitest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient/agentclienttest"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/agenthttp"
	"github.com/dcvix/dcvix/session/memory"
)

// The people that every Server knows, and their password. Alice may use ws1 and
// ws2, Bob ws2 and every other host that he can name, Mallory nothing; Root is the admin.
const (
	Alice   = "alice"
	Bob     = "bob"
	Mallory = "mallory"
	Root    = "root"

	Password = "correct horse"
)

// An Option changes how [NewServer] makes a director.
type Option func(*setup)

type setup struct {
	api    directorapi.Config
	broker session.Config
}

// WithAPI changes the configuration of the HTTP API.
func WithAPI(change func(*directorapi.Config)) Option {
	return func(s *setup) { change(&s.api) }
}

// WithBroker changes the configuration of the broker.
func WithBroker(change func(*session.Config)) Option {
	return func(s *setup) { change(&s.broker) }
}

// A Server is a running director.
type Server struct {
	URL    string              // https://127.0.0.1:PORT
	API    *directorapi.Server // what answers there
	Broker *session.Broker
	CA     *ca.Authority
	Tokens *token.Sealer
	Policy *Policy

	t    testing.TB
	pair tls.Certificate
}

// NewServer starts a director. It runs until the test ends.
func NewServer(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s := &Server{t: t, CA: catest.New(t), Policy: new(Policy)}
	s.Policy.Set(t, DefaultUsers, "")
	pair := catest.Issue(t, s.CA, dcvix.DirectorCommonName, "localhost")
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	caller := must(agenthttp.New(agenthttp.Config{TLS: &tls.Config{
		RootCAs: s.CA.Pool(), Certificates: []tls.Certificate{pair},
	}}))(t)
	s.Tokens = must(token.New(token.Config{Keys: []token.Key{token.NewKey()}}))(t)
	var cfg setup
	cfg.broker = session.Config{
		Store: new(memory.Store), Agents: caller, Policy: s.Policy, Logger: logger,
		Reserved: func() []dcvix.Hostname { return []dcvix.Hostname{"director.lab"} },
	}
	cfg.api = directorapi.Config{CA: s.CA, Authenticator: people(), Tokens: s.Tokens, Logger: logger}
	for _, opt := range opts {
		opt(&cfg)
	}
	s.Broker = must(session.Open(t.Context(), cfg.broker))(t)
	cfg.api.Broker = s.Broker
	s.API = must(directorapi.New(cfg.api))(t)
	s.pair = pair
	s.serve(logger)
	t.Cleanup(caller.Close)
	return s
}

func (s *Server) serve(logger *slog.Logger) {
	ln, err := new(net.ListenConfig).Listen(s.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.URL = "https://" + ln.Addr().String()
	server := directorapi.HTTPServer(s.API, s.ServerTLS(), logger)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.ServeTLS(ln, "", "") // ends with Close
	}()
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	ran := make(chan error, 1)
	go func() { ran <- s.Broker.Run(ctx) }()
	counted := make(chan error, 1)
	go func() { counted <- s.API.Run(ctx) }()
	s.t.Cleanup(func() {
		_ = server.Close()
		<-served
		cancel()
		if err := <-ran; err != nil {
			s.t.Errorf("the broker failed: %v", err)
		}
		if err := <-counted; err != nil {
			s.t.Errorf("the API's counts failed: %v", err)
		}
	})
}

func people() auth.Authenticator {
	return authtest.Static{Passwords: map[dcvix.Username]auth.Secret{
		Alice: Password, Bob: Password, Mallory: Password, Root: Password,
	}}
}

// DefaultUsers is the users.json that a Server starts with.
const DefaultUsers = `[
	{"id": "alice", "workstations": ["ws1", "ws2"]},
	{"id": "bob", "workstations": ["ws2", "ALLOW_CUSTOM"]},
	{"id": "root", "admin": true}
]`

// A Policy is a [session.Policy] that a test can change.
type Policy struct{ rules atomic.Pointer[session.Rules] }

// Rules implements [session.Policy].
func (p *Policy) Rules() *session.Rules { return p.rules.Load() }

// Set replaces the policy by the content of users.json and pools.json.
func (p *Policy) Set(t testing.TB, users, pools string) {
	t.Helper()
	p.SetFiles(t, session.PolicyFiles{Users: []byte(users), Pools: []byte(pools)})
}

// SetFiles replaces the policy.
func (p *Policy) SetFiles(t testing.TB, files session.PolicyFiles) {
	t.Helper()
	p.rules.Store(must(session.ParseRules(files))(t))
}

// ServerTLS returns what the director's listener uses, for one more of a test's own.
func (s *Server) ServerTLS() *tls.Config {
	return directorapi.TLSConfig(s.CA, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &s.pair, nil })
}

// TLS returns what a client that knows the director's CA uses.
func (s *Server) TLS() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(s.CA.Certificate())
	return &tls.Config{RootCAs: pool}
}

// Anonymous returns a client that is not logged in.
func (s *Server) Anonymous() *client.Client {
	s.t.Helper()
	return NewClient(s.t, s, "")
}

// NewClient returns a client that is not logged in, for a director below a prefix.
func NewClient(t testing.TB, s *Server, prefix string) *client.Client {
	t.Helper()
	c := must(client.New(client.Config{URL: s.URL + prefix, TLS: s.TLS()}))(t)
	t.Cleanup(c.Close)
	return c
}

// Client returns a client that is logged in as that user.
func (s *Server) Client(user string) *client.Client {
	s.t.Helper()
	c := s.Anonymous()
	if err := c.Login(s.t.Context(), dcvix.LoginRequest{UserID: user, Password: Password}); err != nil {
		s.t.Fatalf("log in %s: %v", user, err)
	}
	return c
}

// AdminClient returns a client that is logged in as an admin.
func (s *Server) AdminClient() *client.Client {
	s.t.Helper()
	c := s.Anonymous()
	if err := c.AdminLogin(s.t.Context(), dcvix.LoginRequest{UserID: Root, Password: Password}); err != nil {
		s.t.Fatalf("log in as admin: %v", err)
	}
	return c
}

// Agent starts an agent, approves it as an admin would, and returns it once the
// director has its first report.
func (s *Server) Agent(opts ...agentclienttest.Option) *agentclienttest.Agent {
	s.t.Helper()
	a := agentclienttest.New(s.t, s.URL, opts...)
	s.AwaitPending(a)
	if err := s.AdminClient().Approve(s.t.Context(), a.GUID(), dcvix.ApproveRequest{}); err != nil {
		s.t.Fatalf("approve the agent: %v", err)
	}
	a.AwaitReport()
	return a
}

// AwaitPending waits until the agent has asked to be registered.
func (s *Server) AwaitPending(a *agentclienttest.Agent) {
	s.t.Helper()
	Await(s.t, fmt.Sprintf("agent %s is pending", a.GUID()), func() bool {
		for _, known := range s.Broker.Agents(dcvix.AgentPending) {
			if known.ID == a.GUID() {
				return true
			}
		}
		return false
	})
}

// Await waits until something is so, and fails the test after 20 s.
func Await(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatalf("%s: not within 20 s", what)
}

// JSON returns v as JSON, for requests that a test sends by hand.
func JSON(t testing.TB, v any) []byte { // any: as encoding/json
	t.Helper()
	return must(json.Marshal(v))(t)
}

// must returns a value, or ends the test that its result is called with.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
