package directorcmd

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/cmd/internal/diagnosis"
)

func (s *shell) doctor() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what keeps this director from working, and say how to mend it",
		Long: "Look for what keeps this director from working, and say how to mend it: configuration, keys and\n" +
			"certificates, clock, disk, register, audit, policy, the login backend, and with a director that\n" +
			"runs its port, its verifier as DCV servers see it, and agents that are silent. What to mend first\n" +
			"stands first. It changes nothing, and shows no secret. Run it as the director's user, as\n" +
			"\"sudo -u dcvix dcvix-director doctor\": root may do what that user may not.\n\n" +
			"It ends with 0 when all is well or there are warnings alone, and with 1 for a problem.",
		Args: cmdline.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report := s.examine(cmd.Context(), system())
			write := report.WriteText
			if asJSON {
				write = report.WriteJSON
			}
			if err := write(cmd.OutOrStdout()); err != nil {
				return err
			}
			if report.Problems > 0 {
				return errProblems
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// A surroundings is what a doctor asks the machine.
type surroundings struct {
	now    func() time.Time
	synced func() (bool, error)                // whether something keeps the clock right
	free   func(folder string) (uint64, error) // bytes on its disk
	limit  time.Duration                       // of one call
}

func system() surroundings {
	return surroundings{now: time.Now, synced: clockSynced, free: freeSpace, limit: 10 * time.Second}
}

// A doctor is one examination.
type doctor struct {
	*config
	surroundings
}

// examine goes through the checks. Those of a configuration that cannot be read end
// with it.
func (s *shell) examine(ctx context.Context, around surroundings) diagnosis.Report {
	const check = "configuration"
	c, err := s.config()
	if err == nil {
		err = c.checkAudit()
	}
	if err != nil {
		return diagnosis.NewReport([]diagnosis.Finding{
			diagnosis.Trouble(check, err.Error()+".", "Correct the configuration: the director does not start with it, and nothing else was looked at."),
		})
	}
	d := &doctor{config: c, surroundings: around}
	groups := []func(context.Context) []diagnosis.Finding{
		d.checkConfiguration, d.checkKeys, d.checkCertificates, d.checkClock, d.checkDisk, d.checkRegister, d.checkChain, d.checkRules, d.checkBackend, d.checkLife,
	}
	found := make([][]diagnosis.Finding, len(groups))
	var all sync.WaitGroup
	for i, check := range groups {
		all.Go(func() { found[i] = check(ctx) })
	}
	all.Wait()
	return diagnosis.NewReport(slices.Concat(found...))
}

func one(f diagnosis.Finding) []diagnosis.Finding { return []diagnosis.Finding{f} }

func skip(check, because string) diagnosis.Finding {
	return diagnosis.Finding{Check: check, Level: diagnosis.Skipped, Text: because}
}

// checkBackend opens the login backend as the director would, and asks whether it
// could answer.
func (d *doctor) checkBackend(ctx context.Context) []diagnosis.Finding {
	const check = "logins"
	ctx, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	backend, err := d.prepare(ctx, slog.New(slog.DiscardHandler))
	if err == nil {
		err = auth.CheckHealth(ctx, backend)
	}
	switch {
	case errors.Is(err, auth.ErrUnavailable):
		return one(diagnosis.Trouble(check, "auth_type = "+d.authType+" cannot be asked: "+err.Error()+".", "Nobody can log in until it answers. Try it with a name of yours.").
			By("dcvix-director auth test --user NAME"))
	case err != nil:
		return one(diagnosis.Trouble(check, err.Error()+".", "Correct the section of auth_type = "+d.authType+" in the configuration."))
	}
	if _, can := backend.(auth.HealthChecker); !can {
		return one(diagnosis.Well(check, "auth_type = "+d.authType+"; whether it lets anybody in, only a login shows.").By("dcvix-director auth test --user NAME"))
	}
	return one(diagnosis.Well(check, "auth_type = "+d.authType+" answers."))
}
