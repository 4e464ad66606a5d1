package agentcmd

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix/cmd/agentcmd/doctor"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
)

// errNotWell is the end of a doctor that found a problem; its words were said.
var errNotWell = errors.New("there is a problem")

func doctorCommand(opts Options, f *flags) *cobra.Command {
	var asJSON bool
	var dcvConf string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what keeps this host from working, and say how to mend it",
		Long: "Look for what keeps this host from working with its director, and say how to mend it: files,\n" +
			"clock, director, agent, the dcv command, the settings of DCV, licence and disk. What to mend\n" +
			"first stands first. It changes nothing, and shows no secret. Run it as root.\n\n" +
			"It ends with 0 when all is well or there are warnings alone, and with 1 for a problem.",
		Args: cmdline.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report := examine(cmd, opts, *f, dcvConf)
			write := report.WriteText
			if asJSON {
				write = report.WriteJSON
			}
			if err := write(opts.Stdout); err != nil {
				return err
			}
			if report.Problems > 0 {
				return errNotWell
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&dcvConf, "dcv-conf", "", "the settings of DCV are in `PATH`, not where DCV has them")
	return cmd
}

func examine(cmd *cobra.Command, opts Options, f flags, dcvConf string) doctor.Report {
	c := newConfig()
	path, err := c.load(opts, f)
	if err != nil {
		return doctor.NewReport([]doctor.Finding{{
			Check: "configuration", Level: doctor.Problem, Text: err.Error(), Remedy: "Correct the configuration: the agent does not start with it, and nothing else was looked at.",
		}})
	}
	return doctor.Run(cmd.Context(), doctor.Config{
		File: path, Directors: c.directorHosts, DirectorPort: c.directorPort, CAFingerprint: c.caFingerprint, DataDir: c.dataDir,
		BindAddress: c.bindAddress, AgentPort: c.agentPort, DCVPath: c.dcvPath, DCVPort: c.dcvPort, DCVConf: dcvConf,
	})
}
