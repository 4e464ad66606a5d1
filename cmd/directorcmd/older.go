package directorcmd

import (
	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix"
)

// olderFlags are what the 0.1 generation had instead of commands.
type olderFlags struct {
	listPending     bool
	approve, revoke string
}

func (f *olderFlags) declare(root *cobra.Command) {
	root.Flags().BoolVar(&f.listPending, "list-pending-agents", false, "as agents list --state pending")
	root.Flags().StringVar(&f.approve, "approve-agent", "", "as agents approve `GUID`")
	root.Flags().StringVar(&f.revoke, "revoke-agent", "", "as agents revoke `GUID`")
	root.MarkFlagsMutuallyExclusive("write-config", "list-pending-agents", "approve-agent", "revoke-agent")
}

// command returns what the flags mean, if one was given.
func (f *olderFlags) command(s *shell, cmd *cobra.Command) (act func(*cobra.Command) error, found bool) {
	switch {
	case f.listPending:
		return func(cmd *cobra.Command) error { return s.list(cmd, string(dcvix.AgentPending), false) }, true
	case cmd.Flags().Changed("approve-agent"): // even with "", which is a slip and no wish to serve
		return func(cmd *cobra.Command) error { return s.act(cmd, new(approval).act(), []string{f.approve}) }, true
	case cmd.Flags().Changed("revoke-agent"):
		return func(cmd *cobra.Command) error { return s.act(cmd, revocation(), []string{f.revoke}) }, true
	}
	return nil, false
}
