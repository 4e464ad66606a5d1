package agentclient_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/agentclient/agentclienttest"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/agenthttp"
	"github.com/dcvix/dcvix/session/memory"
)

// anybody lets everybody use every host.
type anybody struct{ rules *session.Rules }

func (p anybody) Rules() *session.Rules { return p.rules }

func newAnybody(t testing.TB, users ...dcvix.Username) anybody {
	list := make([]string, 0, len(users))
	for _, u := range users {
		list = append(list, fmt.Sprintf(`{"id":%q,"workstations":["ALLOW_CUSTOM"]}`, u))
	}
	rules, err := session.ParseRules(session.PolicyFiles{Users: []byte("[" + strings.Join(list, ",") + "]"), Pools: []byte("[]")})
	require.NoError(t, err)
	return anybody{rules}
}

// A pairing is a director and the agent of one host, both real, on a network of
// pipes: what happens to a host whose dcv command is not to be trusted is seen
// where it counts. Both can be stopped and started, and cut off.
type pairing struct {
	t      testing.TB
	store  memory.Store
	policy session.Policy
	ca     *ca.Authority
	pair   tls.Certificate
	log    *logbook
	agent  agentclient.Config

	cut atomic.Bool // the network

	mu          sync.Mutex // guards what follows
	directorsLn *listener
	agentsLn    *listener
	broker      *session.Broker
	stopAgent   func()
	stopOther   func()
}

// newPairing starts both; the agent is approved and has reported once at the
// latest when a moment of virtual time has passed.
func newPairing(t testing.TB, dcv agentclient.DCV, change func(*agentclient.Config)) *pairing {
	p := &pairing{t: t, ca: catest.New(t), policy: newAnybody(t, "alice", "bob"), log: &logbook{}}
	p.pair = catest.Issue(t, p.ca, dcvix.DirectorCommonName, directorName)
	p.startDirector()
	p.agent = agentclient.Config{
		DirectorURL: "https://" + directorName, StateDir: t.TempDir(), Hostname: "ws1.lab.example",
		AgentPort: 1025, // where nobody listens outside the bubble
		DCV:       dcv, Stats: agentclienttest.Stats{},
		Dial:   func(ctx context.Context, _, _ string) (net.Conn, error) { return p.dial(ctx, &p.directorsLn) },
		Listen: func(context.Context, string, string) (net.Listener, error) { return p.agentsLn, nil },
		Logger: p.logger("agent"),
	}
	if change != nil {
		change(&p.agent)
	}
	p.startAgent()
	return p
}

func (p *pairing) logger(who string) *slog.Logger {
	return slog.New(slog.NewTextHandler(p.log, nil)).With(slog.String("of", who))
}

// dial reaches who listens there now.
func (p *pairing) dial(ctx context.Context, to **listener) (net.Conn, error) {
	p.mu.Lock()
	ln := *to
	p.mu.Unlock()
	if p.cut.Load() || ln == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no route to host")}
	}
	return ln.Dial(ctx, "", "")
}

func (p *pairing) startDirector() {
	caller, err := agenthttp.New(agenthttp.Config{
		TLS:    &tls.Config{RootCAs: p.ca.Pool(), Certificates: []tls.Certificate{p.pair}},
		Dial:   func(ctx context.Context, _, _ string) (net.Conn, error) { return p.dial(ctx, &p.agentsLn) },
		Lookup: func(context.Context, string) ([]string, error) { return []string{"192.0.2.1"}, nil },
	})
	require.NoError(p.t, err)
	broker, err := session.Open(p.t.Context(), session.Config{Store: &p.store, Agents: caller, Policy: p.policy, Logger: p.logger("director")})
	require.NoError(p.t, err)
	sealer, err := token.New(token.Config{Keys: []token.Key{token.NewKey()}})
	require.NoError(p.t, err)
	api, err := directorapi.New(directorapi.Config{
		CA: p.ca, Broker: broker, Authenticator: authtest.Static{}, Tokens: sealer, Logger: p.logger("director"),
	})
	require.NoError(p.t, err)
	conf := directorapi.TLSConfig(p.ca, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &p.pair, nil })
	server := directorapi.HTTPServer(api, conf, slog.New(slog.DiscardHandler))
	ln := newListener()
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.t.Context()))
	var running sync.WaitGroup
	running.Go(func() { assert.ErrorIs(p.t, server.ServeTLS(ln, "", ""), http.ErrServerClosed) })
	running.Go(func() { assert.NoError(p.t, broker.Run(ctx)) })
	running.Go(func() { assert.NoError(p.t, api.Run(ctx)) })
	p.mu.Lock()
	defer p.mu.Unlock()
	p.directorsLn, p.broker = ln, broker
	p.stopOther = sync.OnceFunc(func() {
		_ = server.Close()
		cancel()
		caller.Close()
		running.Wait()
	})
}

func (p *pairing) startAgent() {
	ln := newListener()
	p.mu.Lock()
	p.agentsLn = ln
	p.mu.Unlock()
	agent, err := agentclient.New(p.agent)
	require.NoError(p.t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- agent.Run(ctx) }()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopAgent = sync.OnceFunc(func() {
		cancel()
		assert.NoError(p.t, <-ended)
		_ = ln.Close()
	})
}

func (p *pairing) restartDirector() {
	p.stopOther()
	p.startDirector()
}

func (p *pairing) restartAgent() {
	p.stopAgent()
	p.startAgent()
}

func (p *pairing) stop() {
	p.stopAgent()
	p.stopOther()
}

// approve registers the agent, which waits.
func (p *pairing) approve() {
	p.t.Helper()
	waiting := p.broker.Agents(dcvix.AgentPending)
	require.Len(p.t, waiting, 1, "%s", p.log)
	require.NoError(p.t, p.broker.Approve(p.t.Context(), waiting[0].ID, session.Approval{}))
}

// view is what the director knows of the host.
func (p *pairing) view() (session.Host, bool) {
	hosts := p.broker.Hosts()
	if len(hosts) == 0 {
		return session.Host{}, false
	}
	return hosts[0], true
}

// A witness runs the fake dcv command and remembers what was asked of it that
// changes something. It may be missing as a whole.
type witness struct {
	dcv     *dcvclitest.DCV
	missing atomic.Bool
	closing func(s dcvclitest.Session, lag time.Duration) // called before a close-session of a session that is there
	created func(owner, id string)                        // called before a create-session
}

var _ dcvcli.Runner = (*witness)(nil)

// Run implements [dcvcli.Runner].
func (w *witness) Run(ctx context.Context, args ...string) ([]byte, error) {
	if w.missing.Load() {
		return nil, fmt.Errorf("%w: it was taken away", dcvcli.ErrNotInstalled)
	}
	switch args[0] {
	case "close-session":
		state, err := w.dcv.State()
		if err != nil {
			return nil, err
		}
		if s, ok := state.Session(args[len(args)-1]); ok {
			w.closing(*s, state.Faults.Lag)
		}
	case "create-session":
		owner := ""
		if i := slices.IndexFunc(args, func(a string) bool { return len(a) > 8 && a[:8] == "--owner=" }); i > 0 {
			owner = args[i][8:]
		}
		w.created(owner, args[len(args)-1])
	}
	return w.dcv.Run(ctx, args...)
}
