package launchercmd

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// uriCommand registers this program for dcvix:// links, for the person alone.
func uriCommand(opts Options, w *words.Words) *cobra.Command {
	uri := &cobra.Command{
		Use:   "uri",
		Short: "Let dcvix:// links of web pages start this program, or no longer",
		Args:  cmdline.NoWords,
		RunE: func(*cobra.Command, []string) error {
			return cmdline.Usage(&saidError{text: w.Say(words.LinksWhat)})
		},
	}
	uri.AddCommand(&cobra.Command{
		Use: "install", Short: "Start this program for dcvix:// links", Args: cmdline.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			program, err := self()
			if err == nil {
				err = register(cmd.Context(), program, opts.Window == nil)
			}
			if err != nil {
				return &saidError{w.Say(words.LinksFailed, err), err}
			}
			say(opts.Stdout, w.Say(words.LinksInstalled, program))
			return nil
		},
	}, &cobra.Command{
		Use: "remove", Short: "Start this program for dcvix:// links no longer", Args: cmdline.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := unregister(cmd.Context()); err != nil {
				return &saidError{w.Say(words.LinksFailed, err), err}
			}
			say(opts.Stdout, w.Say(words.LinksRemoved))
			return nil
		},
	})
	return uri
}

// self returns where this program is, without links on the way: a later version may
// move them.
func self() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return filepath.EvalSymlinks(path)
}
