package directorcmd

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/directorapi/client"
)

// group returns a command that has others below it and does nothing by itself.
func group(use, short string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cmdline.NoWords,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(below...)
	return cmd
}

func (s *shell) agents() *cobra.Command {
	return group("agents", "List, approve, deny and revoke agents",
		s.listAgents(), s.approve(), s.deny(), s.revoke(), s.reactivate(), s.denied(), s.forget())
}

func (s *shell) listAgents() *cobra.Command {
	var state string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the register of agents, those that wait for approval first",
		Args:  cmdline.NoWords,
		RunE:  func(cmd *cobra.Command, _ []string) error { return s.list(cmd, state, asJSON) },
	}
	cmd.Flags().StringVar(&state, "state", "", "only agents that are `pending`, registered or revoked")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (s *shell) list(cmd *cobra.Command, state string, asJSON bool) error {
	switch want := dcvix.AgentState(state); want {
	case "", dcvix.AgentPending, dcvix.AgentRegistered, dcvix.AgentRevoked:
	default:
		return cmdline.Usage(fmt.Errorf("--state %.80q is none: write pending, registered or revoked", state))
	}
	return s.withDirector(cmd, func(ctx context.Context, director *client.Client) error {
		all, err := director.Agents(ctx, "") // all, as what is said of one depends on others
		if err != nil {
			return err
		}
		rows := agentRows(all, dcvix.AgentState(state))
		switch {
		case asJSON:
			return printJSON(cmd.OutOrStdout(), chosen(all, dcvix.AgentState(state)))
		case len(rows) > 1:
			return printTable(cmd.OutOrStdout(), rows)
		case state != "":
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "No agent is %s.\n", state)
		default:
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "No agent has asked to join yet: start dcvix-agent on a host, with this director as its director_host.")
		}
		return err
	})
}

// chosen returns the agents in a state, or all for "", as lists show them: pending
// ones first, then by host name.
func chosen(all []dcvix.Agent, state dcvix.AgentState) []dcvix.Agent {
	agents := make([]dcvix.Agent, 0, len(all))
	for _, a := range all {
		if state == "" || a.State == state {
			agents = append(agents, a)
		}
	}
	order := []dcvix.AgentState{dcvix.AgentPending, dcvix.AgentRegistered, dcvix.AgentRevoked}
	slices.SortFunc(agents, func(a, b dcvix.Agent) int {
		return cmp.Or(slices.Index(order, a.State)-slices.Index(order, b.State), cmp.Compare(a.Hostname, b.Hostname), cmp.Compare(a.GUID, b.GUID))
	})
	return agents
}

// agentRows returns the table of the agents in a state, or of all for "".
func agentRows(all []dcvix.Agent, state dcvix.AgentState) [][]string {
	holders := make(map[dcvix.Hostname]dcvix.AgentID)
	waiting := make(map[dcvix.Hostname]int)
	for _, a := range all {
		switch a.State {
		case dcvix.AgentRegistered:
			for _, name := range append([]dcvix.Hostname{a.Hostname}, a.Aliases...) {
				holders[name] = a.GUID
			}
		case dcvix.AgentPending:
			waiting[a.Hostname]++
		default:
		}
	}
	rows := [][]string{{"STATE", "HOST", "GUID", "KEY", "LAST SEEN", "REMARKS"}}
	for _, a := range chosen(all, state) {
		seen := cmp.Or(moment(a.LastSeenAt.Time), "never")
		if a.State == dcvix.AgentPending {
			seen = "asked " + moment(a.CreatedAt.Time)
		}
		rows = append(rows, []string{
			string(a.State), string(a.Hostname), string(a.GUID), a.Fingerprint, seen, remarks(a, holders[a.Hostname], waiting[a.Hostname]),
		})
	}
	return rows
}

// remarks says what an admin has to know of an agent before deciding. holder is
// the registered agent with its name, waiting how many pending ones ask for it.
func remarks(a dcvix.Agent, holder dcvix.AgentID, waiting int) string {
	var all []string
	if a.Conflict {
		all = append(all, "KEY CONFLICT: another key was shown under this GUID")
	}
	if a.State != dcvix.AgentRegistered && holder != "" {
		all = append(all, fmt.Sprintf("the name is held by registered agent %.8s", string(holder)))
	}
	if a.State == dcvix.AgentPending && waiting > 1 {
		all = append(all, fmt.Sprintf("%d pending agents ask for this name", waiting))
	}
	if a.OrphanedBy != "" {
		all = append(all, fmt.Sprintf("seems to have asked again with a new key, as %.8s", string(a.OrphanedBy)))
	}
	if a.RequestedHostname != "" {
		all = append(all, "wishes the name "+string(a.RequestedHostname))
	}
	if len(a.Aliases) > 0 {
		names := make([]string, len(a.Aliases))
		for i, n := range a.Aliases {
			names[i] = string(n)
		}
		all = append(all, "also named "+strings.Join(names, ", "))
	}
	return strings.Join(all, "; ")
}
