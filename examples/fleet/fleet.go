package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/client"
)

// approvals is how many agents are approved with one call.
const approvals = 500

// A fleet is all agents and what became of them.
type fleet struct {
	opts     options
	out      io.Writer
	agents   []*agent
	byName   map[string]*agent
	port     int // where the agents are called
	director *director
	url      *url.URL
	roots    *x509.CertPool
	buffers  sync.Pool

	tally struct {
		accepted, refused, failed atomic.Int64 // reports; failed had no answer
		called                    atomic.Int64 // calls of the director
	}

	mu     sync.Mutex // guards what follows
	times  []time.Duration
	wrongs []string // the first of them
	errors int
}

// wrong notes something that must not be.
func (f *fleet) wrong(format string, args ...any) { // any: as fmt
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.errors++; len(f.wrongs) < 20 {
		f.wrongs = append(f.wrongs, fmt.Sprintf(format, args...))
	}
}

// took notes how long a call of a person took.
func (f *fleet) took(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.times = append(f.times, d)
}

// newFleet makes the agents and their keys. Their names are below localhost, which
// is this machine (RFC 6761, 6.3), and new in every run.
func newFleet(o options, out io.Writer) (*fleet, error) {
	f := &fleet{opts: o, out: out, byName: make(map[string]*agent, o.agents)}
	run := strings.ToLower(rand.Text()[:6])
	for i := range o.agents {
		a, err := newAgent(f, i, dcvix.Hostname(fmt.Sprintf("ws%05d-%s.localhost", i, run)))
		if err != nil {
			return nil, err
		}
		f.agents = append(f.agents, a)
		f.byName[string(a.name)] = a
	}
	return f, nil
}

// run is the whole program. The error names what was wrong, after the figures are
// written to out.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	f, err := newFleet(o, out)
	if err != nil {
		return err
	}
	people := newPeople(f)
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { _ = ln.Close() }()      // the server closed it
	f.port = ln.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // that of "tcp"
	if err := f.connect(ctx, people); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.director.stop()) }()
	defer f.serve(ln, f.roots)()

	admin, err := f.enrol(ctx)
	if err != nil {
		return err
	}
	stop := f.report(ctx)
	defer stop()
	if err := f.allReported(ctx); err != nil {
		return err
	}
	if err := f.loginAll(ctx, people); err != nil {
		return err
	}
	f.say("Measuring for %s …", o.duration)
	m := f.measure(ctx, people)
	f.say("Comparing …")
	seen := f.compare(context.WithoutCancel(ctx), admin)
	f.print(m, seen)
	if o.director != "" {
		stop()
		f.leave(context.WithoutCancel(ctx), admin)
	}
	return f.verdict()
}

func (f *fleet) say(format string, args ...any) { // any: as fmt
	_, _ = fmt.Fprintf(f.out, format+"\n", args...)
}

// connect finds or starts the director.
func (f *fleet) connect(ctx context.Context, people []*person) (err error) {
	if f.opts.director != "" {
		f.director, err = other(f.opts)
	} else {
		var users []byte
		if users, err = policy(people); err == nil {
			f.director, err = startOwn(ctx, f.opts, users)
		}
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.director.stop())
		}
	}()
	if f.url, err = url.Parse(f.director.url); err != nil {
		return err
	}
	chain, err := ca.ReadCertFile(f.director.caFile)
	if err != nil {
		return err
	}
	f.roots = x509.NewCertPool()
	f.roots.AddCert(chain[0])
	return nil
}

// trust returns a new configuration, which transports change.
func (f *fleet) trust() *tls.Config {
	return &tls.Config{RootCAs: f.roots, MinVersion: tls.VersionTLS12}
}

func (f *fleet) newLink(pair tls.Certificate) link {
	conf := f.trust()
	conf.ServerName, conf.Certificates = f.url.Hostname(), []tls.Certificate{pair}
	return link{to: f.url, buffers: &f.buffers, tls: conf}
}

// enrol has all agents ask, an admin approve them, and all ask again.
func (f *fleet) enrol(ctx context.Context) (*client.Client, error) {
	f.say("Enrolling %d agents …", len(f.agents))
	admin, err := client.New(client.Config{URL: f.director.url, TLS: f.trust(), Timeout: 5 * time.Minute, MaxAnswer: 256 << 20})
	if err != nil {
		return nil, err
	}
	if err := admin.AdminLogin(ctx, dcvix.LoginRequest{UserID: f.director.admin, Password: f.director.password}); err != nil {
		return nil, fmt.Errorf("log in %s: %w", f.director.admin, err)
	}
	const workers = 32
	transport := &http.Transport{TLSClientConfig: f.trust(), MaxIdleConnsPerHost: workers}
	defer transport.CloseIdleConnections()
	asking := &http.Client{Transport: transport, Timeout: time.Minute}
	register := func(want bool) error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(workers)
		for _, a := range f.agents {
			group.Go(func() error {
				in, err := a.register(ctx, asking)
				if err == nil && in != want {
					err = fmt.Errorf("%s is let in: %t, which is not what the admin said", a.name, in)
				}
				return err
			})
		}
		return group.Wait()
	}
	if err := register(false); err != nil {
		return nil, err
	}
	if err := f.approve(ctx, admin); err != nil {
		return nil, err
	}
	return admin, register(true)
}

func (f *fleet) approve(ctx context.Context, admin *client.Client) error {
	for from := 0; from < len(f.agents); from += approvals {
		var ids []dcvix.AgentID
		for _, a := range f.agents[from:min(from+approvals, len(f.agents))] {
			ids = append(ids, a.guid)
		}
		results, err := admin.ApproveMany(ctx, ids)
		if err != nil {
			return fmt.Errorf("approve agents: %w", err)
		}
		for _, r := range results {
			if r.Status != http.StatusOK {
				return fmt.Errorf("agent %s is not approved: %s", r.GUID, r.Detail)
			}
		}
	}
	return nil
}

// leave takes the agents out of a director that is not ours.
func (f *fleet) leave(ctx context.Context, admin *client.Client) {
	for _, a := range f.agents {
		if err := admin.Revoke(ctx, a.guid); err != nil {
			f.wrong("%s cannot be revoked: %v", a.name, err)
		}
	}
}

// report has all agents report until stop is called.
func (f *fleet) report(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the comparison needs them too
	var running sync.WaitGroup
	for _, a := range f.agents {
		running.Go(func() { a.run(ctx) })
	}
	return sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
}

// allReported waits until every agent has reported once.
func (f *fleet) allReported(ctx context.Context) error {
	f.say("Waiting for the first report of each …")
	for _, a := range f.agents {
		for !a.host.known() {
			if err := sleep(ctx, 50*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// verdict is nil when nothing was wrong.
func (f *fleet) verdict() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.errors == 0 {
		return nil
	}
	return fmt.Errorf("%d things are wrong; the first are:\n  %s", f.errors, strings.Join(f.wrongs, "\n  "))
}
