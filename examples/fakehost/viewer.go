package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// viewerFlags are those that launchers pass to the real viewer, and one of our
// own.
type viewerFlags struct {
	stay   time.Duration // 0 means as long as the server lets us
	policy string
	file   string
}

func parseViewerFlags(args []string) (viewerFlags, error) {
	var f viewerFlags
	flags := flag.NewFlagSet("fakehost viewer", flag.ContinueOnError)
	flags.DurationVar(&f.stay, "for", 0, "leave after so long (default: stay until the session ends)")
	flags.StringVar(&f.policy, "certificate-validation-policy", "", "strict, ask-user or accept-untrusted, over what the file says")
	flags.String("log-level", "", "taken and ignored")
	flags.String("log-file-name", "", "taken and ignored")
	flags.Bool("enable-datagrams-display", false, "taken and ignored")
	flags.String("scaling-mode", "", "taken and ignored")
	for {
		if err := flags.Parse(args); err != nil {
			return f, err
		}
		if flags.NArg() == 0 {
			break
		}
		if f.file != "" {
			return f, errors.New("viewer takes one connection file")
		}
		f.file, args = flags.Arg(0), flags.Args()[1:]
	}
	if f.file == "" {
		return f, errors.New("viewer needs a connection file")
	}
	return f, nil
}

// viewer is connected until the server ends the session, ctx is done or the time
// is over.
func viewer(ctx context.Context, args []string) error {
	flags, err := parseViewerFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	text, err := os.ReadFile(flags.file)
	if err != nil {
		return fmt.Errorf("the connection file: %w", err)
	}
	to, policy, err := parseConnectionFile(text)
	if err != nil {
		return fmt.Errorf("the connection file %s: %w", flags.file, err)
	}
	if flags.policy != "" {
		policy = flags.policy
	}
	if policy == "strict" {
		to.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	conn, err := dial(ctx, to)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Printf("connected: %s on %s at %s\n", conn.User, conn.Session, conn.Host)
	var over <-chan time.Time
	if flags.stay > 0 {
		over = time.After(flags.stay)
	}
	select {
	case <-conn.Done():
		fmt.Fprintf(os.Stderr, "disconnected: %s\n", conn.Reason())
	case <-over:
	case <-ctx.Done():
	}
	return nil
}

func dial(ctx context.Context, to dcvclitest.Target) (*dcvclitest.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, 2*time.Minute) // auth-connection-setup-timeout of dcv.conf
	defer cancel()
	return dcvclitest.Dial(limited, to)
}
