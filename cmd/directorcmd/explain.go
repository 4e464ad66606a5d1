package directorcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/directorapi/client"
)

func (s *shell) explain() *cobra.Command {
	var req dcvix.ExplainRequest
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain --user NAME (--pool POOL | --host HOST)",
		Short: "Say which host somebody would get now, and why not the others",
		Long: "Say which host somebody would get now, and why not the others. It changes nothing.\n\n" +
			"What hosts report is known to the running director alone. When none runs, hosts of a pool\n" +
			"are asked, for three seconds at most.",
		Args: cmdline.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkExplain(req); err != nil {
				return cmdline.Usage(err)
			}
			return s.withDirector(cmd, func(ctx context.Context, director *client.Client) error {
				e, err := director.Explain(ctx, req)
				switch {
				case err != nil:
					return err
				case asJSON:
					return printJSON(cmd.OutOrStdout(), e)
				}
				return printExplanation(cmd.OutOrStdout(), e)
			})
		},
	}
	cmd.Flags().StringVar(&req.UserID, "user", "", "`name` of the user")
	cmd.Flags().StringArrayVar(&req.Groups, "group", nil, "a `group` that the user's login brings; may be given more than once")
	cmd.Flags().StringVar(&req.PoolID, "pool", "", "`id` of a pool")
	cmd.Flags().StringVar(&req.ServerID, "host", "", "`name` of a host")
	cmd.Flags().StringVar(&req.SessionType, "type", string(dcvix.SessionConsole), "`console` or virtual")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func checkExplain(req dcvix.ExplainRequest) error {
	if err := dcvix.Username(req.UserID).Validate(); err != nil {
		return fmt.Errorf("--user: no director takes this name: %w", err)
	}
	if _, err := dcvix.ParseSessionType(req.SessionType); err != nil {
		return fmt.Errorf("--type %.80q is none: write console or virtual", req.SessionType)
	}
	if (req.PoolID == "") == (req.ServerID == "") {
		return errors.New("give --pool or --host, one of them")
	}
	return nil
}

func printExplanation(out io.Writer, e dcvix.Explanation) error {
	rows := [][]string{{"", "HOST", "LOAD", "SESSIONS", "WHY"}}
	for _, h := range e.Hosts {
		row := []string{"", h.Name, "", "", h.Reason}
		if h.Chosen {
			row[0] = "*"
		}
		if h.Load > 0 || h.Sessions > 0 {
			row[2], row[3] = fmt.Sprintf("%.0f %%", 100*h.Load), strconv.Itoa(h.Sessions)
		}
		rows = append(rows, row)
	}
	if err := printTable(out, rows); err != nil {
		return err
	}
	words := "No host can take the session."
	if e.Chosen != "" {
		words = fmt.Sprintf("It would be on %s.", e.Chosen)
	}
	if e.Strategy != "" {
		words += fmt.Sprintf(" The strategy is %s.", e.Strategy)
	}
	_, err := fmt.Fprintln(out, plain(words))
	return err
}
