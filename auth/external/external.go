// Package external asks a command of the site's own whether a login is good.
//
// The command gets three lines on its standard input: user, password and
// one-time password (empty when there is none). It answers with its exit code:
// 0 the login is good, 1 it is refused; anything else, a signal or a time-out
// means that the command could not tell.
package external

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
)

// Config says what an [Authenticator] runs. Command is required.
type Config struct {
	Command string   // path of an executable, or its name to look up in PATH
	Args    []string // its arguments; secrets go to standard input alone

	Timeout       time.Duration // after which the command and its children are killed; 0 means 10 s
	MaxConcurrent int           // commands that run at once, others wait; 0 means 16
	Logger        *slog.Logger  // gets the command's standard error; nil means slog.Default()
}

var (
	_ auth.Authenticator = (*Authenticator)(nil)
	_ auth.Verifier      = (*Authenticator)(nil)
)

// An Authenticator runs a command for each login. It is safe for concurrent use.
type Authenticator struct {
	cfg     Config
	path    string
	running chan struct{}
}

// New returns an Authenticator. It returns an error when the command is missing
// or cannot be executed.
func New(cfg Config) (*Authenticator, error) {
	if cfg.Command == "" {
		return nil, errors.New("external: Config needs a Command")
	}
	path, err := exec.LookPath(cfg.Command)
	if err != nil {
		return nil, fmt.Errorf("login command %s cannot be run: install it and make it executable: %w", cfg.Command, err)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.MaxConcurrent == 0 {
		cfg.MaxConcurrent = 16
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Authenticator{cfg: cfg, path: path, running: make(chan struct{}, cfg.MaxConcurrent)}, nil
}

// Authenticate implements [auth.Authenticator]. The canonical name is the one
// that was typed.
func (a *Authenticator) Authenticate(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	if err := c.Check(); err != nil {
		return auth.Identity{}, err
	}
	if err := a.ask(ctx, c); err != nil {
		return auth.Identity{}, err
	}
	return auth.Identity{User: dcvix.Username(c.User)}, nil
}

// Verify implements [auth.Verifier]: the same command, for a one-time password,
// without which the command is not asked. It begins no challenges.
func (a *Authenticator) Verify(ctx context.Context, c auth.Credentials) error {
	if dcvix.Username(c.User).Validate() != nil || c.OTP == "" || c.Challenge != "" {
		return auth.ErrInvalidCredentials
	}
	return a.ask(ctx, c)
}

func (a *Authenticator) ask(ctx context.Context, c auth.Credentials) error {
	// A line break would let one field speak for the next.
	for _, field := range []string{c.User, string(c.Password), string(c.OTP)} {
		if strings.ContainsAny(field, "\n\r\x00") {
			return auth.ErrInvalidCredentials
		}
	}
	select {
	case a.running <- struct{}{}:
		defer func() { <-a.running }()
	case <-ctx.Done():
		return fmt.Errorf("login command: %w", errors.Join(auth.ErrUnavailable, ctx.Err()))
	}
	return a.run(ctx, c)
}

func (a *Authenticator) run(ctx context.Context, c auth.Credentials) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, a.path, a.cfg.Args...) //nolint:gosec // the operator's own configuration names it
	cmd.Stdin = strings.NewReader(c.User + "\n" + string(c.Password) + "\n" + string(c.OTP) + "\n")
	stderr := &head{left: 2 << 10}
	cmd.Stderr = stderr
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	cmd.WaitDelay = time.Second // for children that keep the pipes open
	ownGroup(cmd)
	err := cmd.Run()
	a.logStderr(ctx, stderr.lines(), c)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 && ctx.Err() == nil {
		return auth.ErrInvalidCredentials
	}
	// It said yes; that a child of it keeps its output open, or that we were slow to
	// read it, takes nothing back.
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Errorf("login command %s: %w", a.cfg.Command, errors.Join(auth.ErrUnavailable, err, context.Cause(ctx)))
	}
	return nil
}

// logStderr passes on what the command says, should it repeat what it was given
// without that.
func (a *Authenticator) logStderr(ctx context.Context, text string, c auth.Credentials) {
	for _, secret := range []string{string(c.Password), string(c.OTP)} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	if text = strings.TrimSpace(text); text != "" {
		a.cfg.Logger.WarnContext(ctx, "login command says", slog.String("command", a.cfg.Command), slog.String("text", text))
	}
}

// A head keeps the first bytes written to it and drops the rest.
type head struct {
	text bytes.Buffer
	left int
}

func (h *head) Write(p []byte) (int, error) {
	n := min(len(p), h.left)
	h.text.Write(p[:n])
	h.left -= n
	return len(p), nil
}

// lines returns what was kept. A line that was cut is left out: it may hold half
// a secret, which nobody would recognise.
func (h *head) lines() string {
	text := h.text.String()
	if h.left == 0 {
		text = text[:strings.LastIndexByte(text, '\n')+1]
	}
	return text
}
