package directorcmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/session"
)

// maxSteps bounds the questions of one login.
const maxSteps = 5

// errNotLetIn is the end of a test whose words were said already.
var errNotLetIn = errors.New("the login was refused")

func (s *shell) auth() *cobra.Command {
	return group("auth", "Try out how people log in", s.tryLogin())
}

func (s *shell) tryLogin() *cobra.Command {
	var user string
	var code, stdin bool
	cmd := &cobra.Command{
		Use:   "test --user NAME",
		Short: "Try a login with the backend of the configuration, and say what came of it",
		Long: "Try a login with the backend that auth_type names, and say what came of it, how long it took,\n" +
			"and what the policy gives that user. Why it was refused, the backend's log lines on standard\n" +
			"error say.\n\n" +
			"Nothing of a running director is touched: its throttle does not count the login, and it is not\n" +
			"on record. The login service itself may count a failure. Run it as the director's user, who may\n" +
			"be the only one that can ask the backend.\n\n" +
			"It ends with 0 when the login is accepted, 1 when it could not be tried, 2 for a mistake in the\n" +
			"command line or the configuration, and 3 when it is refused.",
		Args: cmdline.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := dcvix.Username(user).Validate(); err != nil {
				return cmdline.Usage(fmt.Errorf("--user: no director takes this name: %w", err))
			}
			c, err := s.config()
			if err != nil {
				return err
			}
			asker := newAsker(s.opts, stdin)
			return c.tryLogin(cmd.Context(), trial{user: user, code: code, asker: asker, out: cmd.OutOrStdout(), stderr: s.opts.Stderr})
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "`name` of the user, as they would type it")
	cmd.Flags().BoolVar(&code, "otp", false, "give a one-time password along with the password, not only when the backend asks for one")
	cmd.Flags().BoolVar(&stdin, "password-stdin", false, "read the password, and a one-time password, as lines from standard input")
	return cmd
}

// A trial is a login that is tried out.
type trial struct {
	user        string
	code        bool          // is asked for along with the password
	limit       time.Duration // of each step
	asker       *asker
	out, stderr io.Writer
}

func (c *config) tryLogin(ctx context.Context, t trial) error {
	logger := slog.New(slog.NewTextHandler(t.stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c.set.LogNotes(ctx, logger)
	backend, err := c.prepare(ctx, logger)
	if err != nil {
		return cmdline.Usage(err)
	}
	t.limit = cmp.Or(c.otp.loginTimeout(), 30*time.Second) // as a director has it
	t.say("backend: %s (%s)", c.authType, c.authTypeKey.Where())
	credentials := auth.Credentials{User: t.user}
	if credentials.Password, err = t.asker.ask(ctx, "Password of "+t.user); err != nil {
		return err
	}
	if credentials.Password == "" {
		return cmdline.Usage(errors.New("the password is empty: no director asks a backend then"))
	}
	if t.code || c.otp.mode(c.authType) == dcvix.OTPRequired {
		if credentials.OTP, err = t.asker.ask(ctx, "One-time password"); err != nil {
			return err
		}
	}
	who, err := t.logIn(ctx, backend, credentials)
	if err != nil {
		return err
	}
	c.sayPolicy(t, who)
	return nil
}

// logIn tries the credentials and answers what the backend asks.
func (t trial) logIn(ctx context.Context, backend auth.Authenticator, credentials auth.Credentials) (auth.Identity, error) {
	for range maxSteps {
		who, took, err := t.attempt(ctx, backend, credentials)
		challenge := (*auth.Challenge)(nil)
		switch {
		case err == nil:
			t.sayWho(who, took)
			return who, nil
		case errors.As(err, &challenge):
			t.say("accepted so far, after %v: the backend asks for a second step: %s", took, challenge.Prompt)
			credentials.Challenge = challenge.State
			if credentials.OTP, err = t.asker.ask(ctx, challenge.Prompt); err != nil {
				return auth.Identity{}, err
			}
			continue
		case errors.Is(err, auth.ErrInvalidCredentials):
			t.say("refused after %v: the user name, the password or the code is wrong, or this user may not log in", took)
			return auth.Identity{}, errNotLetIn
		case errors.Is(err, auth.ErrUnavailable):
			return auth.Identity{}, fmt.Errorf("not tried, the login service could not be asked for %v: %s", took, plain(err.Error()))
		}
		return auth.Identity{}, fmt.Errorf("not tried, the backend has a fault, after %v: %s", took, plain(err.Error()))
	}
	return auth.Identity{}, fmt.Errorf("the backend asked for more than %d steps", maxSteps)
}

func (t trial) attempt(ctx context.Context, backend auth.Authenticator, c auth.Credentials) (who auth.Identity, took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.limit)
	defer cancel()
	begin := time.Now()
	who, err = backend.Authenticate(ctx, c)
	if err == nil {
		err = who.User.Validate()
	}
	return who, time.Since(begin).Round(time.Millisecond), err
}

// say prints a line that cannot move the terminal.
func (t trial) say(format string, args ...any) { // any: as package fmt
	_, _ = fmt.Fprintln(t.out, plain(fmt.Sprintf(format, args...))) // nobody is left to hear of a failure
}

func (t trial) sayWho(who auth.Identity, took time.Duration) {
	t.say("accepted as %s after %v", who.User, took)
	if string(who.User) != t.user {
		t.say("this is the name that the policy has to have, not %s", t.user)
	}
	t.say("groups: %s", listed(who.Groups))
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// sayPolicy says what the policy gives a user. A policy that cannot be read is no
// fault of the login.
func (c *config) sayPolicy(t trial, who auth.Identity) {
	rules, err := c.rules()
	if err != nil {
		t.say("policy: %v", err)
		return
	}
	a := rules.Access(who.User, who.Groups)
	hosts := listed(a.Hosts)
	if a.Custom {
		hosts = strings.TrimPrefix(hosts+", and every registered host", "none, and ")
	}
	switch {
	case !a.Known:
		t.say("policy: %s names neither %s nor a group of theirs: they log in to an empty list", c.policyFolder, who.User)
	case a.Admin:
		t.say("policy: an admin; hosts: %s", hosts)
	default:
		t.say("policy: no admin; hosts: %s", hosts)
	}
	for _, problem := range rules.Problems {
		t.say("policy: %s", problem)
	}
}

// rules reads the policy and makes no file that is not there.
func (c *config) rules() (*session.Rules, error) {
	files, err := session.ReadPolicyFiles(c.policyFolder, c.foldUserCase())
	if err != nil {
		return nil, err
	}
	return session.ParseRules(files)
}
