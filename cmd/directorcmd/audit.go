package directorcmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/session/auditfile"
)

func (s *shell) audit() *cobra.Command {
	return group("audit", "Look after the record of who did what", s.auditVerify())
}

func (s *shell) auditVerify() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Read the whole audit and say whether it is what was written",
		Long: "Read the whole audit, with the files that were moved aside, and say whether it is what was\n" +
			"written: each line carries a hash of the one before, so a line that was changed, removed, added\n" +
			"or moved is found. FILE is the newest file; without it that of the configuration is read. The\n" +
			"director may run meanwhile.\n\n" +
			"That the end was cut off between two lines, nothing in the files shows: compare the number of\n" +
			"records, or the last one, with a copy elsewhere.\n\n" +
			"It ends with 0 when the chain is unbroken and with 1 when it is not.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cmdline.Usage(errors.New("name one file, the newest, or none"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var path string
			if len(args) == 1 {
				path = args[0]
			} else {
				c, err := s.config()
				if err != nil {
					return err
				}
				path = c.places().Audit
			}
			return verifyAudit(cmd, path, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// A verdict is what audit verify prints.
type verdict struct {
	File    string `json:"file"` // the newest, or that with the fault
	Records int64  `json:"records"`
	Line    int    `json:"line,omitempty"`   // of the first fault, from 1
	Reason  string `json:"reason,omitempty"` // of it; "" means that the chain is unbroken
}

func verifyAudit(cmd *cobra.Command, path string, asJSON bool) error {
	records, err := auditfile.Verify(path)
	broken := (*auditfile.BrokenError)(nil)
	v := verdict{File: path, Records: records}
	switch {
	case errors.As(err, &broken):
		v.File, v.Line, v.Reason = broken.File, broken.Line, broken.Reason
	case err != nil:
		return err
	}
	if asJSON {
		err = printJSON(cmd.OutOrStdout(), v)
	} else if broken != nil {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s line %d: %s. The %d records before are what was written.\n", v.File, v.Line, v.Reason, v.Records)
	} else {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d records, an unbroken chain: %s\n", v.Records, v.File)
	}
	if err == nil && broken != nil {
		err = errProblems
	}
	return err
}
