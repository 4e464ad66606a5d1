package agentcmd

import (
	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix/cmd/internal/cmdline"
)

// serviceCommand is what makes the agent a service of Windows, and no longer one.
func serviceCommand(opts Options, f *flags) *cobra.Command {
	service := &cobra.Command{
		Use:   "service",
		Short: "Make the agent a service of Windows",
		Args:  cmdline.NoWords,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	service.AddCommand(&cobra.Command{
		Use:   "install",
		Short: "Start the agent with Windows from now on; with --conf, with that configuration",
		Args:  cmdline.NoWords,
		RunE:  func(*cobra.Command, []string) error { return installService(opts, *f) },
	}, &cobra.Command{
		Use:   "uninstall",
		Short: "Stop the service and forget it; configuration, identity and logs stay",
		Args:  cmdline.NoWords,
		RunE:  func(*cobra.Command, []string) error { return removeService(opts) },
	})
	return service
}
