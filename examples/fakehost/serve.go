package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// serve is the DCV server until ctx is done.
func serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("fakehost serve", flag.ContinueOnError)
	state := flags.String("state", "", "directory of the sessions, shared with the dcv command (required)")
	name := flags.String("name", "localhost", "name of the host")
	listen := flags.String("listen", "127.0.0.1:8443", "address and port")
	profile := flags.String("profile", "", "release and platform, such as 2025.0-windows (default: what the state says)")
	confFile := flags.String("dcv-conf", "", "the host's dcv.conf, read as it changes; what it says goes before the flags (default: none)")
	restarts := flags.Bool("restart", false, "begin as after a restart of the service: virtual sessions are gone")
	verifier := flags.String("verifier", "", "URL that says whose token it is (auth-token-verifier)")
	timeout := flags.Duration("verifier-timeout", 0, "how long to wait for it (default 100s)")
	caFile := flags.String("ca-file", "", "PEM of the CA that signs its certificate; may come later (default: the system's)")
	noTLSStrict := flags.Bool("no-tls-strict", false, "believe any certificate of it")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if *state == "" || flags.NArg() > 0 {
		return errors.New("serve needs --state DIRECTORY and takes flags alone")
	}
	dcv, err := dcvclitest.New(dcvclitest.Config{Dir: *state, Profile: dcvclitest.Profile(*profile)})
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	server, err := dcvclitest.NewServer(dcvclitest.ServerConfig{
		Name: *name, DCV: dcv, Listener: listener, ConfFile: *confFile, RestartsDCV: *restarts,
		VerifierURL: *verifier, VerifierTimeout: *timeout, CAFile: *caFile, NoTLSStrict: *noTLSStrict,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)).With(slog.String("host", *name)),
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	fmt.Printf("%s is ready at %s\n", *name, listener.Addr())
	return server.Run(ctx)
}
