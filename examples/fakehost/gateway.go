package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// gatewayFlags are named after the keys of the real gateway's configuration file.
type gatewayFlags struct {
	name, listen               string
	url, caFile, cert, key     string
	noTLSStrict, hidesClients  bool
	webCert, webKey, dcvCAFile string
}

func parseGatewayFlags(args []string) (gatewayFlags, error) {
	var f gatewayFlags
	flags := flag.NewFlagSet("fakehost gateway", flag.ContinueOnError)
	flags.StringVar(&f.name, "name", "localhost", "name of the gateway")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8443", "address and port")
	flags.StringVar(&f.webCert, "cert-file", "", "certificate to show to clients, PEM (default: a throw-away one)")
	flags.StringVar(&f.webKey, "cert-key-file", "", "its key")
	flags.StringVar(&f.url, "resolver", "", "URL of the session resolver (required)")
	flags.StringVar(&f.caFile, "resolver-ca-file", "", "PEM of the CA that signs its certificate (default: the system's)")
	flags.StringVar(&f.cert, "resolver-cert-file", "", "certificate to show to the resolver, PEM (default: none)")
	flags.StringVar(&f.key, "resolver-cert-key-file", "", "its key")
	flags.BoolVar(&f.noTLSStrict, "resolver-no-tls-strict", false, "believe any certificate of the resolver")
	flags.StringVar(&f.dcvCAFile, "dcv-ca-file", "", "PEM of the CA that signs the DCV servers' certificates (default: believe any)")
	flags.BoolVar(&f.hidesClients, "hide-clients", false, "tell the resolver no address of the client")
	if err := flags.Parse(args); err != nil {
		return f, err
	}
	if f.url == "" || flags.NArg() > 0 {
		return f, errors.New("gateway needs --resolver URL and takes flags alone")
	}
	return f, nil
}

// config reads the files that the flags name.
func (f gatewayFlags) config() (dcvclitest.GatewayConfig, error) {
	resolver := &dcvclitest.Resolver{URL: f.url, NoTLSStrict: f.noTLSStrict}
	cfg := dcvclitest.GatewayConfig{
		Name: f.name, Resolver: resolver, HidesClients: f.hidesClients,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)).With(slog.String("gateway", f.name)),
	}
	var err error
	if resolver.CA, err = readCA(f.caFile); err != nil {
		return cfg, err
	}
	if f.cert != "" || f.key != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return cfg, fmt.Errorf("the certificate for the resolver: %w", err)
		}
		resolver.Certificate = &pair
	}
	if f.webCert != "" || f.webKey != "" {
		pair, err := tls.LoadX509KeyPair(f.webCert, f.webKey)
		if err != nil {
			return cfg, fmt.Errorf("the gateway's certificate: %w", err)
		}
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	if f.dcvCAFile != "" {
		roots, err := readCA(f.dcvCAFile)
		if err != nil {
			return cfg, err
		}
		cfg.DCVTLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return cfg, nil
}

// readCA returns the certificates of a file, and nil for no file.
func readCA(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // crypto/x509 takes nil for the system's
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the CA file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the CA file %s has no certificate in PEM", file)
	}
	return roots, nil
}

// gateway is the DCV Connection Gateway until ctx is done.
func gateway(ctx context.Context, args []string) error {
	flags, err := parseGatewayFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	cfg, err := flags.config()
	if err != nil {
		return err
	}
	if cfg.Listener, err = new(net.ListenConfig).Listen(ctx, "tcp", flags.listen); err != nil {
		return err
	}
	g, err := dcvclitest.NewGateway(cfg)
	if err != nil {
		return errors.Join(err, cfg.Listener.Close())
	}
	fmt.Printf("%s is ready at %s\n", flags.name, cfg.Listener.Addr())
	return g.Run(ctx)
}
