package dcvcli

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Errors that callers can act on. A [CLI] wraps them with what it was doing.
var (
	ErrNotFound     = errors.New("no such session")
	ErrExists       = errors.New("a session of this id exists")
	ErrNotCreated   = errors.New("the dcv command reported success but no session came to exist")
	ErrNotClosed    = errors.New("the dcv command reported success but the session still exists")
	ErrNotChanged   = errors.New("the dcv command reported success but the session does not show the change")
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
