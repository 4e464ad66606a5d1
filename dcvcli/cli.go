package dcvcli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Errors that callers can act on. A [CLI] wraps them with what it was doing.
var (
	ErrNotFound     = errors.New("no such session")
	ErrExists       = errors.New("a session of this id exists")
	ErrNotCreated   = errors.New("the dcv command reported success but no session came to exist")
	ErrNotClosed    = errors.New("the dcv command reported success but the session still exists")
	ErrInvalid      = errors.New("not a valid argument")
	ErrUnsupported  = fmt.Errorf("not possible on this platform: %w", errors.ErrUnsupported)
	ErrUnknownForm  = errors.New("the dcv command printed a form that is not known")
	ErrNotInstalled = errors.New("the dcv command is missing")
)

// Config says how a [CLI] reaches the dcv command. The zero value is the command
// of this machine.
type Config struct {
	Path     string        // the command; "" means where DCV installs it, see [Command]. Not used with a Runner
	Runner   Runner        // nil means a Command of Path
	Platform string        // "linux", "windows" or "darwin": the rules to follow; "" means runtime.GOOS
	Timeout  time.Duration // limit of one run of the command; 0 means 30 s
	Settle   time.Duration // how long the list may lag behind a create or close that succeeded; 0 means 3 s
}

// A CLI runs the dcv command. It is safe for concurrent use: commands that change
// something run one at a time, those that only look run at once.
type CLI struct {
	runner   Runner
	platform string
	timeout  time.Duration
	settle   time.Duration
	turn     chan struct{} // holds one element while a command that changes something runs
}

// New returns a CLI. It runs nothing: a missing command is noticed by the first
// verb, so that DCV may be installed later.
func New(cfg Config) (*CLI, error) {
	if cfg.Timeout < 0 || cfg.Settle < 0 {
		return nil, errors.New("dcvcli: Timeout and Settle must not be negative")
	}
	if cfg.Runner == nil {
		cfg.Runner = &Command{Path: cfg.Path}
	}
	if cfg.Platform == "" {
		cfg.Platform = runtime.GOOS
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Settle == 0 {
		cfg.Settle = 3 * time.Second
	}
	return &CLI{
		runner:   cfg.Runner,
		platform: cfg.Platform,
		timeout:  cfg.Timeout,
		settle:   cfg.Settle,
		turn:     make(chan struct{}, 1),
	}, nil
}

// List returns the sessions of the host that the caller of the command may see:
// all of them for root or an administrator. It returns an empty list, not nil,
// when there is none, and an error that wraps [ErrUnknownForm] when it cannot
// read what the command printed.
//
// It asks for JSON and, from servers that give none, reads the text form, which
// has only id, owner, type and name.
func (c *CLI) List(ctx context.Context) ([]Session, error) {
	out, err := c.run(ctx, "list-sessions", "--json")
	if err == nil && looksLikeJSON(out) {
		return parseSessions(out)
	}
	if pointless(ctx, err) {
		return nil, err
	}
	text := out
	if err != nil || len(strings.TrimSpace(string(out))) == 0 {
		var textErr error
		if text, textErr = c.run(ctx, "list-sessions"); textErr != nil {
			return nil, errors.Join(err, textErr)
		}
	}
	return parseSessionsText(text)
}

// Describe returns one session. It returns an error that wraps [ErrNotFound] if
// there is none of that id, or none that the caller may see.
func (c *CLI) Describe(ctx context.Context, id string) (Session, error) {
	if err := checkArgument("session id", id); err != nil {
		return Session{}, err
	}
	out, err := c.run(ctx, "describe-session", id, "--json")
	if err != nil {
		return Session{}, c.explain(ctx, id, err)
	}
	return parseSession(out)
}

// Connections returns who is connected to a session: an empty list, not nil,
// when nobody is. It returns an error that wraps [ErrNotFound] if there is no
// session of that id.
func (c *CLI) Connections(ctx context.Context, id string) ([]Connection, error) {
	if err := checkArgument("session id", id); err != nil {
		return nil, err
	}
	out, err := c.run(ctx, "list-connections", id, "--json")
	if err != nil {
		return nil, c.explain(ctx, id, err)
	}
	return parseConnections(out)
}

// versionForm is what the first line of "dcv version" looks like since 2017; the
// product was called NICE DCV before release 2024.0.
var versionForm = regexp.MustCompile(`DCV ([0-9]{4}\.[0-9]{1,4}) \(r([0-9]{1,9})\)`)

// Version returns the release of the DCV server in the form of its release
// notes, such as "2025.0-20103". What does not look like a release is returned
// as the first line printed, at most 200 bytes of it.
func (c *CLI) Version(ctx context.Context) (string, error) {
	out, err := c.run(ctx, "version")
	if err != nil {
		return "", err
	}
	line := firstLine(out)
	if m := versionForm.FindStringSubmatch(line); m != nil {
		return m[1] + "-" + m[2], nil
	}
	if line == "" {
		return "", fmt.Errorf("dcv version: %w: nothing", ErrUnknownForm)
	}
	return line, nil
}

// explain turns the failure of a command about one session into ErrNotFound when
// the session is not there: the words and the exit status do not say so.
func (c *CLI) explain(ctx context.Context, id string, failure error) error {
	if pointless(ctx, failure) {
		return failure
	}
	sessions, err := c.List(ctx)
	if err != nil {
		return failure
	}
	if has(sessions, id) {
		return failure
	}
	return fmt.Errorf("session %q: %w", id, ErrNotFound)
}

// run runs one command within its time limit.
func (c *CLI) run(ctx context.Context, args ...string) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, err := c.runner.Run(limited, args...)
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() == nil && limited.Err() != nil:
		return nil, fmt.Errorf("dcv %s: no answer within %s: %w", args[0], c.timeout, context.DeadlineExceeded)
	default:
		return nil, fmt.Errorf("dcv %s: %w", args[0], err)
	}
}

// pointless reports whether err leaves no hope for another command.
func pointless(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNotInstalled)
}

func has(sessions []Session, id string) bool {
	return slices.ContainsFunc(sessions, func(s Session) bool { return s.ID == id })
}
