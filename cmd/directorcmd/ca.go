package directorcmd

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/cmd/internal/datadir"
	"github.com/dcvix/dcvix/directorapi/client"
)

func (s *shell) ca() *cobra.Command {
	return group("ca", "Show and export the certificate authority of the agents", s.caShow(), s.caFingerprint(), s.caExport())
}

// withCA calls f with the certificate that issues the director's own, parsed and
// in PEM.
func (s *shell) withCA(cmd *cobra.Command, f func(*x509.Certificate, string) error) error {
	return s.withDirector(cmd, func(ctx context.Context, director *client.Client) error {
		text, err := director.CA(ctx)
		if err != nil {
			return err
		}
		chain, err := ca.ParseCerts([]byte(text))
		if err != nil {
			return err
		}
		return f(chain[0], text)
	})
}

// An authority is what ca show prints.
type authority struct {
	Subject     string `json:"subject"`
	NotBefore   string `json:"not_before"`
	NotAfter    string `json:"not_after"`
	Key         string `json:"key"`
	Fingerprint string `json:"fingerprint"`
}

func (s *shell) caShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show whose certificate it is, how long it is good, its key and its fingerprint",
		Args:  cmdline.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.withCA(cmd, func(cert *x509.Certificate, _ string) error {
				a := authority{
					Subject: cert.Subject.String(), NotBefore: moment(cert.NotBefore), NotAfter: moment(cert.NotAfter),
					Key: keyType(cert), Fingerprint: ca.FingerprintOf(cert).String(),
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), a)
				}
				return printTable(cmd.OutOrStdout(), [][]string{
					{"subject", a.Subject}, {"valid from", a.NotBefore}, {"valid until", a.NotAfter}, {"key", a.Key}, {"fingerprint", a.Fingerprint},
				})
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func keyType(cert *x509.Certificate) string {
	switch key := cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return cert.PublicKeyAlgorithm.String()
}

func (s *shell) caFingerprint() *cobra.Command {
	return &cobra.Command{
		Use:   "fingerprint",
		Short: "Print its fingerprint, as ca_fingerprint in an agent's configuration takes it",
		Args:  cmdline.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.withCA(cmd, func(cert *x509.Certificate, _ string) error {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), ca.FingerprintOf(cert))
				return err
			})
		},
	}
}

func (s *shell) caExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export [FILE]",
		Short: "Write it in PEM to a new file, or to standard output",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cmdline.Usage(errors.New("name one file, or none for standard output"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.withCA(cmd, func(_ *x509.Certificate, text string) error {
				if len(args) == 1 {
					return writeNew(args[0], text)
				}
				_, err := fmt.Fprint(cmd.OutOrStdout(), text)
				return err
			})
		},
	}
}

// writeNew writes a file that everybody may read and that was not there.
func writeNew(path, text string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return fmt.Errorf("%s is there already: remove it, or write to another path", path)
	case !errors.Is(err, fs.ErrNotExist):
		return datadir.Explain(fmt.Errorf("write the certificate: %w", err))
	}
	if err := ca.WriteFile(path, []byte(text), 0o644); err != nil {
		return datadir.Explain(err)
	}
	return nil
}
