package directorcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/cmd/internal/control"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/session"
)

// errProblems is the end of a check whose words were said already.
var errProblems = errors.New("there are problems")

func (s *shell) policy() *cobra.Command {
	return group("policy", "Look for mistakes in the policy, and say what it gives somebody", s.policyCheck(), s.policyShow())
}

func (s *shell) policyCheck() *cobra.Command {
	var folder string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look for mistakes in users.json, pools.json and groups.json",
		Long: "Look for mistakes in users.json, pools.json and groups.json, and say each with file, line and\n" +
			"remedy. When the director of the configuration runs, hosts that no registered agent is, or that\n" +
			"could be several, are mistakes too. Nothing is changed.\n\n" +
			"It ends with 0 when there is none, 1 when there are some, and 2 for a mistake in the command\n" +
			"line or the configuration.",
		Args: cmdline.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.config()
			if err != nil {
				return err
			}
			if folder != "" {
				c.policyFolder = folder
			}
			return s.checkPolicy(cmd, c, asJSON)
		},
	}
	cmd.Flags().StringVar(&folder, "policydb", "", "`folder` with the files (default: policydb_folder of the configuration)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// A policyProblem is what policy check --json prints of a mistake.
type policyProblem struct {
	File       string `json:"file"`
	Line       int    `json:"line"`
	Problem    string `json:"problem"`
	Suggestion string `json:"suggestion"`
}

func (s *shell) checkPolicy(cmd *cobra.Command, c *config, asJSON bool) error {
	if _, err := os.ReadDir(c.policyFolder); err != nil {
		return cmdline.Usage(fmt.Errorf("the policy folder cannot be read: %w: name it with --policydb, or as policydb_folder", err))
	}
	problems, rules, err := c.policyProblems()
	if err != nil {
		return err
	}
	said := "its files were not read against the register"
	if rules != nil {
		var found []session.Problem
		found, said = s.hostProblems(cmd.Context(), c, rules)
		problems = append(problems, found...)
	}
	if err := printProblems(cmd.OutOrStdout(), problems, asJSON); err != nil {
		return err
	}
	if len(problems) > 0 {
		return errProblems
	}
	if !asJSON {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), plain(fmt.Sprintf("The policy in %s has no mistakes; %s.", c.policyFolder, said)))
	}
	return err
}

// policyProblems returns what the files alone show, and the Rules unless they cannot
// be understood. The error is of files that cannot be read.
func (c *config) policyProblems() ([]session.Problem, *session.Rules, error) {
	files, err := session.ReadPolicyFiles(c.policyFolder, c.foldUserCase())
	if err != nil {
		return nil, nil, err
	}
	var problems []session.Problem
	if files.Users == nil {
		problems = append(problems, notThere(session.UsersFile))
	}
	if files.Pools == nil {
		problems = append(problems, notThere(session.PoolsFile))
	}
	rules, err := session.ParseRules(files)
	if refused := (*session.PolicyError)(nil); errors.As(err, &refused) {
		return append(problems, refused.Problems...), nil, nil
	}
	return append(problems, rules.Problems...), rules, err
}

func notThere(name string) session.Problem {
	return session.Problem{File: name, Line: 1, Entry: "the file", Text: "is not there", Suggestion: "Write one, with [] for an empty list."}
}

// hostProblems returns which hosts the register of the running director does not
// bear out, and what is to be said when there are none.
func (s *shell) hostProblems(ctx context.Context, c *config, rules *session.Rules) (problems []session.Problem, said string) {
	var registered *session.HostNames
	running, err := s.whenRunning(ctx, c, func(ctx context.Context, director *client.Client) error {
		agents, err := director.Agents(ctx, dcvix.AgentRegistered)
		names := make([][]dcvix.Hostname, len(agents))
		for i, a := range agents {
			names[i] = append([]dcvix.Hostname{a.Hostname}, a.Aliases...)
		}
		registered = session.NewHostNames(names)
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Sprintf("its hosts were not looked up: %v", err)
	case !running:
		return nil, "its hosts were not looked up, as no director runs here"
	}
	return rules.HostProblems(registered), "its hosts are registered agents"
}

// whenRunning calls f with the running director of the configuration. It says
// whether there is one.
func (s *shell) whenRunning(ctx context.Context, c *config, f func(context.Context, *client.Client) error) (bool, error) {
	conn, err := control.Dial(ctx, c.dataDir)
	switch {
	case errors.Is(err, control.ErrNobody):
		return false, nil
	case errors.Is(err, fs.ErrPermission):
		return false, c.notYours(err)
	case err != nil:
		return false, err
	}
	_ = conn.Close() // it only showed that somebody is there
	return true, s.call(ctx, c.overSocket(), f)
}

func printProblems(out io.Writer, problems []session.Problem, asJSON bool) error {
	if asJSON {
		all := make([]policyProblem, len(problems))
		for i, p := range problems {
			all[i] = policyProblem{File: p.File, Line: p.Line, Problem: p.Entry + " " + p.Text, Suggestion: p.Suggestion}
		}
		return printJSON(out, all)
	}
	for _, p := range problems {
		if _, err := fmt.Fprintln(out, plain(p.String())); err != nil {
			return err
		}
	}
	return nil
}
