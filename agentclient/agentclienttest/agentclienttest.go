// Package agentclienttest runs agents inside the tests of a director.
//
// An [Agent] is the whole engine of package agentclient on a free port of the
// loopback interface, with real TLS, above a DCV host that is a fake at the
// outermost edge: the dcv command.
package agentclienttest

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// patience is how long an agent may take for what a test waits for.
const patience = 20 * time.Second

// An Option changes how [New] makes an agent.
type Option func(*setup)

type setup struct {
	cfg agentclient.Config
	dcv *dcvclitest.DCV
}

// WithHostname names the host; the default is "ws1".
func WithHostname(name string) Option {
	return func(s *setup) { s.cfg.Hostname = name }
}

// WithDCV gives the host's DCV; the default is a new one without sessions.
func WithDCV(dcv *dcvclitest.DCV) Option {
	return func(s *setup) { s.dcv = dcv }
}

// WithStateDir keeps the agent's identity in dir, for an agent that is to come
// back; the default is a folder of the test.
func WithStateDir(dir string) Option {
	return func(s *setup) { s.cfg.StateDir = dir }
}

// WithConfig changes the configuration last, when all of it is set.
func WithConfig(change func(*agentclient.Config)) Option {
	return func(s *setup) { change(&s.cfg) }
}

// An Agent is a running agent.
type Agent struct {
	t     testing.TB
	agent *agentclient.Agent
	dcv   *dcvclitest.DCV
	port  int
	stop  func()
}

// New starts an agent of the director at that URL. It runs until [Agent.Stop],
// at the latest until the test ends, which fails if the agent failed.
func New(t testing.TB, directorURL string, opts ...Option) *Agent {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &Agent{t: t, port: ln.Addr().(*net.TCPAddr).Port}
	s := setup{cfg: agentclient.Config{
		DirectorURL:    directorURL,
		Hostname:       "ws1",
		AgentPort:      a.port,
		UpdateInterval: 30 * time.Second,
		Stats:          Stats{},
		Listen:         func(context.Context, string, string) (net.Listener, error) { return ln, nil },
		Logger:         slog.New(slog.NewTextHandler(t.Output(), nil)),
	}}
	for _, opt := range opts {
		opt(&s)
	}
	if s.cfg.StateDir == "" {
		s.cfg.StateDir = t.TempDir()
	}
	if s.dcv == nil {
		if s.dcv, err = dcvclitest.New(dcvclitest.Config{}); err != nil {
			t.Fatal(err)
		}
	}
	a.dcv = s.dcv
	if s.cfg.DCV == nil {
		if s.cfg.DCV, err = dcvcli.New(dcvcli.Config{Runner: s.dcv, Platform: "linux"}); err != nil {
			t.Fatal(err)
		}
	}
	if a.agent, err = agentclient.New(s.cfg); err != nil {
		t.Fatal(err)
	}
	a.run(ln)
	return a
}

func (a *Agent) run(ln net.Listener) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(a.t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.agent.Run(ctx) }()
	stopped := false
	a.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			a.t.Errorf("the agent failed: %v", err)
		}
		_ = ln.Close() // an agent that never enrolled did not take it
	}
	a.t.Cleanup(a.stop)
	a.await("has an identity", func(s agentclient.Status) bool { return s.GUID != "" })
}

// Stop stops the agent and waits for its end.
func (a *Agent) Stop() { a.stop() }

// GUID returns the id under which the director knows the agent.
func (a *Agent) GUID() dcvix.AgentID { return a.agent.Status().GUID }

// Fingerprint returns that of the agent's key, in the form an admin compares.
func (a *Agent) Fingerprint() string { return a.agent.Status().Fingerprint }

// DCV returns the fake DCV of the agent's host.
func (a *Agent) DCV() *dcvclitest.DCV { return a.dcv }

// Port returns where the agent listens on 127.0.0.1 once it is enrolled.
func (a *Agent) Port() int { return a.port }

// Status returns what the agent says about itself.
func (a *Agent) Status() agentclient.Status { return a.agent.Status() }

// AwaitState waits until the agent is in that state, and fails the test after 20 s.
func (a *Agent) AwaitState(state agentclient.State) {
	a.t.Helper()
	a.await("is "+string(state), func(s agentclient.Status) bool { return s.State == state })
}

// AwaitReport waits until the director took a report, and fails the test after
// 20 s.
func (a *Agent) AwaitReport() {
	a.t.Helper()
	a.await("reported", func(s agentclient.Status) bool { return !s.LastReport.IsZero() })
}

func (a *Agent) await(what string, holds func(agentclient.Status) bool) {
	a.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		status := a.agent.Status()
		if holds(status) {
			return
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("waited %s until the agent %s; it is %+v", patience, what, status)
		}
	}
}

// Stats are the figures of a small host that has little to do.
type Stats struct{}

// Stats implements [agentclient.Stats].
func (Stats) Stats(context.Context) (dcvix.Stats, error) {
	return dcvix.Stats{FreeMemory: 12 << 30, TotalMemory: 16 << 30, Cores: 8, CPUUsage: 3.5, Load1: 0.2, Load5: 0.1, Load15: 0.05}, nil
}
