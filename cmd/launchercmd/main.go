package launchercmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/dcvix/dcvix/cmd/internal/cmdline"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
	"github.com/dcvix/dcvix/directorapi/client"
)

// The exit codes of the program.
const (
	ExitOK          = 0
	ExitFailure     = 1   // anything that has no code of its own
	ExitUsage       = 2   // the command line or the configuration file is wrong
	ExitRefused     = 3   // the director refuses the login
	ExitDirector    = 4   // the director is not reachable, not trusted, or no director
	ExitViewer      = 5   // the viewer is missing or ended with an error
	ExitInterrupted = 130 // Ctrl-C, or asked to end
)

// Options is what Main is started with. The zero value is the real process.
type Options struct {
	Args     []string  // nil means those of the process, without its name
	Stdin    io.Reader // nil means os.Stdin
	Stdout   io.Writer // nil means os.Stdout
	Stderr   io.Writer // nil means os.Stderr
	Terminal Terminal  // where a person is asked; nil means Stdin, when it is a terminal

	// Window shows the window until the person closes it or ctx ends. It is called on
	// the goroutine that Main is called on. nil means that there is none: the program
	// is for a terminal.
	Window func(ctx context.Context, start WindowStart) error
}

// WindowStart is what a window begins with.
type WindowStart struct {
	Engine *Engine // nil when Err is set
	Err    error   // why there is none: the configuration is wrong; a sentence for the person
	Words  *words.Words
	Logger *slog.Logger // nil when Err is set

	// Invite is the name that a dcvix:// link asks for, empty when none does. It may
	// have come from anywhere: see [Engine.Invited].
	Invite string
}

// Main runs the launcher and returns its exit code: in a terminal when the command
// line says what to do, else in the window.
func Main(opts Options) int {
	if opts.Args == nil {
		opts.Args = os.Args[1:]
	}
	if opts.Stdin == nil {
		opts.Stdin = os.Stdin
	}
	if opts.Stdout == nil {
		opts.Stdout = os.Stdout
	}
	if opts.Stderr == nil {
		opts.Stderr = os.Stderr
	}
	opts.Stderr = &inTurn{w: opts.Stderr} // the viewer writes there too
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once

	w := words.For(systemLanguages(ctx)...) // until the configuration is read
	err := command(opts, w).ExecuteContext(ctx)
	code := exitCode(ctx, err)
	if err != nil && code != ExitInterrupted {
		_, _ = fmt.Fprintln(opts.Stderr, "dcvix-launcher:", sentence(err, w))
	}
	return code
}

func exitCode(ctx context.Context, err error) int {
	var refusal *dcvix.Error
	var untrusted *client.UntrustedError
	var viewer *ViewerError
	switch {
	case err == nil:
		return ExitOK
	case ctx.Err() != nil:
		return ExitInterrupted
	case cmdline.IsUsage(err):
		return ExitUsage
	case errors.Is(err, client.ErrUnreachable), errors.Is(err, client.ErrNotDirector), errors.As(err, &untrusted):
		return ExitDirector
	case errors.Is(err, ErrNoViewer), errors.As(err, &viewer):
		return ExitViewer
	case errors.As(err, &refusal) && (refusal.Code == dcvix.CodeUnauthenticated || refusal.Code == dcvix.CodeOTPRequired):
		return ExitRefused
	default:
		return ExitFailure
	}
}

// sentence says an error to the person. In English the errors of package client say
// more than their explanations; sentence adds what only this program knows: its own
// keys.
func sentence(err error, w *words.Words) string {
	text := err.Error()
	if x := explain(w, err); w.Language() != "en" {
		switch x.Trouble {
		case TroubleUnreachable, TroubleNotDirector, TroubleUntrusted, TroubleLoggedOut:
			text = strings.TrimSpace(x.Sentence + " " + x.Detail)
		default:
		}
	}
	var untrusted *client.UntrustedError
	if errors.As(err, &untrusted) && untrusted.Fingerprint != "" {
		text += " " + w.Say(words.TrustHint)
	}
	return text
}

// flags are the words of one command line.
type flags struct {
	conf, connect, close, kind string
	link                       string // dcvix://…
	writeConfig                string
	user, otp                  string
	list, json, passwordStdin  bool
}

func command(opts Options, w *words.Words) *cobra.Command {
	cobra.MousetrapHelpText = "" // on Windows a double click is the usual way to start this
	var f flags
	cmd := &cobra.Command{
		Use:   "dcvix-launcher [dcvix://connect/NAME]",
		Short: "Open a remote desktop in the DCV viewer",
		Long: "Open a remote desktop in the DCV viewer.\n\n" +
			"The director and the person are named in dcvix-launcher.conf, which is made at the first start.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 login refused,\n" +
			"4 director not reachable or not trusted, 5 viewer missing or ended with an error, 130 interrupted.",
		Args:              func(_ *cobra.Command, args []string) error { return noWords(args, w) },
		Version:           dcvix.Version,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.writeConfig != "" {
				s := new(settings)
				declare(s)
				return cmdline.WriteConfig(s.set, f.writeConfig)
			}
			f.link = strings.Join(args, "")
			return run(cmd.Context(), opts, f, w)
		},
	}
	cmd.SetVersionTemplate("dcvix-launcher {{.Version}}\n")
	cmd.SetFlagErrorFunc(cmdline.FlagError)
	fs := cmd.Flags()
	fs.StringVar(&f.conf, "conf", "", "read the configuration from `PATH`")
	fs.StringVar(&f.writeConfig, "write-config", "", "write a commented default configuration to `PATH` and end")
	fs.BoolVar(&f.list, "list", false, "print your desktops")
	fs.StringVar(&f.connect, "connect", "", "open the desktop `NAME`, a host or a pool, and wait until the viewer ends")
	fs.StringVar(&f.close, "close", "", "close your session on the desktop `NAME`")
	fs.StringVar(&f.kind, "type", "", "`TYPE` of the desktop, console or virtual; without it that of the one that runs, else what you prefer")
	fs.BoolVar(&f.json, "json", false, "with --list: print JSON")
	fs.StringVar(&f.user, "user", "", "log in as `NAME` instead of user_id of the configuration")
	fs.BoolVar(&f.passwordStdin, "password-stdin", false, "read the password from the first line of standard input")
	fs.StringVar(&f.otp, "otp", "", "one-time password `CODE`, where one is asked for")
	cmd.AddCommand(uriCommand(opts, w))
	cmd.SetArgs(cmdline.TwoDashes(opts.Args))
	cmd.SetIn(opts.Stdin)
	cmd.SetOut(opts.Stdout)
	cmd.SetErr(opts.Stderr)
	return cmd
}

// noWords lets nothing stand alone on the command line but a link.
func noWords(args []string, w *words.Words) error {
	if len(args) == 0 || len(args) == 1 && isLink(args[0]) {
		return nil
	}
	return cmdline.Usage(&saidError{text: w.Say(words.StrayWord, show(args[0]), show(args[0]))})
}

// check refuses what cannot be done before anything is read or asked.
func (f flags) check(window bool, w *words.Words) (dcvix.SessionType, error) {
	said := func(key words.Key) error { return &saidError{text: w.Say(key)} }
	acts := 0
	for _, given := range []bool{f.list, f.connect != "", f.close != "", f.link != ""} {
		if given {
			acts++
		}
	}
	switch {
	case acts == 0 && !window:
		return "", said(words.NoWindow)
	case acts > 1:
		return "", said(words.OneAct)
	case f.json && !f.list:
		return "", said(words.JSONAlone)
	case f.kind == "":
		return "", nil
	case f.connect == "" && f.close == "":
		return "", said(words.TypeAlone)
	}
	kind, err := dcvix.ParseSessionType(f.kind)
	if err != nil {
		return "", fmt.Errorf("--type: %w", err)
	}
	return kind, nil
}
