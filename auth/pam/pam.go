// Package pam asks the Linux host's PAM whether a login is good: whatever a PAM
// service can, from the passwords of the host to sssd and one-time passwords.
//
// A [Backend] starts a small program for each login, dcvix-pam-helper, which
// talks with libpam (package conversation says how the two speak). So this
// package is pure Go, a module that crashes or hangs costs one login and not the
// director, and passwords leave with the process that had them.
//
// The password answers the first prompt that hides what is typed; all other
// prompts get the one-time password. A prompt that finds none becomes an
// [auth.Challenge]. A login passes authentication and the account check of PAM;
// it opens no session and changes no password.
package pam

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/pam/conversation"
)

// HelperName is the file name of the helper program.
const HelperName = "dcvix-pam-helper"

// Config says which PAM service decides. The zero value is that of the host's
// console logins.
type Config struct {
	Service string // file in /etc/pam.d; empty means "login"

	// Helper is the path of the helper program; empty looks for it beside this
	// program, then in /usr/libexec/dcvix and /usr/lib/dcvix. It gets passwords:
	// New refuses one that others could change.
	Helper string

	// Socket is where a helper that runs as root listens, in place of one that is
	// started as this process's user: pam_unix needs that where no group may read the
	// passwords. Its unit names the one service that it asks. Empty means none.
	Socket string

	Timeout       time.Duration // for one login, with its wait for a turn; after it helper and modules are killed; 0 means 25 s
	MaxConcurrent int           // helpers that run at once, others wait; 0 means 64
	Logger        *slog.Logger  // gets why a login is refused and what modules say; nil means slog.Default()

	// ServiceDir is a folder of services to take in place of the system's. It is
	// for tests; empty means the system's.
	ServiceDir string
}

var (
	_ auth.Authenticator = (*Backend)(nil)
	_ auth.HealthChecker = (*Backend)(nil)
)

// A Backend asks PAM. It is safe for concurrent use.
type Backend struct {
	cfg     Config
	helper  string
	running chan struct{}
}

// New returns a Backend. It returns an error when the helper is missing or could
// be changed by others, when the service is missing or incomplete (see
// [conversation.CheckService]), and, wrapping [errors.ErrUnsupported], where there
// is no PAM. It starts nothing: [Backend.CheckHealth] does.
func New(cfg Config) (*Backend, error) {
	if cfg.Timeout < 0 || cfg.MaxConcurrent < 0 {
		return nil, errors.New("pam: Timeout and MaxConcurrent cannot be negative")
	}
	if cfg.Service == "" {
		cfg.Service = "login"
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 25 * time.Second
	}
	if cfg.MaxConcurrent == 0 {
		cfg.MaxConcurrent = 64
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	var helper string
	if cfg.Socket == "" {
		var err error
		if helper, err = findHelper(cfg.Helper); err != nil {
			return nil, err
		}
	}
	if err := conversation.CheckService(cfg.ServiceDir, cfg.Service); err != nil {
		return nil, err
	}
	return &Backend{cfg: cfg, helper: helper, running: make(chan struct{}, cfg.MaxConcurrent)}, nil
}

// CheckHealth has the helper load libpam and the service, without a login. The
// error wraps [auth.ErrUnavailable].
func (b *Backend) CheckHealth(ctx context.Context) error {
	answer, err := b.ask(ctx, conversation.Request{Check: true})
	if err == nil && answer.Result != conversation.Success {
		err = unavailable(answer)
	}
	return err
}

// Authenticate implements [auth.Authenticator]. The canonical name is PAM_USER as
// the modules leave it. Why a login is refused is logged alone.
func (b *Backend) Authenticate(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	if err := c.Check(); err != nil {
		return auth.Identity{}, err
	}
	if !conversation.Speakable(string(c.Password)) || !conversation.Speakable(string(c.OTP)) {
		return auth.Identity{}, auth.ErrInvalidCredentials
	}
	answer, err := b.ask(ctx, conversation.Request{User: c.User, Password: []byte(c.Password), OTP: []byte(c.OTP)})
	if err != nil {
		return auth.Identity{}, err
	}
	b.logMessages(ctx, c, answer)
	switch {
	case answer.Result == conversation.Success && answer.Phase == conversation.Account:
		return identity(answer)
	case answer.Wanted && c.OTP == "" && answer.Phase == conversation.Authenticate:
		return auth.Identity{}, challenge(answer)
	}
	if why, refused := refusals()[answer.Result]; refused {
		b.cfg.Logger.InfoContext(ctx, "pam refuses a login", slog.String("user", c.User), slog.String("service", b.cfg.Service),
			slog.String("phase", string(answer.Phase)), slog.String("result", string(answer.Result)), slog.String("why", why))
		return auth.Identity{}, auth.ErrInvalidCredentials
	}
	return auth.Identity{}, unavailable(answer)
}

func identity(answer conversation.Answer) (auth.Identity, error) {
	user := dcvix.Username(answer.User)
	if err := user.Validate(); err != nil {
		return auth.Identity{}, fmt.Errorf("pam: %w: the modules leave a PAM_USER that cannot be used: %w", auth.ErrUnavailable, err)
	}
	return auth.Identity{User: user}, nil
}

func challenge(answer conversation.Answer) *auth.Challenge {
	prompt := answer.Prompt
	if prompt == "" {
		prompt = "One-time password:"
	}
	// The second step is the whole login again, with the code: PAM keeps nothing
	// between two processes, so there is nothing to say here.
	return &auth.Challenge{Prompt: prompt, State: "pam"}
}

// refusals are the results that speak of the login, with what they mean. All
// others speak of the service: the login was not judged.
func refusals() map[conversation.Result]string {
	return map[conversation.Result]string{
		"auth_err":          "the password or the code is wrong",
		"user_unknown":      "there is no such user",
		"perm_denied":       "a module does not let this user in",
		"cred_insufficient": "the rights to judge this user are missing",
		"maxtries":          "there were too many tries",
		"acct_expired":      "the account has expired",
		"new_authtok_reqd":  "the password has to be changed first",
		"authtok_expired":   "the password has expired",
		"cred_expired":      "the credentials have expired",
	}
}

// hints are what usually is behind a result that judges nothing.
func hints() map[conversation.Result]string {
	return map[conversation.Result]string{
		"authinfo_unavail": "a module cannot reach its users; pam_unix can read the passwords of others for root alone",
		"system_err":       "a module failed; pam_exec also says this when its script refuses: have pam_deny follow it",
		"module_unknown":   "a module cannot be loaded: look at the journal for its name",
		"abort":            "the service cannot be used: look at the journal for the reason",
		"conv_err":         "a module asked for something that a login cannot answer",
	}
}

func unavailable(answer conversation.Answer) error {
	switch {
	case answer.Detail != "":
		return fmt.Errorf("%w: %.512s", auth.ErrUnavailable, answer.Detail)
	case hints()[answer.Result] != "":
		return fmt.Errorf("%w: PAM says %.64q: %s", auth.ErrUnavailable, string(answer.Result), hints()[answer.Result])
	}
	return fmt.Errorf("%w: PAM says %.64q", auth.ErrUnavailable, string(answer.Result))
}

// logMessages passes on what modules say to the user, whom nobody shows it. The
// helper has taken the secrets out.
func (b *Backend) logMessages(ctx context.Context, c auth.Credentials, answer conversation.Answer) {
	for _, text := range answer.Messages {
		b.cfg.Logger.InfoContext(ctx, "pam says", slog.String("user", c.User), slog.String("service", b.cfg.Service), slog.String("text", text))
	}
}

// ask has a helper answer a request about the service, when it is its turn.
func (b *Backend) ask(ctx context.Context, req conversation.Request) (conversation.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	select {
	case b.running <- struct{}{}:
		defer func() { <-b.running }()
	case <-ctx.Done():
		return conversation.Answer{}, fmt.Errorf("%w: all %d PAM helpers are busy: %w", auth.ErrUnavailable, b.cfg.MaxConcurrent, context.Cause(ctx))
	}
	req.Version, req.Service, req.ServiceDir = conversation.Version, b.cfg.Service, b.cfg.ServiceDir
	if b.cfg.Socket != "" {
		return b.call(ctx, req)
	}
	return b.run(ctx, req)
}
