// Package agentcmd assembles the program dcvix-agent: configuration file, flags,
// logging, signals and the figures of the host around package agentclient.
//
// It decides nothing about the director, certificates or sessions.
package agentcmd

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
)

// The exit codes of the program.
const (
	ExitOK      = 0
	ExitFailure = 1 // this host does not let the agent work: folder, port, key, log; or the doctor found a problem
	ExitUsage   = 2 // the command line or the configuration file is wrong
)

// Options is what Main is started with. The zero value is the real process.
type Options struct {
	Args    []string  // nil means those of the process, without its name
	Environ []string  // nil means that of the process
	Stdout  io.Writer // nil means os.Stdout
	Stderr  io.Writer // nil means os.Stderr

	logFolder string // of a service that was told none: nobody reads its standard error
	started   func() // called when the agent begins its work; nil means nobody waits for that
}

// withDefaults takes what is not given from the process.
func (o Options) withDefaults() Options {
	if o.Args == nil {
		o.Args = os.Args[1:]
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	return o
}

// Main runs the agent until the process is asked to end, and returns its exit
// code. The first interrupt or SIGTERM lets calls under way finish; the second
// one kills. Started by the service manager of Windows it obeys that instead.
func Main(opts Options) int {
	opts = opts.withDefaults()
	if code, service := serveWindows(opts); service {
		return code
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // from here on a signal has its usual effect

	err := command(opts).ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errNotWell) { // the doctor has said it
		for line := range strings.SplitSeq(err.Error(), "\n") {
			_, _ = fmt.Fprintln(opts.Stderr, "dcvix-agent:", line) // nobody is left to hear of a failure
		}
	}
	return exitCode(err)
}

func exitCode(err error) int {
	switch {
	case err == nil:
		return ExitOK
	case cmdline.IsUsage(err):
		return ExitUsage
	default:
		return ExitFailure
	}
}

// flags are the words of one command line.
type flags struct {
	conf, writeConfig string
	lenient           bool
	install, remove   bool
}

func command(opts Options) *cobra.Command {
	cobra.MousetrapHelpText = "" // services of Windows are not started from a terminal
	var f flags
	cmd := &cobra.Command{
		Use:   "dcvix-agent",
		Short: "Connect this DCV host to its director",
		Long: "Connect this DCV host to its director: report its sessions and its load, and\n" +
			"start and close sessions when the director asks.\n\n" +
			"Without --conf it reads dcvix-agent.conf from the system's folder, else from\n" +
			"beside the program, else from the working directory. Every key can also be given\n" +
			"in the environment: DCVIX_AGENT_DIRECTOR_HOST is director_host in [agent].\n\n" +
			"Without a command it runs until it is told to stop. The commands are for whoever sets\n" +
			"up the host.\n\n" +
			"Exit codes: 0 stopped as asked, 1 this host does not let it work,\n" +
			"2 wrong usage or configuration.",
		Args:          cmdline.NoWords,
		Version:       dcvix.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case f.writeConfig != "":
				return cmdline.WriteConfig(newConfig().set, f.writeConfig)
			case f.install:
				return installService(opts, f)
			case f.remove:
				return removeService(opts)
			default:
				return run(cmd.Context(), opts, f)
			}
		},
	}
	cmd.SetVersionTemplate("dcvix-agent {{.Version}}\n")
	cmd.SetFlagErrorFunc(cmdline.FlagError)
	cmd.PersistentFlags().StringVar(&f.conf, "conf", "", "read the configuration from `PATH`")
	fs := cmd.Flags()
	fs.StringVar(&f.writeConfig, "write-config", "", "write a commented default configuration to `PATH` and end")
	cmd.PersistentFlags().BoolVar(&f.lenient, "lenient", false, "only warn of unknown keys in the configuration")
	fs.BoolVar(&f.install, "install", false, "the same as service install")
	fs.BoolVar(&f.remove, "uninstall", false, "the same as service uninstall")
	cmd.AddCommand(setupCommand(opts, &f), doctorCommand(opts, &f), serviceCommand(opts, &f))
	cmdline.Manual(cmd, "/etc/dcvix-agent/dcvix-agent.conf\tconfiguration", "/var/lib/dcvix-agent/\tidentity: key, certificate, GUID")
	cmd.SetArgs(cmdline.TwoDashes(opts.Args, "install", "uninstall"))
	cmd.SetOut(opts.Stdout)
	cmd.SetErr(opts.Stderr)
	return cmd
}
