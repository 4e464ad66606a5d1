package directorcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/directorcmd/backup"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/cmd/internal/control"
	"github.com/dcvix/dcvix/cmd/internal/datadir"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/directorapi/standalone"
)

// patience is how long a subcommand waits for a director that starts or stops, and
// for another subcommand.
const patience = 5 * time.Second

// A shell is what all commands of the program share.
type shell struct {
	opts    Options
	conf    string
	lenient bool
}

func (s *shell) config() (*config, error) {
	c := newConfig(s.opts.Backends)
	if err := c.load(s.conf, s.lenient, s.opts.Environ); err != nil {
		return nil, cmdline.Usage(err)
	}
	c.again = s.config
	return c, nil
}

// withDirector calls f with a client whom the director of the configuration lets
// in as its operator: through its control socket when it runs, else in this
// process.
func (s *shell) withDirector(cmd *cobra.Command, f func(context.Context, *client.Client) error) error {
	c, err := s.config()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	transport, end, err := c.reach(ctx, s.opts.Stderr)
	if err == nil {
		err = errors.Join(s.call(ctx, transport, f), end())
	}
	if ctx.Err() != nil {
		return errors.New("interrupted: dcvix-director agents list shows what was done")
	}
	return err
}

func (s *shell) call(ctx context.Context, transport http.RoundTripper, f func(context.Context, *client.Client) error) error {
	director, err := client.New(client.Config{
		URL: "https://dcvix-director", Transport: transport, // the name is for messages alone
		Timeout: 10 * time.Minute, MaxAnswer: 1 << 30, // it is our own, and its register may be large
	})
	if err != nil {
		return err
	}
	defer director.Close()
	return f(ctx, director)
}

// reach returns how requests come to the director, and what ends that.
func (c *config) reach(ctx context.Context, stderr io.Writer) (http.RoundTripper, func() error, error) {
	for begin := time.Now(); ; {
		conn, err := control.Dial(ctx, c.dataDir)
		if err == nil {
			return c.overSocket(), conn.Close, nil // it only showed that somebody is there
		}
		if errors.Is(err, fs.ErrPermission) {
			return nil, nil, c.notYours(err)
		}
		if !errors.Is(err, control.ErrNobody) {
			return nil, nil, err
		}
		transport, end, err := c.inProcess(ctx, stderr)
		if !errors.Is(err, datadir.ErrInUse) {
			return transport, end, err
		}
		if time.Since(begin) > patience {
			return nil, nil, fmt.Errorf("the director with the data folder %s is starting or stopping, or has no control socket, "+
				"and then its log says why: try again in a moment (%s)", c.dataDir, c.dataDirKey.Where())
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// overSocket returns a transport that speaks HTTP over the control socket whatever
// the URL says.
func (c *config) overSocket() http.RoundTripper {
	return &http.Transport{
		DialTLSContext:    func(ctx context.Context, _, _ string) (net.Conn, error) { return control.Dial(ctx, c.dataDir) },
		DisableKeepAlives: true, // so that nothing is left to close
	}
}

// inProcess opens the director in this process and holds its folder meanwhile. It
// makes no director where there was none.
func (c *config) inProcess(ctx context.Context, stderr io.Writer) (http.RoundTripper, func() error, error) {
	if err := c.checkAudit(); err != nil {
		return nil, nil, cmdline.Usage(err)
	}
	if err := c.checkHome(); err != nil {
		return nil, nil, err
	}
	dir, err := datadir.Open(c.dataDir, c.dataDirKey.Where())
	if err != nil {
		return nil, nil, err
	}
	if err := backup.Finish(c.dataDir); err != nil {
		return nil, nil, errors.Join(err, dir.Close())
	}
	director, err := standalone.Open(ctx, c.dataDir, standalone.Options{
		Authenticator: auth.AuthenticatorFunc(nobody), TokenKeys: []token.Key{token.NewKey()}, Names: c.serverNames,
		PolicyDir: c.policyFolder, FoldUserCase: c.foldUserCase(), AuditFile: c.auditFile, AuditMaxBytes: c.auditBytes,
		Logger: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return nil, nil, errors.Join(datadir.Explain(err), dir.Close())
	}
	end := func() error { return errors.Join(director.Close(), dir.Close()) }
	return &local{handler: director.Control(), operator: userName()}, end, nil
}

// nobody logs nobody in: a subcommand needs no login backend.
func nobody(context.Context, auth.Credentials) (auth.Identity, error) {
	return auth.Identity{}, auth.ErrUnavailable
}

// checkLived says whether a director has lived in the data folder.
func (c *config) checkLived() error {
	for _, name := range []string{standalone.DatabaseFile, ca.CertFile} {
		_, err := os.Stat(filepath.Join(c.dataDir, name))
		if errors.Is(err, fs.ErrPermission) {
			return c.notYours(err)
		}
		if err != nil {
			return fmt.Errorf("no director has run with the data folder %s, there is no %s: start the director, or name its configuration with --conf (%s)",
				c.dataDir, name, c.dataDirKey.Where())
		}
	}
	return nil
}

// checkHome is checkLived, and says whether this process would leave files there that
// the director cannot use.
func (c *config) checkHome() error {
	if err := c.checkLived(); err != nil {
		return err
	}
	path := filepath.Join(c.dataDir, standalone.DatabaseFile)
	if owner, known := ownerOf(path); known && owner.uid != os.Geteuid() {
		return fmt.Errorf("no director runs, and %s belongs to %s: start the director, or run this as that user: %s", path, owner.name, owner.command())
	}
	return nil
}

// notYours is what somebody hears whom the permissions keep out.
func (c *config) notYours(err error) error {
	for _, name := range []string{control.SocketFile, "."} {
		if owner, known := ownerOf(filepath.Join(c.dataDir, name)); known {
			return fmt.Errorf("%w: the director is for %s and root alone: run %s", err, owner.name, owner.command())
		}
	}
	return fmt.Errorf("%w: run this as the user that runs the director, or as root: sudo dcvix-director …", err)
}

// An account owns a file.
type account struct {
	uid  int
	name string
}

func (a account) command() string {
	if a.uid == 0 {
		return "sudo dcvix-director …"
	}
	return "sudo -u " + a.name + " dcvix-director …"
}
