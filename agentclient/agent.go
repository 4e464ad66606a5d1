package agentclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/dcvcli"
)

// The ports of the protocol.
const (
	DefaultAgentPort    = 8446
	DefaultDirectorPort = 8445
)

// DCV drives the DCV server of this host. Every method must return soon after
// ctx is done and be safe for concurrent use. [dcvcli.CLI] implements it.
type DCV interface {
	// List returns all sessions of the host.
	List(ctx context.Context) ([]dcvcli.Session, error)

	// Create creates a session and returns once it is there. It returns an error
	// that wraps [dcvcli.ErrExists] if the id is taken.
	Create(ctx context.Context, opts dcvcli.CreateOptions) error

	// Close closes a session and returns once it is gone. It returns an error
	// that wraps [dcvcli.ErrNotFound] if there is none of that id.
	Close(ctx context.Context, id string) error

	// SetConfig changes one setting of the DCV server. The value is a GVariant in
	// its text form.
	SetConfig(ctx context.Context, section, key, value string) error
}

var _ DCV = (*dcvcli.CLI)(nil)

// Stats says what the host is doing. It must be safe for concurrent use.
type Stats interface {
	// Stats returns the figures of the host now. The host name in them is not
	// used. What it returns besides an error is reported nevertheless.
	Stats(ctx context.Context) (dcvix.Stats, error)
}

// GPUs says which graphics cards the host has. It must be safe for concurrent use.
type GPUs interface {
	// GPUs returns the cards and their figures now, none on a host without. It
	// returns soon after ctx is done. What it returns besides an error is reported
	// nevertheless.
	GPUs(ctx context.Context) ([]dcvix.GPU, error)
}

// Config says what an Agent is made of. DirectorURL, StateDir, Hostname, DCV and
// Stats are required.
type Config struct {
	DirectorURL string // https://host[:port][/prefix]; port 8445 when there is none
	// OtherDirectorURLs are further ways to the director, or to others that share
	// its CA and its register. They are tried in order when one fails; the one that
	// answers is kept until it fails.
	OtherDirectorURLs []string

	StateDir string // folder of key and certificates; made (0700) when it does not exist

	Hostname    string   // name of this host that the director shall know
	OtherNames  []string // further names of this host for its certificate: short, with domain
	AgentPort   int      // where the director calls; 0 means 8446
	BindAddress string   // address to listen on; "" means every address
	DCVPort     int      // web port of the DCV server; 0 means 8443
	Tags        []string // words for the policy of the director

	// UpdateInterval is the time between reports; 0 means 30 s, less than 0 means
	// that there are none and the director has to ask.
	UpdateInterval time.Duration

	// IdleTimeout is for how long a session may be without a client before the agent
	// closes it; 0 means for ever. It closes only sessions that were created through
	// it, or that have an id as directors make them, and no console, unless
	// ReapForeign and ReapConsole say so.
	IdleTimeout  time.Duration
	ReapInterval time.Duration // between looks for idle sessions; 0 means 60 s, less than 0 none
	ReapConsole  bool
	ReapForeign  bool

	RegistrationToken string // for a director that registers no stranger without; "" means none
	CAFingerprint     string // SHA-256 of the director's CA in hex, which pins it; "" means none

	DCV   DCV
	Stats Stats
	GPUs  GPUs // nil means that cards are not reported

	// Dial and Listen are what the network is reached with; nil means package net.
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Listen func(ctx context.Context, network, address string) (net.Listener, error)

	Now    func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil means slog.Default()
}

// An Agent keeps one host in touch with its director. Its methods are safe for
// concurrent use; Run may be called once.
type Agent struct {
	cfg        Config
	directors  []*director     // at least one
	current    atomic.Int64    // index of the director that is asked first
	hostname   dcvix.Hostname  // ours
	pin        *ca.Fingerprint // nil means none
	handler    http.Handler    // of the director's calls
	creating   chan struct{}   // holds one element while a session is created or closed
	kick       chan struct{}   // holds one element when a report is due at once
	started    atomic.Bool
	record     *record
	reportedAt time.Time // when the last report began; of reportLoop alone
	identity   identity  // set by Run before anything reads it
	anchor     atomic.Pointer[x509.Certificate]
	pair       atomic.Pointer[tls.Certificate] // the newest; its Leaf is set
	lookEach   atomic.Int64                    // nanoseconds between looks whether to renew
	pulse      pulse

	mu       sync.Mutex // guards what follows
	status   Status
	seenCA   string    // fingerprint of the CA seen while none was trusted
	refusal  time.Time // when a caller's refusal was last logged
	look     look
	tracks   map[string]track // by session id
	problems standing
	reported reported
}

// New returns an Agent. It starts nothing and reads no file: call [Agent.Run].
// The error names every field that is missing or wrong.
func New(cfg Config) (*Agent, error) {
	a := &Agent{
		creating: make(chan struct{}, 1),
		kick:     make(chan struct{}, 1),
		status:   Status{State: Unenrolled},
	}
	cfg.Tags = slices.Clone(cfg.Tags)
	cfg.OtherNames = slices.Clone(cfg.OtherNames)
	cfg.OtherDirectorURLs = slices.Clone(cfg.OtherDirectorURLs)
	a.cfg = withDefaults(cfg)
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("agentclient: %w", err)
	}
	a.lookEach.Store(int64(defaultLook))
	a.record = newRecord(a.path(SessionsFile))
	a.handler = a.contain(a.routes())
	return a, nil
}

func withDefaults(cfg Config) Config {
	if cfg.AgentPort == 0 {
		cfg.AgentPort = DefaultAgentPort
	}
	if cfg.UpdateInterval == 0 {
		cfg.UpdateInterval = 30 * time.Second
	}
	if cfg.ReapInterval == 0 {
		cfg.ReapInterval = time.Minute
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	if cfg.Listen == nil {
		cfg.Listen = (&net.ListenConfig{}).Listen
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return cfg
}

// check reads the fields that have a form and reports all that is wrong.
func (a *Agent) check() error {
	var wrong []error
	missing := map[string]bool{"StateDir": a.cfg.StateDir == "", "DCV": a.cfg.DCV == nil, "Stats": a.cfg.Stats == nil}
	for _, field := range []string{"StateDir", "DCV", "Stats"} {
		if missing[field] {
			wrong = append(wrong, fmt.Errorf("Config needs %s", field))
		}
	}
	for _, raw := range append([]string{a.cfg.DirectorURL}, a.cfg.OtherDirectorURLs...) {
		d, err := a.newDirector(raw)
		if err != nil {
			wrong = append(wrong, err)
		}
		a.directors = append(a.directors, d)
	}
	var err error
	if a.hostname, err = dcvix.ParseHostname(a.cfg.Hostname); err != nil {
		wrong = append(wrong, fmt.Errorf("the name of this host: %w", err))
	}
	if a.cfg.CAFingerprint != "" {
		pin, err := ca.ParseFingerprint(a.cfg.CAFingerprint)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("the fingerprint of the director's CA: %w", err))
		}
		a.pin = &pin
	}
	if a.cfg.AgentPort < 1024 || a.cfg.AgentPort > 65535 {
		wrong = append(wrong, fmt.Errorf("the agent's port is %d: give one from 1024 to 65535", a.cfg.AgentPort))
	}
	if a.cfg.DCVPort < 0 || a.cfg.DCVPort > 65535 {
		wrong = append(wrong, fmt.Errorf("the port of the DCV server is %d: give one from 1 to 65535", a.cfg.DCVPort))
	}
	if a.cfg.IdleTimeout < 0 {
		wrong = append(wrong, errors.New("IdleTimeout must not be negative"))
	}
	return errors.Join(wrong...)
}

// Run opens the state folder and works until ctx is done; it then returns nil.
// Trouble with the director never ends it. The errors are of this host: a state
// folder that cannot be used, a key that others can read ([ca.ErrInsecureKey]),
// an unreadable ca.pem, a port that cannot be listened on.
func (a *Agent) Run(ctx context.Context) error {
	if a.started.Swap(true) {
		return errors.New("agentclient: Run was called twice")
	}
	defer a.closeIdle()
	if err := a.open(ctx); err != nil {
		return err
	}
	enrolled := make(chan struct{})
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error { return a.live(ctx, sync.OnceFunc(func() { close(enrolled) })) })
	tasks.Go(func() error {
		select {
		case <-enrolled: // there is a certificate to show
			return a.serve(ctx)
		case <-ctx.Done():
			return nil
		}
	})
	tasks.Go(func() error { return a.reapLoop(ctx) })
	return tasks.Wait()
}

// shortLife is how soon an enrolment must not end for the next one to be asked
// for at once: a director that grants and refuses by turns is not to be chased.
const shortLife = time.Minute

// live enrols, works until the director knows us no longer, and enrols again.
func (a *Agent) live(ctx context.Context, enrolled func()) error {
	held := a.certified()
	for short := 0; ; {
		if !held {
			if err := a.enrol(ctx); err != nil {
				return ended(ctx, err)
			}
		}
		a.move(ctx, Enrolled)
		enrolled()
		began := time.Now()
		err := a.work(ctx)
		if !errors.Is(err, errEnrolAgain) {
			return ended(ctx, err)
		}
		held = false
		if time.Since(began) >= shortLife {
			short = 0
			continue
		}
		short++
		if err := retryAfter(ctx, short, maxRetry); err != nil {
			return ended(ctx, err)
		}
	}
}

// work renews and reports until one of the two has to enrol again.
func (a *Agent) work(ctx context.Context) error {
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error { return a.renewLoop(ctx) })
	tasks.Go(func() error { return a.reportLoop(ctx) })
	return tasks.Wait()
}

// ended turns the end of ctx into nil.
func ended(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// Handler returns the routes that the director calls. Who may call them is
// decided by [Agent.TLSConfig], not here: serve them with it alone.
func (a *Agent) Handler() http.Handler { return a.handler }
