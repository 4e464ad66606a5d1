package agentcmd

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/agentcmd/doctor"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/dcvcli/dcvconf"
	"github.com/dcvix/dcvix/internal/durable"
)

// caCopy is the director's CA beside dcv.conf. The agent's own file is in a folder
// that the account of the DCV server cannot enter.
const caCopy = "dcvix-ca.pem"

// A setup is one run of setup-dcv.
type setup struct {
	dryRun, undo, keepConsole                  bool
	consoleOwner, verifierURL, dcvConf, caFile string

	out      io.Writer
	settings *dcvconf.Settings
}

func setupCommand(opts Options, f *flags) *cobra.Command {
	s := &setup{out: opts.Stdout}
	cmd := &cobra.Command{
		Use:   "setup-dcv",
		Short: "Make the DCV server of this host ask the director who may come in",
		Long: "Make the DCV server of this host ask the director who may come in: in its settings\n" +
			"(/etc/dcv/dcv.conf, on Windows the registry), the verifier, the CA that it is known by,\n" +
			"and no console session at start. It shows what it changes, asks nothing, restarts\n" +
			"nothing, and changes nothing when it is run again. The agent has to be approved first,\n" +
			"since the director's CA comes with that; or give the CA with --ca-file.",
		Args: cmdline.NoWords,
		RunE: func(*cobra.Command, []string) error { return asRoot(s.run(opts, *f), runtime.GOOS) },
	}
	fs := cmd.Flags()
	fs.BoolVar(&s.dryRun, "dry-run", false, "show what would change and write nothing")
	fs.BoolVar(&s.undo, "undo", false, "put back what setup-dcv replaced")
	fs.StringVar(&s.consoleOwner, "console-owner", "", "have DCV start a console session that belongs to `NAME`")
	fs.BoolVar(&s.keepConsole, "keep-console", false, "leave the setting of a console session at start as it is")
	fs.StringVar(&s.verifierURL, "verifier-url", "", "have DCV ask `URL` instead of the first director_host, as behind a proxy")
	fs.StringVar(&s.caFile, "ca-file", "", "take the director's CA from `PATH` instead of the agent's data folder")
	fs.StringVar(&s.dcvConf, "dcv-conf", "", "the settings of DCV are in `PATH`, not where DCV has them")
	return cmd
}

// asRoot adds the remedy to an error that says that a right is missing.
func asRoot(err error, system string) error {
	switch {
	case !errors.Is(err, fs.ErrPermission):
		return err
	case system == "windows":
		return fmt.Errorf("%w: run this as an administrator", err)
	default:
		return fmt.Errorf("%w: run this as root, with sudo", err)
	}
}

func openSettings(path string) (*dcvconf.Settings, error) {
	if path == "" {
		return dcvconf.OpenMachine()
	}
	return dcvconf.Open(path)
}

func (s *setup) run(opts Options, f flags) error {
	if s.consoleOwner != "" && s.keepConsole {
		return cmdline.Usage(errors.New("--console-owner changes what --keep-console keeps: give one of the two"))
	}
	var err error
	if s.settings, err = openSettings(s.dcvConf); err != nil {
		return missingDCV(err)
	}
	if s.undo {
		return s.takeBack()
	}
	c := newConfig()
	if _, err := c.load(opts, f); err != nil {
		return err
	}
	verifier, err := s.verifier(c)
	if err != nil {
		return err
	}
	from := s.caFile
	if from == "" {
		from = filepath.Join(c.dataDir, agentclient.CAFile)
	}
	chain, err := ca.ReadCertFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no CA of the director in %s: start the agent and have it approved first, or give the director's CA with --ca-file", from)
	}
	if err != nil {
		return err
	}
	copied, err := s.place(from)
	if err != nil {
		return err
	}
	if err := s.set(verifier, copied); err != nil {
		return err
	}
	return s.apply(verifier, copied, chain)
}

func missingDCV(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: install the DCV server, or give the path of its dcv.conf with --dcv-conf", err)
	}
	return err
}

// verifier returns where DCV is to ask.
func (s *setup) verifier(c *config) (string, error) {
	if s.verifierURL == "" {
		if len(c.directorHosts) > 1 {
			s.say("DCV asks one director alone, the first of the list: %s.\n", c.directorHosts[0])
		}
		return c.directors()[0] + dcvix.PathAuthTokenVerify, nil
	}
	u, err := url.Parse(s.verifierURL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return "", cmdline.Usage(fmt.Errorf("--verifier-url %.200q is not a URL to ask: write https://host:port%s", s.verifierURL, dcvix.PathAuthTokenVerify))
	}
	return s.verifierURL, nil
}

// place returns where the CA is to be for the DCV server. On Windows that runs as
// SYSTEM, which reads everything, so it needs no copy.
func (s *setup) place(from string) (string, error) {
	if runtime.GOOS == "windows" && s.dcvConf == "" {
		return filepath.Abs(from)
	}
	return filepath.Abs(filepath.Join(filepath.Dir(s.settings.Where()), caCopy))
}

func (s *setup) set(verifier, caFile string) error {
	s.settings.Set("security", "auth-token-verifier", dcvconf.Text(verifier))
	s.settings.Set("security", "ca-file", dcvconf.Text(caFile))
	s.settings.Set("security", "no-tls-strict", dcvconf.Bool(false))
	if s.consoleOwner != "" {
		if err := dcvix.Username(s.consoleOwner).Validate(); err != nil {
			return cmdline.Usage(fmt.Errorf("--console-owner: no director takes this name: %w", err))
		}
		s.settings.Set("session-management/automatic-console-session", "owner", dcvconf.Text(s.consoleOwner))
	}
	if !s.keepConsole {
		s.settings.Set("session-management", "create-session", dcvconf.Bool(s.consoleOwner != ""))
	}
	return nil
}

// apply shows the changes and writes them: the CA first, because the settings
// point at it.
func (s *setup) apply(verifier, caFile string, chain []*x509.Certificate) error {
	text := ca.EncodePEM(chain...)
	old, err := os.ReadFile(caFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at the copy of the CA: %w", err)
	}
	stale := !sameCertificates(old, text)
	if len(s.settings.Changes()) == 0 && !stale {
		s.say("Nothing to change: %s has DCV ask %s already.\n", s.settings.Where(), verifier)
		return nil
	}
	s.say("%s", s.settings.Diff())
	if stale {
		s.say("%s\n+ the CA of the director, SHA-256 fingerprint\n+ %s\n", caFile, ca.FingerprintOf(chain[0]))
	}
	if s.dryRun {
		s.say("\nNothing was written, because of --dry-run.\n")
		return nil
	}
	if stale {
		if err := durable.WriteFile(caFile, text, 0o644); err != nil {
			return err
		}
		if err := os.Chmod(caFile, 0o644); err != nil { //nolint:gosec // a public certificate; a strict umask would hide it from DCV
			return fmt.Errorf("let DCV read the CA: %w", err)
		}
	}
	if err := s.settings.Save(); err != nil {
		return err
	}
	s.say("\nWritten. setup-dcv --undo puts back what was there.\n")
	s.sayRestart()
	return nil
}

// sameCertificates says whether two PEM texts hold the same certificates.
func sameCertificates(a, b []byte) bool {
	one, err := ca.ParseCerts(a)
	if err != nil {
		return false
	}
	other, err := ca.ParseCerts(b)
	return err == nil && bytes.Equal(ca.EncodePEM(one...), ca.EncodePEM(other...))
}

// takeBack is --undo.
func (s *setup) takeBack() error {
	left, err := s.settings.Undo()
	if errors.Is(err, dcvconf.ErrNothingToUndo) {
		s.say("Nothing to undo: %s holds nothing of setup-dcv.\n", s.settings.Where())
		return nil
	}
	if err != nil {
		return err
	}
	s.say("%s", s.settings.Diff())
	for _, c := range left {
		s.say("[%s] %s stays: somebody changed it since setup-dcv.\n", c.Section, c.Key)
	}
	copied := filepath.Join(filepath.Dir(s.settings.Where()), caCopy)
	_, statErr := os.Stat(copied)
	inUse, _ := s.settings.Get("security", "ca-file")
	used, _ := inUse.AsText()
	remove := statErr == nil && used != copied
	if remove {
		s.say("%s\n- the CA of the director\n", copied)
	}
	if s.dryRun {
		s.say("\nNothing was written, because of --dry-run.\n")
		return nil
	}
	if err := s.settings.Save(); err != nil {
		return err
	}
	if remove {
		if err := durable.RemoveFile(copied); err != nil {
			return fmt.Errorf("remove the copy of the CA: %w", err)
		}
	}
	s.say("\nUndone.\n")
	s.sayRestart()
	return nil
}

// sayRestart says what makes changes count. The Administrator Guide has the server
// read a first verifier, an emptied one and create-session at its start alone.
func (s *setup) sayRestart() {
	s.say("Restart the DCV server for this to count; its virtual sessions end then:\n  %s\n", doctor.RestartDCV())
}

// say prints for the operator; nobody is left to hear of a failure.
func (s *setup) say(format string, args ...any) { // any: as fmt.Printf
	_, _ = fmt.Fprintf(s.out, format, args...)
}
