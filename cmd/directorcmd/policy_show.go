package directorcmd

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/directorapi/client"
)

func (s *shell) policyShow() *cobra.Command {
	var user string
	var groups []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show --user NAME",
		Short: "Say what the policy gives a user, and where each part of it comes from",
		Long: "Say what the policy gives a user, and where each part of it comes from. A login brings groups\n" +
			"along that are not known here: give them with --group (dcvix-director auth test shows them).\n\n" +
			"The director of the configuration is asked when it runs, and says too which registered agent\n" +
			"each host is; else the files are read.",
		Args: cmdline.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := dcvix.Username(user).Validate(); err != nil {
				return cmdline.Usage(fmt.Errorf("--user: no director takes this name: %w", err))
			}
			c, err := s.config()
			if err != nil {
				return err
			}
			return s.showPolicy(cmd, c, dcvix.Username(user), groups, asJSON)
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "`name` of the user, as the login backend returns it")
	cmd.Flags().StringArrayVar(&groups, "group", nil, "`name` of a group of the user's login; may come again")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (s *shell) showPolicy(cmd *cobra.Command, c *config, user dcvix.Username, groups []string, asJSON bool) error {
	var access dcvix.PolicyAccess
	by := "the running director"
	running, err := s.whenRunning(cmd.Context(), c, func(ctx context.Context, director *client.Client) (err error) {
		access, err = director.PolicyAccess(ctx, user, groups)
		return err
	})
	if err != nil {
		return err
	}
	if !running {
		rules, err := c.rules()
		if err != nil {
			return err
		}
		by = "the files in " + c.policyFolder + ", as no director runs here"
		access = rules.Trace(user, groups, nil)
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), access)
	}
	return printAccess(cmd.OutOrStdout(), by, access)
}

func printAccess(out io.Writer, by string, a dcvix.PolicyAccess) error {
	rows := [][]string{{"user", string(a.User)}, {"groups", listed(a.Groups)}, {"asked", by}, {"entries", listed(a.Entries)}}
	if len(a.Entries) > 0 {
		rows = append(rows, []string{"admin", because(a.Admin)}, []string{"any host", because(a.Custom)})
	}
	if err := printTable(out, rows); err != nil {
		return err
	}
	if len(a.Entries) == 0 {
		_, err := fmt.Fprintln(out, "\nThe policy names neither the user nor one of the groups: they log in to an empty list.")
		return err
	}
	if len(a.Hosts) > 0 {
		if err := printSection(out, hostRows(a.Hosts)); err != nil {
			return err
		}
	}
	if len(a.Pools) > 0 {
		return printSection(out, poolRows(a.Pools))
	}
	return nil
}

func printSection(out io.Writer, rows [][]string) error {
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	return printTable(out, rows)
}

// because writes yes with its reasons, or no.
func because(from []string) string {
	if len(from) == 0 {
		return "no"
	}
	return "yes: " + strings.Join(from, ", ")
}

func hostRows(hosts []dcvix.PolicyHost) [][]string {
	rows := [][]string{{"HOST", "AGENT", "FROM"}}
	for _, h := range hosts {
		agent := "?"
		switch {
		case h.Agents == nil:
		case len(h.Agents) == 0:
			agent = "none is registered"
		case len(h.Agents) == 1:
			agent = string(h.Agents[0])
		default:
			agent = fmt.Sprintf("one of %d: write the whole name", len(h.Agents))
		}
		rows = append(rows, []string{h.Name, agent, h.From})
	}
	return rows
}

func poolRows(pools []dcvix.PolicyPool) [][]string {
	rows := [][]string{{"POOL", "STRATEGY", "REQUIRES", "HOSTS", "FROM"}}
	for _, p := range pools {
		strategy := p.Strategy
		if strategy == "" {
			strategy = "the director's"
		}
		rows = append(rows, []string{p.ID, strategy, listed(p.Require), strconv.Itoa(len(p.Hosts)), p.From})
	}
	return rows
}
