package directorcmd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/directorapi/client"
)

// An approval is what the flags of approve say.
type approval struct {
	all, yes, replace, json bool
	aliases                 []string
}

func (s *shell) approve() *cobra.Command {
	var how approval
	cmd := &cobra.Command{
		Use:   "approve GUID… | --all",
		Short: "Let pending agents in, or accept the name that one wishes",
		Long: "Lets pending agents in, or accepts the other name that a registered agent wishes.\n" +
			"Compare the key first: the agent prints its fingerprint on the host.",
		Args: how.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			if how.all {
				return s.approveAll(cmd, how)
			}
			return s.act(cmd, how.act(), args)
		},
	}
	cmd.Flags().BoolVar(&how.all, "all", false, "approve all pending agents, after a look at the list")
	cmd.Flags().BoolVar(&how.yes, "yes", false, "with --all: do not ask")
	cmd.Flags().BoolVar(&how.replace, "replace", false, "revoke the registered agent that holds the name")
	cmd.Flags().StringArrayVar(&how.aliases, "alias", nil, "a further `name` of the host, for its certificate; may be repeated")
	cmd.Flags().BoolVar(&how.json, "json", false, "print JSON")
	return cmd
}

// check is for [cobra.Command.Args].
func (a *approval) check(cmd *cobra.Command, args []string) error {
	switch {
	case !a.all && a.yes:
		return cmdline.Usage(errors.New("--yes goes with --all"))
	case !a.all && len(a.aliases) > 0 && len(args) != 1:
		return cmdline.Usage(errors.New("--alias is for one agent: name one GUID"))
	case !a.all && len(args) == 0:
		return cmdline.Usage(errors.New("name an agent by its GUID, or give --all: dcvix-director agents list shows who waits"))
	case !a.all:
		return nil
	case len(args) > 0:
		return cmdline.Usage(errors.New("--all means every pending agent: leave the GUIDs out, or --all"))
	case a.replace, len(a.aliases) > 0:
		return cmdline.Usage(errors.New("--all never replaces and gives no aliases: approve such an agent by its GUID"))
	case a.json && !a.yes:
		return cmdline.Usage(errors.New("--all --json cannot ask: add --yes"))
	}
	return nil
}

func (a *approval) act() act {
	req := dcvix.ApproveRequest{Replace: a.replace}
	for _, name := range a.aliases {
		req.Aliases = append(req.Aliases, dcvix.Hostname(name))
	}
	return act{done: "approved", json: a.json, do: func(ctx context.Context, c *client.Client, id dcvix.AgentID) error {
		return c.Approve(ctx, id, req)
	}}
}

// approveAll approves the agents that were shown and no others. The director is
// free for others while it asks.
func (s *shell) approveAll(cmd *cobra.Command, how approval) error {
	var all []dcvix.Agent
	err := s.withDirector(cmd, func(ctx context.Context, director *client.Client) (err error) {
		all, err = director.Agents(ctx, "")
		return err
	})
	if err != nil {
		return err
	}
	pending := subjects(chosen(all, dcvix.AgentPending))
	if !how.json {
		if len(pending) == 0 {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "No agent is pending.")
			return err
		}
		if err := printTable(cmd.OutOrStdout(), agentRows(all, dcvix.AgentPending)); err != nil {
			return err
		}
	}
	if !how.yes {
		agreed, err := confirm(cmd.Context(), s.opts.Stdin, s.opts.Stderr, fmt.Sprintf("Approve all %d?", len(pending)))
		if err != nil {
			return err
		}
		if !agreed {
			return errors.New("nothing was approved")
		}
	}
	return s.withDirector(cmd, func(ctx context.Context, director *client.Client) error {
		return s.approveMany(ctx, cmd, director, pending, how.act())
	})
}

func (s *shell) approveMany(ctx context.Context, cmd *cobra.Command, director *client.Client, pending []subject, a act) error {
	results := make([]outcome, 0, len(pending))
	for some := range slices.Chunk(pending, dcvix.MaxApprovals) {
		ids := make([]dcvix.AgentID, len(some))
		for i, one := range some {
			ids[i] = one.id
		}
		answered, err := director.ApproveMany(ctx, ids)
		if err != nil {
			return errors.Join(s.report(cmd, a, results), err)
		}
		for i, r := range answered {
			results = append(results, outcome{GUID: r.GUID, Hostname: some[i].name, Status: r.Status, Detail: r.Detail})
		}
	}
	return s.report(cmd, a, results)
}
