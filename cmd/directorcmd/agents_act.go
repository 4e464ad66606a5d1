package directorcmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/directorapi/client"
)

// An outcome is what became of one act.
type outcome struct {
	GUID     dcvix.AgentID `json:"guid"`
	Hostname string        `json:"hostname,omitempty"`
	Status   int           `json:"status"`           // as of HTTP; 200 is done
	Detail   string        `json:"detail,omitempty"` // why it was not done
}

// An act is done to each of some subjects.
type act struct {
	done string // what it has done, as in "approved"
	do   func(context.Context, *client.Client, dcvix.AgentID) error
	all  func(context.Context, *client.Client) ([]subject, error) // nil means the agents
	json bool
}

func (s *shell) deny() *cobra.Command {
	return s.actCommand("deny GUID…", "Send pending agents away, for a day",
		act{done: "denied", do: func(ctx context.Context, c *client.Client, id dcvix.AgentID) error { return c.Deny(ctx, id) }})
}

func (s *shell) revoke() *cobra.Command {
	return s.actCommand("revoke GUID…", "Shut registered agents out, at once", revocation())
}

func revocation() act {
	return act{done: "revoked", do: func(ctx context.Context, c *client.Client, id dcvix.AgentID) error { return c.Revoke(ctx, id) }}
}

func (s *shell) reactivate() *cobra.Command {
	return s.actCommand("reactivate GUID…", "Let revoked agents in again",
		act{done: "reactivated", do: func(ctx context.Context, c *client.Client, id dcvix.AgentID) error { return c.Reactivate(ctx, id) }})
}

func (s *shell) forget() *cobra.Command {
	return s.actCommand("forget GUID…", "Let agents ask again that were denied within a day", act{
		done: "forgotten the denial of",
		do:   func(ctx context.Context, c *client.Client, id dcvix.AgentID) error { return c.ForgetDenial(ctx, id) },
		all: func(ctx context.Context, c *client.Client) ([]subject, error) {
			denials, err := c.Denials(ctx)
			all := make([]subject, len(denials))
			for i, d := range denials {
				all[i].id = d.GUID
			}
			return all, err
		},
	})
}

func (s *shell) denied() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "denied",
		Short: "List the agents that were denied within a day",
		Args:  cmdline.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.withDirector(cmd, func(ctx context.Context, director *client.Client) error {
				denials, err := director.Denials(ctx)
				if err != nil {
					return err
				}
				return printDenials(cmd, denials, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printDenials(cmd *cobra.Command, denials []dcvix.Denial, asJSON bool) error {
	if asJSON {
		return printJSON(cmd.OutOrStdout(), denials)
	}
	if len(denials) == 0 {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "No agent was denied within a day.")
		return err
	}
	rows := [][]string{{"GUID", "KEY", "DENIED"}}
	for _, d := range denials {
		rows = append(rows, []string{string(d.GUID), d.Fingerprint, moment(d.DeniedAt.Time)})
	}
	return printTable(cmd.OutOrStdout(), rows)
}

func (s *shell) actCommand(use, short string, a act) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  someGUIDs,
		RunE:  func(cmd *cobra.Command, args []string) error { return s.act(cmd, a, args) },
	}
	cmd.Flags().BoolVar(&a.json, "json", false, "print JSON")
	return cmd
}

func someGUIDs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmdline.Usage(errors.New("name an agent by its GUID: dcvix-director agents list shows it"))
	}
	return nil
}

// act does a to the agents that the words mean, or to none when one of the words
// means none.
func (s *shell) act(cmd *cobra.Command, a act, words []string) error {
	return s.withDirector(cmd, func(ctx context.Context, director *client.Client) error {
		known := a.all
		if known == nil {
			known = func(ctx context.Context, c *client.Client) ([]subject, error) {
				agents, err := c.Agents(ctx, "")
				return subjects(agents), err
			}
		}
		all, err := known(ctx, director)
		if err != nil {
			return err
		}
		chosen, err := find(all, words)
		if err != nil {
			return err
		}
		var results []outcome
		for _, one := range chosen {
			result := outcome{GUID: one.id, Hostname: one.name, Status: http.StatusOK}
			if err := a.do(ctx, director, one.id); err != nil {
				refusal, ok := errors.AsType[*dcvix.Error](err)
				if !ok { // nobody answers any more
					return errors.Join(s.report(cmd, a, results), err)
				}
				result.Status, result.Detail = refusal.Status, refusal.Message
			}
			results = append(results, result)
		}
		return s.report(cmd, a, results)
	})
}

// report prints what was done, and returns what was not.
func (s *shell) report(cmd *cobra.Command, a act, results []outcome) error {
	var failed []error
	for _, r := range results {
		who := subject{id: r.GUID, name: r.Hostname}
		if r.Status != http.StatusOK {
			failed = append(failed, fmt.Errorf("%s: %s", who, plain(r.Detail)))
		} else if !a.json {
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", a.done, who); err != nil {
				return err
			}
		}
	}
	if a.json {
		if err := printJSON(cmd.OutOrStdout(), results); err != nil {
			return err
		}
	}
	return errors.Join(failed...)
}
