// Package directorcmd is the program dcvix-director: it reads the configuration,
// assembles a director from package directorapi/standalone and runs it.
//
// A director with a login backend of your own is a main that calls [Main] with
// one more entry in Options.Backends.
package directorcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/dcvix/dcvix/cmd/internal/cmdline"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/internal/inifile"
)

// The exit codes of the program.
const (
	ExitOK      = 0
	ExitFailure = 1 // it could not start or could not go on
	ExitUsage   = 2 // the command line or the configuration is wrong
	ExitRefused = 3 // auth test: the login was refused
)

// Options say how the program differs from the usual one. The zero value is
// dcvix-director.
type Options struct {
	Backends map[string]BackendFactory // values of auth_type; nil means Backends()

	Args    []string  // without the program's name; nil means os.Args[1:]
	Environ []string  // nil means os.Environ()
	Stdin   io.Reader // nil means os.Stdin
	Stdout  io.Writer // nil means os.Stdout
	Stderr  io.Writer // nil means os.Stderr
}

func (o Options) withDefaults() Options {
	if o.Backends == nil {
		o.Backends = Backends()
	}
	if o.Args == nil {
		o.Args = os.Args[1:]
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	return o
}

// Main runs the program until it is told to stop and returns its exit code. The
// first SIGINT or SIGTERM ends it in good order, a second one at once; SIGHUP
// reads the policy again.
func Main(o Options) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal kills
	return Run(ctx, o)
}

// Run is Main without its signals: the program ends in good order when ctx does.
func Run(ctx context.Context, o Options) int {
	o = o.withDefaults()
	root := command(o) //nolint:contextcheck // cobra hands the context to its commands
	root.SetArgs(cmdline.TwoDashes(o.Args, "list-pending-agents", "approve-agent", "revoke-agent"))
	root.SetOut(o.Stdout)
	root.SetErr(o.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil || ctx.Err() != nil && errors.Is(err, context.Canceled) { // told to stop while it started
		return ExitOK
	}
	if errors.Is(err, errNotLetIn) {
		return ExitRefused
	}
	if errors.Is(err, errProblems) {
		return ExitFailure
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		_, _ = fmt.Fprintln(o.Stderr, "dcvix-director:", line) // nobody is left to hear of a failure
	}
	if cmdline.IsUsage(err) {
		return ExitUsage
	}
	return ExitFailure
}

func command(o Options) *cobra.Command {
	s := &shell{opts: o}
	var writeConfig string
	var older olderFlags
	root := &cobra.Command{
		Use:   "dcvix-director",
		Short: "The director of a fleet of Amazon DCV hosts: certificate authority, logins, session broker",
		Long: "The director of a fleet of Amazon DCV hosts: certificate authority, logins, session broker.\n\n" +
			"Without a command it runs until it is told to stop. The commands are for admins on this\n" +
			"machine: they talk to the running director of the same configuration, or when none runs\n" +
			"do their work themselves. They need no login, but the rights of the director's user or root.",
		Version:       dcvix.Version,
		Args:          cmdline.NoWords,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if writeConfig != "" {
				return cmdline.WriteConfig(newConfig(o.Backends).set, writeConfig)
			}
			if act, found := older.command(s, cmd); found {
				return act(cmd)
			}
			c, err := s.config()
			if err != nil {
				return err
			}
			return serve(cmd.Context(), c, o.Stderr)
		},
	}
	root.SetVersionTemplate("dcvix-director {{.Version}}\n")
	root.SetFlagErrorFunc(cmdline.FlagError)
	root.PersistentFlags().StringVar(&s.conf, "conf", "", "configuration `file` (default: "+inifile.Candidates("director")[0]+", else dcvix-director.conf beside the program, else in the working directory)")
	root.PersistentFlags().BoolVar(&s.lenient, "lenient", false, "unknown keys in the configuration are warnings, not errors")
	root.Flags().StringVar(&writeConfig, "write-config", "", "write a commented default configuration to `file` and end")
	older.declare(root)
	root.AddCommand(s.agents(), s.audit(), s.auth(), s.backup(), s.ca(), s.doctor(), s.explain(), s.policy(), s.restore())
	cmdline.Manual(root, "/etc/dcvix-director/dcvix-director.conf\tconfiguration", "/etc/dcvix-director/policydb/\twho may use what: users.json, pools.json, groups.json",
		defaultDataDir()+"/\tkeys, certificates, register of agents, audit")
	return root
}
