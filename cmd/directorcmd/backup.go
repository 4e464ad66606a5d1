package directorcmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/directorcmd/backup"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/cmd/internal/datadir"
	"github.com/dcvix/dcvix/directorapi/standalone"
	"github.com/dcvix/dcvix/internal/durable"
	"github.com/dcvix/dcvix/internal/private"
)

// places returns where the parts of the director of the configuration are.
func (c *config) places() backup.Places {
	p := backup.Places{Data: c.dataDir, Policy: c.policyFolder, Audit: c.auditFile, TokenKey: c.tokenKeyFile, File: c.file}
	if p.Audit == "" {
		p.Audit = filepath.Join(c.dataDir, standalone.AuditFile)
	}
	return p
}

// oneFile is for [cobra.Command.Args].
func oneFile(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return cmdline.Usage(errors.New("name the file of the backup"))
	}
	return nil
}

func (s *shell) backup() *cobra.Command {
	var passphrase string
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all that makes this director into one new file, sealed with a passphrase",
		Long: "Write all that makes this director into one new file, sealed with a passphrase: its keys and\n" +
			"certificates, the register of agents, the policy, the audit and the configuration. The director\n" +
			"may run meanwhile. Files that the configuration names elsewhere, such as ldap_ca_file, are not\n" +
			"in it.\n\n" +
			"Whoever has file and passphrase is this director: keep them apart. Without the passphrase the\n" +
			"file is worth nothing, to you too.",
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.config()
			if err == nil {
				err = c.checkLived()
			}
			if err != nil {
				return err
			}
			if _, err := os.Lstat(args[0]); !errors.Is(err, fs.ErrNotExist) {
				return cmdline.Usage(fmt.Errorf("%s is there already: remove it, or write to another path", args[0]))
			}
			secret, err := s.passphrase(cmd.Context(), passphrase, true)
			if err != nil {
				return err
			}
			m, err := writeBackup(cmd.Context(), args[0], c.places(), secret)
			if err != nil {
				return datadir.Explain(err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s has the director of %s as it was at %s.\n", args[0], m.Host, moment(m.Time))
			return err
		},
	}
	cmd.Flags().StringVar(&passphrase, "passphrase-file", "", "the passphrase is the first line of `file`, not what is typed")
	return cmd
}

// writeBackup writes the file whole or not at all, its owner's alone.
func writeBackup(ctx context.Context, path string, p backup.Places, secret auth.Secret) (m backup.Manifest, err error) {
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was killed
		return m, err
	}
	f, err := private.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return m, err
	}
	m, err = backup.Write(ctx, f, p, string(secret), 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return m, errors.Join(err, os.Remove(part))
	}
	return m, durable.SyncFolder(filepath.Dir(path))
}

func (s *shell) restore() *cobra.Command {
	var passphrase string
	var replace bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put the director of a backup back, on this machine or on an empty one",
		Long: "Put the director of a backup into the places that the configuration of this machine names. It is\n" +
			"the same director then: its agents, hosts and people notice nothing, but for what happened after\n" +
			"the backup. A kill at any moment leaves the old director or the new one.\n\n" +
			"The director must not run. Where one has lived, --replace says that it may go, with its audit:\n" +
			"back it up first. The configuration of the backup is left in data_dir as\n" +
			backup.RestoredConfig + ", to be compared with that of this machine.",
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.config()
			if err != nil {
				return err
			}
			return c.restore(cmd, args[0], replace, func() (auth.Secret, error) { return s.passphrase(cmd.Context(), passphrase, false) })
		},
	}
	cmd.Flags().StringVar(&passphrase, "passphrase-file", "", "the passphrase is the first line of `file`, not what is typed")
	cmd.Flags().BoolVar(&replace, "replace", false, "a director that has lived here may go, with its audit")
	return cmd
}

func (c *config) restore(cmd *cobra.Command, path string, replace bool, ask func() (auth.Secret, error)) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return cmdline.Usage(fmt.Errorf("the backup cannot be read: %w", err))
	}
	defer func() { _ = f.Close() }() // it was only read
	dir, err := datadir.Open(c.dataDir, c.dataDirKey.Where())
	if errors.Is(err, datadir.ErrInUse) {
		return fmt.Errorf("a director runs with the data folder %s: stop it first, systemctl stop dcvix-director.socket dcvix-director (%s)", c.dataDir, c.dataDirKey.Where())
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if file, lived := backup.Lived(c.places()); lived && !replace {
		return fmt.Errorf("a director has lived here, there is %s: back it up and give --replace, or name another data_dir (%s)", file, c.dataDirKey.Where())
	}
	secret, err := ask()
	if err != nil {
		return err
	}
	m, err := backup.Restore(cmd.Context(), f, c.places(), string(secret))
	if err != nil {
		return datadir.Explain(err)
	}
	chain, err := ca.ReadCertFile(filepath.Join(c.dataDir, ca.CertFile))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "The director of %s as it was at %s is in %s. The fingerprint of its CA is\n%s\nCompare %s with %s, then start it.\n",
		m.Host, moment(m.Time), c.dataDir, ca.FingerprintOf(chain[0]), filepath.Join(c.dataDir, backup.RestoredConfig), c.fileOr("the configuration of this machine"))
	return err
}

func (c *config) fileOr(words string) string {
	if c.file == "" {
		return words
	}
	return c.file
}

// passphrase gets the passphrase from a file or the terminal, where a new one is
// asked for twice.
func (s *shell) passphrase(ctx context.Context, file string, fresh bool) (auth.Secret, error) {
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return "", cmdline.Usage(fmt.Errorf("the passphrase cannot be read: %w", err))
		}
		defer func() { _ = f.Close() }() // it was only read
		text, err := io.ReadAll(io.LimitReader(f, 64<<10))
		if err != nil {
			return "", fmt.Errorf("the passphrase cannot be read: %w", err)
		}
		line, _, _ := bytes.Cut(text, []byte("\n"))
		return checkPassphrase(auth.Secret(bytes.TrimRight(line, "\r")))
	}
	asker := newAsker(s.opts, false)
	if asker.terminal == nil {
		return "", cmdline.Usage(errors.New("there is no terminal to ask for the passphrase on: give --passphrase-file"))
	}
	secret, err := asker.ask(ctx, "Passphrase of the backup")
	if err != nil || !fresh {
		return secret, err
	}
	if secret, err = checkPassphrase(secret); err != nil {
		return "", err
	}
	again, err := asker.ask(ctx, "The same again")
	if err == nil && again != secret {
		err = cmdline.Usage(errors.New("these were two different ones: nothing was written"))
	}
	return secret, err
}

func checkPassphrase(secret auth.Secret) (auth.Secret, error) {
	if len(secret) < backup.MinPassphrase {
		return "", cmdline.Usage(fmt.Errorf("the passphrase is too short: take at least %d characters, several words", backup.MinPassphrase))
	}
	return secret, nil
}
