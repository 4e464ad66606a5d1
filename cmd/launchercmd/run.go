package launchercmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dcvix/dcvix/cmd/internal/cmdline"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/internal/logging"
	"github.com/dcvix/dcvix/directorapi/client"
)

// run does what the flags ask for, from reading the configuration to logging
// out.
func run(ctx context.Context, opts Options, f flags) error {
	kind, err := f.check()
	if err != nil {
		return cmdline.Usage(err)
	}
	if server := cmp.Or(f.connect, f.close); server != "" {
		if err := checkServer(server); err != nil {
			return cmdline.Usage(err)
		}
	}
	s, err := loadSettings(f.conf)
	if s != nil && s.wroteDefault {
		say(opts.Stderr, "A new configuration file was written: "+s.path)
	}
	if err != nil {
		return cmdline.Usage(err)
	}
	engine, closer, err := assemble(opts, s)
	if err != nil {
		return cmdline.Usage(err)
	}
	defer closer()
	engine.Tidy(ctx)
	t := &terminalFront{opts: opts, flags: f, settings: s, engine: engine}
	if err := t.login(ctx); err != nil {
		return err
	}
	defer t.logout(ctx)
	switch {
	case f.list:
		return t.list(ctx)
	case f.connect != "":
		return engine.Connect(ctx, f.connect, kind)
	default:
		_, err := engine.Close(ctx, f.close, kind)
		return err
	}
}

// assemble makes the engine. closer releases what it holds.
func assemble(opts Options, s *settings) (engine *Engine, closer func(), err error) {
	s.log.Stderr = opts.Stderr
	logger, logFile, err := logging.Open("dcvix-launcher", s.log)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range s.set.Notes() {
		if n.Level >= slog.LevelWarn {
			say(opts.Stderr, "Note: "+n.Text)
		}
	}
	if s.insecure() {
		say(opts.Stderr, "Warning: the director's certificate is not checked (accept-untrusted-cert), so your password can be read on the way: set ca-fingerprint or ca-file instead.")
	}
	director, err := s.director()
	if err != nil {
		return nil, nil, errors.Join(err, logFile.Close())
	}
	folder, err := connectionFolder()
	if err == nil {
		engine, err = NewEngine(EngineConfig{
			Director: director,
			Folder:   folder,
			Command:  s.command,
			Progress: func(step string) { say(opts.Stderr, step+" …") },
			Logger:   logger,

			ViewerOutput: opts.Stderr,
		})
	}
	if err != nil {
		return nil, nil, errors.Join(err, logFile.Close())
	}
	return engine, func() { director.Close(); _ = logFile.Close() }, nil
}

// say writes a line for the person. Nothing can be done when that fails.
func say(w io.Writer, line string) { _, _ = fmt.Fprintln(w, line) }

// A terminalFront asks and tells a person in a terminal.
type terminalFront struct {
	opts     Options
	flags    flags
	settings *settings
	engine   *Engine
}

// maxSteps bounds the second steps of one login.
const maxSteps = 3

func (t *terminalFront) login(ctx context.Context) error {
	options, err := t.engine.Reach(ctx) // before a password is asked for in vain
	if err != nil {
		return err
	}
	req, err := t.credentials(ctx, options)
	if err != nil {
		return err
	}
	code := t.flags.otp
	for range maxSteps {
		err = t.engine.Login(ctx, req)
		var challenge *client.ChallengeError
		if !errors.As(err, &challenge) {
			return err
		}
		req.Challenge, req.OTP, code = challenge.Challenge, code, ""
		if req.OTP == "" {
			if req.OTP, err = t.ask(ctx, challenge.Prompt, "--otp CODE"); err != nil {
				return fmt.Errorf("%w: %w", challenge, err)
			}
		}
	}
	return err
}

// credentials collects what the first step of a login needs.
func (t *terminalFront) credentials(ctx context.Context, options dcvix.LoginOptions) (req dcvix.LoginRequest, err error) {
	req.UserID = cmp.Or(t.flags.user, t.settings.user)
	if req.UserID == "" {
		if req.UserID, err = t.askOpen(ctx, "User", "--user NAME, or user_id in "+cmp.Or(t.settings.path, "dcvix-launcher.conf")); err != nil {
			return req, cmdline.Usage(err)
		}
	}
	if err := dcvix.Username(req.UserID).Validate(); err != nil {
		return req, cmdline.Usage(fmt.Errorf("the user name cannot be right: %w", err))
	}
	if t.flags.passwordStdin {
		req.Password, err = firstLine(t.opts.Stdin)
	} else {
		req.Password, err = t.ask(ctx, "Password of "+show(req.UserID), "--password-stdin")
	}
	if err != nil {
		return req, cmdline.Usage(err)
	}
	if req.Password == "" {
		return req, cmdline.Usage(errors.New("the password is empty: enter it"))
	}
	req.OTP = t.flags.otp
	if req.OTP != "" || options.OTP == dcvix.OTPNever || options.OTP != dcvix.OTPRequired && !t.settings.otp {
		return req, nil
	}
	if t.flags.passwordStdin && options.OTP != dcvix.OTPRequired {
		return req, nil // a script that needs a code gives --otp
	}
	req.OTP, err = t.ask(ctx, "One-time password", "--otp CODE")
	if err != nil {
		return req, cmdline.Usage(err)
	}
	return req, nil
}

// logout ends the login also after Ctrl-C, but waits for nobody long. That it
// may fail is no news: the login ends by itself.
func (t *terminalFront) logout(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = t.engine.Logout(ctx)
}

func (t *terminalFront) list(ctx context.Context) error {
	desktops, anyHost, err := t.engine.Desktops(ctx)
	if err != nil {
		return err
	}
	if t.flags.json {
		enc := json.NewEncoder(t.opts.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			Desktops []Desktop `json:"desktops"`
			AnyHost  bool      `json:"anyHost"`
		}{desktops, anyHost})
	}
	if len(desktops) == 0 {
		say(t.opts.Stderr, "You have no desktop: ask your admin for one.")
	}
	w := tabwriter.NewWriter(t.opts.Stdout, 0, 0, 2, ' ', 0)
	for _, d := range desktops {
		var running []string
		for _, s := range d.Sessions {
			running = append(running, fmt.Sprintf("%s %s", s.Type, show(string(s.ID))))
		}
		line := show(d.Name)
		if len(running) > 0 {
			line += "\trunning: " + strings.Join(running, ", ")
		}
		say(w, line)
	}
	if anyHost {
		say(t.opts.Stderr, "You may name any other host too.")
	}
	return w.Flush()
}
