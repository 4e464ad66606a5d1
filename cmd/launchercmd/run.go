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
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
	"github.com/dcvix/dcvix/directorapi/client"
)

// run does what the flags ask for, from reading the configuration to logging
// out.
func run(ctx context.Context, opts Options, f flags, w *words.Words) error {
	windowed := opts.Window != nil && !f.list && f.connect == "" && f.close == ""
	kind, err := f.check(windowed, w)
	if err != nil {
		return cmdline.Usage(err)
	}
	name := cmp.Or(f.connect, f.close)
	if f.link != "" {
		if name, err = parseLink(f.link, w); err != nil {
			return cmdline.Usage(err)
		}
	}
	if name != "" {
		if err := checkName("", name, w); err != nil {
			return cmdline.Usage(err)
		}
	}
	s, err := loadSettings(f.conf)
	var a *assembly
	if err == nil {
		*w = *s.words(w)
		a, err = assemble(opts, s, windowed, w)
	}
	if s != nil && s.wroteDefault && !windowed {
		say(opts.Stderr, w.Say(words.ConfWritten, s.path))
	}
	if windowed && err != nil {
		return opts.Window(ctx, WindowStart{Err: err, Words: w})
	}
	if err != nil {
		return cmdline.Usage(err)
	}
	defer a.close()
	a.engine.Tidy(ctx)
	if windowed {
		err := opts.Window(ctx, WindowStart{Engine: a.engine, Words: w, Logger: a.logger, Invite: name})
		logout(ctx, a.engine)
		return err
	}
	return inTerminal(ctx, &terminalFront{opts: opts, flags: f, settings: s, engine: a.engine}, name, kind)
}

// inTerminal does what the flags ask for.
func inTerminal(ctx context.Context, t *terminalFront, name string, kind dcvix.SessionType) error {
	for _, note := range t.engine.Notes() {
		say(t.opts.Stderr, note)
	}
	if t.engine.URL() == "" {
		return cmdline.Usage(&saidError{text: t.say(words.BrokerMissing, t.settings.brokerKey.Where())})
	}
	if err := t.login(ctx); err != nil {
		return err
	}
	defer logout(ctx, t.engine)
	switch {
	case t.flags.list:
		return t.list(ctx)
	case t.flags.link != "":
		return t.invited(ctx, name)
	case t.flags.connect != "":
		return t.engine.Connect(ctx, Wish{Name: name, Type: kind})
	default:
		_, err := t.engine.Close(ctx, name, kind)
		return err
	}
}

// logout ends the login also after Ctrl-C, but waits for nobody long. That it
// may fail is no news: the login ends by itself.
func logout(ctx context.Context, e *Engine) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = e.Logout(ctx)
}

// An assembly is an engine with what it is made of.
type assembly struct {
	engine *Engine
	logger *slog.Logger
	close  func() // releases what they hold
}

// assemble makes the engine.
func assemble(opts Options, s *settings, windowed bool, w *words.Words) (*assembly, error) {
	s.log.Stderr = opts.Stderr
	logger, logFile, err := logging.Open("dcvix-launcher", s.log)
	if err != nil {
		return nil, err
	}
	engine, err := s.engine(func(cfg *EngineConfig) {
		cfg.Logger, cfg.Words = logger, w
		if !windowed {
			cfg.Progress = func(step Step) { say(opts.Stderr, step.Text+" …") }
			cfg.ViewerOutput = opts.Stderr
		}
		for _, n := range s.set.Notes() {
			if n.Level >= slog.LevelWarn {
				cfg.Notes = append(cfg.Notes, w.Say(words.ConfNote, n.Text))
			}
		}
		if cfg.Trust == TrustNobody {
			cfg.Notes = append(cfg.Notes, w.Say(words.Unchecked))
		}
	})
	if err != nil {
		return nil, errors.Join(err, logFile.Close())
	}
	return &assembly{engine, logger, func() { engine.End(); _ = logFile.Close() }}, nil
}

// engine makes the engine of the settings, after change has had its say.
func (s *settings) engine(change func(*EngineConfig)) (*Engine, error) {
	director, trust, err := s.director()
	if err != nil {
		return nil, err
	}
	folder, err := connectionFolder()
	if err != nil {
		return nil, err
	}
	home, err := homeFolder()
	if err != nil {
		home = "" // nothing is remembered then
	}
	cfg := EngineConfig{
		Director: director, Trust: trust, User: s.user, AskOTP: s.otp, AnyHost: s.anyHost,
		Home: home, Folder: folder, Command: s.command,
	}
	change(&cfg)
	engine, err := NewEngine(cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.brokerKey.Where(), err)
	}
	return engine, nil
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

func (t *terminalFront) say(key words.Key, values ...any) string { // any: as fmt
	return t.engine.Words().Say(key, values...)
}

// maxSteps bounds the second steps of one login.
const maxSteps = 3

func (t *terminalFront) login(ctx context.Context) error {
	form, err := t.engine.Reach(ctx) // before a password is asked for in vain
	if err != nil {
		return err
	}
	req, err := t.credentials(ctx, form)
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
func (t *terminalFront) credentials(ctx context.Context, form Form) (req dcvix.LoginRequest, err error) {
	req.UserID = cmp.Or(t.flags.user, t.settings.user, t.engine.User())
	if req.UserID == "" {
		instead := t.say(words.UserFlag, cmp.Or(t.settings.path, "dcvix-launcher.conf"))
		if req.UserID, err = t.askOpen(ctx, t.say(words.AskUser), instead); err != nil {
			return req, cmdline.Usage(err)
		}
	}
	if err := dcvix.Username(req.UserID).Validate(); err != nil {
		return req, cmdline.Usage(&saidError{t.say(words.BadUser, err), err})
	}
	if t.flags.passwordStdin {
		req.Password, err = firstLine(t.opts.Stdin, t.engine.Words())
	} else {
		req.Password, err = t.ask(ctx, t.say(words.AskPassword, show(req.UserID)), "--password-stdin")
	}
	if err != nil {
		return req, cmdline.Usage(err)
	}
	if req.Password == "" {
		return req, cmdline.Usage(&saidError{text: t.say(words.NoPassword)})
	}
	req.OTP = t.flags.otp
	if req.OTP != "" || !form.OTP || t.flags.passwordStdin && !form.Must {
		return req, nil // a script that needs a code gives --otp
	}
	req.OTP, err = t.ask(ctx, t.say(words.AskCode), "--otp CODE")
	if err != nil {
		return req, cmdline.Usage(err)
	}
	return req, nil
}

func (t *terminalFront) list(ctx context.Context) error {
	list, err := t.engine.Desktops(ctx)
	if err != nil {
		return err
	}
	if t.flags.json {
		enc := json.NewEncoder(t.opts.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	if len(list.Desktops) == 0 {
		say(t.opts.Stderr, cmp.Or(list.Reason, t.say(words.NoDesktops)))
	}
	w := tabwriter.NewWriter(t.opts.Stdout, 0, 0, 2, ' ', 0)
	for _, d := range list.Desktops {
		line := d.Label()
		if d.Kind == dcvix.DesktopPool {
			line += " (" + t.say(words.PoolWord) + ")"
		}
		var running []string
		for _, s := range d.Sessions {
			running = append(running, fmt.Sprintf("%s %s", show(string(s.Type)), show(string(s.ID))))
		}
		state := d.StateText(t.engine.Words())
		if len(running) > 0 {
			state = t.say(words.Running, strings.Join(running, ", "))
		}
		if state != "" {
			line += "\t" + state
		}
		say(w, line)
	}
	if list.AnyHost {
		say(t.opts.Stderr, t.say(words.AnyHost))
	}
	return w.Flush()
}

// invited opens what a link asks for, if it is the person's and the person agrees.
func (t *terminalFront) invited(ctx context.Context, name string) error {
	d, err := t.engine.Invited(ctx, name)
	if err != nil {
		return err
	}
	answer, err := t.askOpen(ctx, t.say(words.AskOpen, d.Label()), "--connect "+d.Label())
	if err != nil {
		return cmdline.Usage(err)
	}
	if !strings.EqualFold(strings.TrimSpace(answer), t.say(words.Yes)) {
		say(t.opts.Stderr, t.say(words.NotOpened))
		return nil
	}
	return t.engine.Connect(ctx, Wish{Name: d.Name, Kind: d.Kind})
}
