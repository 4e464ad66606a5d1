// Package launchercmd is the program that a person starts to get to a desktop.
//
// An [Engine] does the work: it finds out whether the director is the one that is
// meant, logs in through package directorapi/client, lists desktops and follows what
// becomes of them, and connects: it asks for a session and a connection token,
// writes a connection file that only the person can read, starts the DCV viewer
// on it and removes it. It says in words what it is doing, so that a window can
// show it as well as a terminal, and remembers what the person chose. [Main] is the
// terminal; package gui is the window.
//
// The connection token is in that file and nowhere else: never in a log, on the
// screen or, unless the person asks for [Preferences].Link, on a command line. The
// desktop's traffic goes from the viewer to the host; nothing of it passes through
// here.
package launchercmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
	"github.com/dcvix/dcvix/directorapi/client"
)

// EngineConfig says what an Engine is made of. Folder is required.
type EngineConfig struct {
	Director client.Config // how the director is called; URL may be empty, see [Engine.SetBroker]
	Trust    Trust         // where Director has it from who may vouch; empty means TrustSystem
	User     string        // to log in with when none is remembered
	AnyHost  bool          // other hosts may be named also when the director is too old to say so
	AskOTP   bool          // a login form has a field for a one-time password also when the director wants none

	Home   string       // the person's folder for what is remembered; empty means that nothing is
	Folder string       // where connection files live for some seconds; made with mode 0700
	Words  *words.Words // nil means English
	Notes  []string     // for [Engine.Notes], besides the Engine's own

	Command   string        // the DCV viewer, a name or a path; empty means "dcvviewer"
	FileLife  time.Duration // how long a connection file lives after the viewer started; 0 means 30 seconds
	PollEvery time.Duration // how often a director is asked that sends no events; 0 means 15 seconds
	Progress  func(Step)    // is told each step that no caller asked to be told; nil means nobody is; may be called from several goroutines
	Logger    *slog.Logger  // nil means slog.Default()

	ViewerOutput io.Writer // gets what the viewer prints; nil means nobody does
}

// A Step says what an Engine has begun to do.
type Step struct {
	Stage Stage
	Text  string // a sentence without its end
}

// A Stage is where a [Step] stands on the way to a desktop.
type Stage string

// The stages, in their order. Some are left out.
const (
	StageLogin   Stage = "login"
	StageAsk     Stage = "ask"     // the director is asked for a desktop; this can take a minute
	StageReady   Stage = "ready"   // the desktop is there
	StageQuality Stage = "quality" // its settings are sent
	StageKey     Stage = "key"     // the connection token is fetched
	StageStart   Stage = "start"   // the viewer is started
	StageRuns    Stage = "runs"    // the viewer runs; Connect goes on until it ends
	StageEnded   Stage = "ended"   // the viewer has ended
	StageClose   Stage = "close"   // a session is closed
)

// longWait is after how long a person is told that the wait goes on.
const longWait = 4 * time.Second

// whenLong calls f unless ended is called before longWait; never after that has
// returned.
func whenLong(f func()) (ended func()) {
	var mu sync.Mutex // guards over
	over := false
	timer := time.AfterFunc(longWait, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			f()
		}
	})
	return func() {
		timer.Stop()
		mu.Lock()
		defer mu.Unlock()
		over = true
	}
}

// An Engine takes one person from a login to a desktop. It is safe for
// concurrent use.
type Engine struct {
	cfg    EngineConfig
	memory *memory
	notes  []string

	mu       sync.Mutex     // guards what follows
	director *client.Client // nil while there is no URL
	trust    Trust
	user     string // that is logged in, or was last
}

// NewEngine returns an Engine. It calls nobody and writes no file but what was
// damaged in Home, which it sets aside; [Engine.Notes] says so.
func NewEngine(cfg EngineConfig) (*Engine, error) {
	if cfg.Folder == "" {
		return nil, errors.New("launchercmd: EngineConfig needs Folder")
	}
	cfg.Command = cmp.Or(cfg.Command, defaultCommand)
	cfg.FileLife = cmp.Or(cfg.FileLife, 30*time.Second)
	cfg.PollEvery = cmp.Or(cfg.PollEvery, 15*time.Second)
	cfg.Trust = cmp.Or(cfg.Trust, TrustSystem)
	if cfg.Progress == nil {
		cfg.Progress = func(Step) {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	e := &Engine{cfg: cfg, trust: cfg.Trust, notes: slices.Clone(cfg.Notes)}
	var note string
	if e.memory, note = openMemory(cfg.Home, cfg.Words); note != "" {
		e.notes = append(e.notes, note)
	}
	broker := cfg.Director.URL
	if broker == "" {
		e.memory.look(func(r *remembered) { broker = r.Broker })
	}
	if broker == "" {
		return e, nil
	}
	if err := e.turnTo(broker); err != nil && cfg.Director.URL != "" {
		return nil, err
	}
	return e, nil
}

// End forgets the login and closes connections that are not in use. The director is
// not told; see [Engine.Logout].
func (e *Engine) End() {
	if director, err := e.current(); err == nil {
		director.Close()
	}
}

func (e *Engine) words() *words.Words { return e.cfg.Words }

// Words returns the language that the Engine speaks; nil means English.
func (e *Engine) Words() *words.Words { return e.cfg.Words }

// Notes returns what the person should be told at the start, each a sentence.
func (e *Engine) Notes() []string { return slices.Clone(e.notes) }

// turnTo makes the director at an address the one that is called.
func (e *Engine) turnTo(broker string) error {
	director, err := e.client(broker, nil)
	if err != nil {
		return err
	}
	trust := e.cfg.Trust
	if ca := parseCertificate(e.memory.known(director.URL()).CA); ca != nil && trust == TrustSystem && e.cfg.Director.Transport == nil {
		if director, err = e.client(broker, ca); err != nil {
			return err
		}
		trust = TrustPerson
	}
	e.use(director, trust)
	return nil
}

// use makes a client the one that is called.
func (e *Engine) use(director *client.Client, trust Trust) {
	e.mu.Lock()
	old := e.director
	e.director, e.trust = director, trust
	e.mu.Unlock()
	if old != nil {
		old.Close()
	}
}

// current returns the client to call.
func (e *Engine) current() (*client.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.director == nil {
		return nil, &saidError{text: e.words().Say(words.NoBroker)}
	}
	return e.director, nil
}

// URL returns the address of the director without a final slash; empty when neither
// the configuration nor the person has named one.
func (e *Engine) URL() string {
	director, err := e.current()
	if err != nil {
		return ""
	}
	return director.URL()
}

// BrokerSet reports whether the configuration names the director, so that the
// person cannot.
func (e *Engine) BrokerSet() bool { return e.cfg.Director.URL != "" }

// SetBroker remembers the address of the director, an https URL, for a person whose
// configuration names none.
func (e *Engine) SetBroker(broker string) error {
	if e.BrokerSet() {
		return &saidError{text: e.words().Say(words.BrokerSet)}
	}
	if err := e.turnTo(broker); err != nil {
		return err
	}
	return e.memory.change(func(r *remembered) { r.Broker = broker })
}

// Place returns where the window was.
func (e *Engine) Place() (p Place) {
	e.memory.look(func(r *remembered) { p = r.Place })
	return p
}

// SetPlace remembers where the window is.
func (e *Engine) SetPlace(p Place) error { return e.memory.change(func(r *remembered) { r.Place = p }) }

// Tidy removes connection files that a launcher which crashed has left. It is
// meant to be called once at the start; what goes wrong is logged.
func (e *Engine) Tidy(ctx context.Context) {
	folder{path: e.cfg.Folder}.removeLeftovers(ctx, e.cfg.Logger)
}

// A Form says what a login form should show.
type Form struct {
	User string // to begin with; may be empty
	OTP  bool   // a field for a one-time password
	Must bool   // it may not be empty

	Protocol int    // of the director; 0 for one of the 0.1 generation
	Version  string // of the director; empty for one of the 0.1 generation
}

// Reach asks whether a director answers and what its login asks for. It is meant
// to come before a person is asked for a password. A director of the 0.1
// generation has no opinion about one-time passwords.
func (e *Engine) Reach(ctx context.Context) (Form, error) {
	director, err := e.current()
	if err != nil {
		return Form{}, err
	}
	health, err := director.Health(ctx)
	if err != nil {
		return Form{}, err
	}
	options, err := director.LoginOptions(ctx)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return Form{}, err
	}
	return Form{
		User:     e.User(),
		OTP:      options.OTP == dcvix.OTPRequired || options.OTP != dcvix.OTPNever && e.cfg.AskOTP,
		Must:     options.OTP == dcvix.OTPRequired,
		Protocol: health.Protocol, Version: dcvix.OneLine(health.Version, 60),
	}, nil
}

// User returns who is logged in, or was last, or is the one that the configuration
// names; it may be empty.
func (e *Engine) User() string {
	e.mu.Lock()
	user := e.user
	e.mu.Unlock()
	return cmp.Or(user, e.memory.known(e.URL()).User, e.cfg.User)
}

// Login logs a person in and remembers the name. On a [*client.ChallengeError] ask
// the person and call it again with OTP and Challenge filled in; an empty OTP says
// that the person has agreed on the phone. While a push message is waited for, the
// call does not return; ctx ends it.
func (e *Engine) Login(ctx context.Context, req dcvix.LoginRequest) error {
	director, err := e.current()
	if err != nil {
		return err
	}
	if err := dcvix.Username(req.UserID).Validate(); err != nil {
		return &saidError{e.words().Say(words.BadUser, err), err}
	}
	if req.Password == "" {
		return &saidError{text: e.words().Say(words.NoPassword)}
	}
	e.cfg.Progress(Step{StageLogin, e.words().Say(words.LoggingIn, director.URL())})
	ended := whenLong(func() { e.cfg.Progress(Step{StageLogin, e.words().Say(words.StillLoggingIn)}) })
	err = director.Login(ctx, req)
	ended()
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.user = req.UserID
	e.mu.Unlock()
	if e.memory.known(director.URL()).User != req.UserID {
		if err := e.memory.change(func(r *remembered) { r.of(director.URL()).User = req.UserID }); err != nil {
			e.cfg.Logger.WarnContext(ctx, "the user's name is not remembered", slog.Any("err", err))
		}
	}
	return nil
}

// LoggedIn reports whether there is a login. The director may have ended it.
func (e *Engine) LoggedIn() bool {
	director, err := e.current()
	return err == nil && director.LoggedIn()
}

// Logout ends the login, at the director too if it can be told.
func (e *Engine) Logout(ctx context.Context) error {
	director, err := e.current()
	if err != nil || !director.LoggedIn() {
		return nil //nolint:nilerr // who has no director has no login
	}
	return director.Logout(ctx)
}

// ended adds [ErrLoggedOut] to an error of a call that needs a login.
func ended(err error) error {
	var refusal *dcvix.Error
	if errors.As(err, &refusal) && refusal.Code == dcvix.CodeUnauthenticated {
		return fmt.Errorf("%w: %w", ErrLoggedOut, err)
	}
	return err
}
