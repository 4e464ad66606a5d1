// Package launchercmd is the program that a person starts to get to a desktop.
//
// An [Engine] does the work: it logs in through package directorapi/client,
// lists desktops, and connects: it asks for a session and a connection token,
// writes a connection file that only the person can read, starts the DCV viewer
// on it and removes it. It says in words what it is doing, so that a window can
// show it as well as a terminal. [Main] is the terminal.
//
// The connection token is in that file and nowhere else: never on a command
// line, in a log or on the screen. The desktop's traffic goes from the viewer to
// the host; nothing of it passes through here.
package launchercmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/client"
)

// EngineConfig says what an Engine is made of. Director and Folder are required.
type EngineConfig struct {
	Director *client.Client
	Folder   string // where connection files live for some seconds; made with mode 0700

	Command  string        // the DCV viewer, a name or a path; empty means "dcvviewer"
	FileLife time.Duration // how long a connection file lives after the viewer started; 0 means 30 seconds
	Progress func(string)  // is told each step as a sentence; nil means nobody is; may be called from several goroutines
	Logger   *slog.Logger  // nil means slog.Default()

	ViewerOutput io.Writer // gets what the viewer prints; nil means nobody does
}

// An Engine takes one person from a login to a desktop. It is safe for
// concurrent use.
type Engine struct {
	cfg EngineConfig

	mu   sync.Mutex // guards user
	user string
}

// NewEngine returns an Engine. It starts nothing and touches no file.
func NewEngine(cfg EngineConfig) (*Engine, error) {
	if cfg.Director == nil || cfg.Folder == "" {
		return nil, errors.New("launchercmd: EngineConfig needs Director and Folder")
	}
	cfg.Command = cmp.Or(cfg.Command, defaultCommand)
	cfg.FileLife = cmp.Or(cfg.FileLife, 30*time.Second)
	if cfg.Progress == nil {
		cfg.Progress = func(string) {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Engine{cfg: cfg}, nil
}

// A Desktop is a host that the person may use.
type Desktop struct {
	Name     string           `json:"name"`     // as the policy writes it
	Sessions []DesktopSession `json:"sessions"` // the person's own that run there; empty when the director is too old to say
}

// A DesktopSession is a session of the person.
type DesktopSession struct {
	ID          dcvix.SessionID   `json:"id"`
	Type        dcvix.SessionType `json:"type"`
	Connections int               `json:"connections"`
	Status      string            `json:"status"`
}

// Tidy removes connection files that a launcher which crashed has left. It is
// meant to be called once at the start; what goes wrong is logged.
func (e *Engine) Tidy(ctx context.Context) { folder{e.cfg.Folder}.removeLeftovers(ctx, e.cfg.Logger) }

// Reach asks whether a director answers and what its login asks for. It is meant
// to come before a person is asked for a password. A director of the 0.1
// generation has no opinion about one-time passwords.
func (e *Engine) Reach(ctx context.Context) (dcvix.LoginOptions, error) {
	if _, err := e.cfg.Director.Health(ctx); err != nil {
		return dcvix.LoginOptions{}, err
	}
	options, err := e.cfg.Director.LoginOptions(ctx)
	if errors.Is(err, errors.ErrUnsupported) {
		return dcvix.LoginOptions{OTP: dcvix.OTPOptional}, nil
	}
	return options, err
}

// Login logs a person in. On a [*client.ChallengeError] ask the person and call
// it again with OTP and Challenge filled in.
func (e *Engine) Login(ctx context.Context, req dcvix.LoginRequest) error {
	if err := dcvix.Username(req.UserID).Validate(); err != nil {
		return fmt.Errorf("the user name cannot be right: %w", err)
	}
	if req.Password == "" {
		return errors.New("the password is empty: enter it")
	}
	e.cfg.Progress("Logging in to " + e.cfg.Director.URL())
	if err := e.cfg.Director.Login(ctx, req); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.user = req.UserID
	return nil
}

// Logout ends the login at the director.
func (e *Engine) Logout(ctx context.Context) error { return e.cfg.Director.Logout(ctx) }

// Desktops returns what the person may use, in the order of the policy, and
// whether other hosts may be named too.
func (e *Engine) Desktops(ctx context.Context) (desktops []Desktop, anyHost bool, err error) {
	names, err := e.cfg.Director.Servers(ctx)
	if err != nil {
		return nil, false, err
	}
	sessions, err := e.cfg.Director.UserSessions(ctx)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, false, err
	}
	desktops = []Desktop{}
	for _, name := range names {
		if name == dcvix.AllowCustom {
			anyHost = true
			continue
		}
		desktops = append(desktops, Desktop{Name: name, Sessions: sessionsOn(name, sessions)})
	}
	return desktops, anyHost, nil
}

// Connect opens a desktop on a server in the viewer and returns when the viewer
// has ended. An empty kind means that of the session that runs there, else a
// console. When ctx ends, the viewer is ended too and the error is that of ctx.
func (e *Engine) Connect(ctx context.Context, server string, kind dcvix.SessionType) error {
	if err := checkServer(server); err != nil {
		return err
	}
	viewer, err := findViewer(e.cfg.Command)
	if err != nil {
		return err // before a session is started that nobody can look at
	}
	folder, err := openFolder(e.cfg.Folder)
	if err != nil {
		return err
	}
	if kind == "" {
		if kind, err = e.kindOn(ctx, server); err != nil {
			return err
		}
	}
	target, err := e.open(ctx, server, kind)
	if err != nil {
		return err
	}
	file, err := folder.write(target)
	if err != nil {
		return err
	}
	e.cfg.Progress("Starting the viewer")
	e.cfg.Logger.DebugContext(ctx, "starting the viewer", slog.String("viewer", viewer), slog.String("server", server), slog.String("session", string(target.session)))
	return e.view(ctx, viewer, file)
}

// open asks for a session and for what the viewer needs to get to it.
func (e *Engine) open(ctx context.Context, server string, kind dcvix.SessionType) (target, error) {
	e.cfg.Progress(fmt.Sprintf("Asking %s for a %s desktop", show(server), kind))
	e.mu.Lock()
	user := e.user
	e.mu.Unlock()
	created, err := e.cfg.Director.CreateSession(ctx, dcvix.CreateSessionRequest{
		ServerID:    server,
		SessionType: capitalised(kind),
		UserID:      user,
	})
	if err != nil {
		return target{}, err
	}
	if created.Reused {
		e.cfg.Progress("Your desktop is running already: going back to it")
	}
	on := cmp.Or(string(created.ServerID), server)
	e.cfg.Progress("Fetching the key to it")
	token, err := e.cfg.Director.ConnectionToken(ctx, created.SessionID, on)
	if err != nil {
		return target{}, err
	}
	return target{
		host:    cmp.Or(string(token.Host), on),
		port:    cmp.Or(token.Port, 8443),
		path:    token.WebURLPath,
		session: cmp.Or(token.SessionID, created.SessionID),
		token:   token.Token,
		user:    user,
	}, nil
}

// capitalised is how launchers of the 0.1 generation write it; every director
// reads that.
func capitalised(kind dcvix.SessionType) string {
	if kind == dcvix.SessionVirtual {
		return "Virtual"
	}
	return "Console"
}

// kindOn returns the type of the session that the person has on a server.
func (e *Engine) kindOn(ctx context.Context, server string) (dcvix.SessionType, error) {
	sessions, err := e.cfg.Director.UserSessions(ctx)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return "", err
	}
	for _, s := range sessionsOn(server, sessions) {
		if s.Type == dcvix.SessionVirtual {
			return s.Type, nil
		}
	}
	return dcvix.SessionConsole, nil
}

// Close closes the person's sessions on a server and returns their ids. An empty
// kind means of any type.
func (e *Engine) Close(ctx context.Context, server string, kind dcvix.SessionType) ([]dcvix.SessionID, error) {
	if err := checkServer(server); err != nil {
		return nil, err
	}
	sessions, err := e.cfg.Director.UserSessions(ctx)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, errors.New("this director is too old to say what runs where: log out inside the desktop to end it")
	}
	if err != nil {
		return nil, err
	}
	var closed []dcvix.SessionID
	for _, s := range sessions {
		if !sameHost(server, string(s.ServerID)) || kind != "" && s.Type != kind {
			continue
		}
		e.cfg.Progress(fmt.Sprintf("Closing %s on %s", show(string(s.ID)), show(server)))
		if err := e.cfg.Director.CloseSession(ctx, s.ID, string(s.ServerID)); err != nil {
			return closed, err
		}
		closed = append(closed, s.ID)
	}
	if len(closed) == 0 {
		return nil, fmt.Errorf("you have no such session on %s: there is nothing to close", show(server))
	}
	return closed, nil
}

func sessionsOn(server string, sessions []dcvix.Session) []DesktopSession {
	on := []DesktopSession{}
	for _, s := range sessions {
		if sameHost(server, string(s.ServerID)) {
			on = append(on, DesktopSession{ID: s.ID, Type: s.Type, Connections: s.NumOfConnections, Status: s.Status})
		}
	}
	slices.SortStableFunc(on, func(a, b DesktopSession) int { return cmp.Compare(a.ID, b.ID) })
	return on
}

// sameHost compares names as policies do: without case, and a bare first label
// means the host that it is the first label of.
func sameHost(a, b string) bool {
	a, b = strings.ToLower(strings.TrimSuffix(a, ".")), strings.ToLower(strings.TrimSuffix(b, "."))
	if a == b {
		return true
	}
	labelA, restA, _ := strings.Cut(a, ".")
	labelB, restB, _ := strings.Cut(b, ".")
	return labelA == labelB && (restA == "" || restB == "")
}

// checkServer refuses what cannot be the name of a host in any policy.
func checkServer(name string) error {
	if name == "" || len(name) > 253 || strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsGraphic(r)
	}) {
		return fmt.Errorf("%.300q is no name of a server: give one that --list shows", name)
	}
	return nil
}

// show returns text that a director sent in a form that cannot write over a
// terminal.
func show(s string) string {
	if len(s) > 300 || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return fmt.Sprintf("%.300q", s)
	}
	return s
}
