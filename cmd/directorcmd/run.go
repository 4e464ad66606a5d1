package directorcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/dcvix/dcvix/cmd/internal/cmdline"

	"golang.org/x/sync/errgroup"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/directorcmd/backup"
	"github.com/dcvix/dcvix/cmd/internal/control"
	"github.com/dcvix/dcvix/cmd/internal/datadir"
	"github.com/dcvix/dcvix/cmd/internal/logging"
	"github.com/dcvix/dcvix/directorapi/standalone"
)

// serve runs the director that the configuration describes, until ctx is done.
func serve(ctx context.Context, c *config, stderr io.Writer) (err error) {
	level := new(slog.LevelVar)
	c.log.Stderr, c.log.Current = stderr, level
	logger, closer, err := logging.Open("dcvix-director", c.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	c.greet(ctx, logger)

	backend, err := c.prepare(ctx, logger)
	if err != nil {
		return cmdline.Usage(err)
	}
	dir, err := datadir.Open(c.dataDir, c.dataDirKey.Where())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if err := backup.Finish(c.dataDir); err != nil {
		return err
	}
	listener, err := c.listen(ctx, logger)
	if err != nil {
		return err
	}
	return c.run(ctx, backend, listener, level, logger)
}

// run opens the director and has it answer on the listener, until ctx is done.
func (c *config) run(ctx context.Context, backend auth.Authenticator, listener net.Listener, level *slog.LevelVar, logger *slog.Logger) (err error) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // before "director started", after which it may come
	defer signal.Stop(hangup)
	shown, err := c.metrics.open(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	director, err := open(ctx, c, backend, logger)
	if err != nil {
		if shown != nil {
			_ = shown.Close() // the other error counts
		}
		return errors.Join(datadir.Explain(err), listener.Close())
	}
	defer func() { err = errors.Join(err, director.Close()) }()
	socket := c.listenControl(ctx, logger)
	logger.InfoContext(ctx, "director started", slog.String("address", listener.Addr().String()),
		slog.String("data_dir", c.dataDir), slog.String("ca_fingerprint", ca.FingerprintOf(director.CA().Certificate()).String()))

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return director.Run(ctx) })
	group.Go(func() error { return director.Serve(ctx, listener, director) })
	group.Go(func() error { return c.reload(ctx, hangup, director, level, logger) })
	if socket != nil {
		group.Go(func() error { return director.ServeControl(ctx, socket) })
	}
	if shown != nil {
		logger.InfoContext(ctx, "metrics are shown", slog.String("address", shown.Addr().String()))
		group.Go(func() error { return c.metrics.serve(ctx, shown, logger) })
	}
	group.Go(func() error { return announce(ctx, director, logger).run(ctx) })
	err = group.Wait()
	logger.InfoContext(context.WithoutCancel(ctx), "director stopped")
	return err
}

// greet says what the director was told and by whom.
func (c *config) greet(ctx context.Context, logger *slog.Logger) {
	logger.InfoContext(ctx, "dcvix-director starts", slog.String("version", dcvix.Version), slog.String("configuration", c.file))
	if c.file == "" {
		logger.WarnContext(ctx, "no configuration file was found, the defaults are used: write one with --write-config")
	}
	c.set.LogNotes(ctx, logger)
}

// listenControl makes the socket for command lines on this machine. A director
// that cannot is one all the same.
func (c *config) listenControl(ctx context.Context, logger *slog.Logger) net.Listener {
	l, err := control.Listen(ctx, c.dataDir)
	if err != nil {
		logger.ErrorContext(ctx, "no control socket: command lines on this machine do not reach this director", slog.Any("err", err))
		return nil
	}
	return l
}

// prepare opens the login backend, and finds what can be wrong in the configuration
// before anything is written.
func (c *config) prepare(ctx context.Context, logger *slog.Logger) (auth.Authenticator, error) {
	if err := errors.Join(c.checkAudit(), c.otp.settle(c.authType)); err != nil {
		return nil, err
	}
	return c.backend(ctx, logger)
}

// backend opens the login backend that auth_type names.
func (c *config) backend(ctx context.Context, logger *slog.Logger) (auth.Authenticator, error) {
	opener, ok := c.backends[c.authType]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(c.backends)), ", ")
		return nil, fmt.Errorf("auth_type = %s is not in this build, which has: %s: choose one of these (%s)", c.authType, known, c.authTypeKey.Where())
	}
	backend, err := opener(ctx, logger)
	if err != nil {
		return nil, fmt.Errorf("[%s_auth]: %w", c.authType, err)
	}
	return c.otp.behind(ctx, backend, logger)
}

func open(ctx context.Context, c *config, backend auth.Authenticator, logger *slog.Logger) (*standalone.Server, error) {
	keys, err := tokenKeys(ctx, c, logger)
	if err != nil {
		return nil, err
	}
	throttle, err := auth.NewThrottle(auth.ThrottleConfig{Failures: c.failures, Window: c.window, MaxDelay: c.maxDelay, Logger: logger})
	if err != nil {
		return nil, err
	}
	opts := standalone.Options{
		Authenticator: backend, OTP: c.otp.mode(c.authType), LoginTimeout: c.otp.loginTimeout(), Throttle: throttle,
		Names: c.serverNames, PolicyDir: c.policyFolder, FoldUserCase: c.foldUserCase(), TokenKeys: keys,
		AgentPort: c.agentPort, RegistrationToken: c.registrationToken, PendingMax: c.pendingMax,
		PendingPerAddress: c.pendingPerAddress, AuditFile: c.auditFile, AuditMaxBytes: c.auditBytes,
		Registerer: c.metrics.registerer(), Placement: c.strategy, KeepAutomaticConsole: !c.replaceConsole,
		MaxAge: c.maxAge, Housekeeping: c.housekeeping, ConnectionTokenTTL: c.connectionTTL, Logger: logger,
	}
	if err := c.network.apply(&opts); err != nil {
		return nil, err
	}
	return standalone.Open(ctx, c.dataDir, opts)
}

// tokenKeys returns the key that seals, then the old ones. Without a configured
// key there is a new one at every start, which logs everybody out: it is shown
// once so that it can be kept.
func tokenKeys(ctx context.Context, c *config, logger *slog.Logger) ([]token.Key, error) {
	var key token.Key
	var err error
	switch {
	case c.tokenKey != "":
		if key, err = token.ParseKey(c.tokenKey); err != nil {
			return nil, cmdline.Usage(fmt.Errorf("[director] token_key: %w", err))
		}
	case c.tokenKeyFile != "":
		if key, err = standalone.OpenTokenKey(c.tokenKeyFile); err != nil {
			return nil, err
		}
	default:
		key = token.NewKey()
		logger.WarnContext(ctx, "no token key is configured: logins end when the director does; "+
			"keep this one as token_key, or better set token_key_file and one is made there", slog.String("token_key", key.Base64()))
	}
	old, err := c.oldKeys()
	if err != nil {
		return nil, cmdline.Usage(err)
	}
	return append([]token.Key{key}, old...), nil
}

// reload reads again, on each signal and until ctx is done, what can change while
// the director runs: policy, certificate and log level. What cannot be read stays as
// it was.
func (c *config) reload(ctx context.Context, hangup <-chan os.Signal, director *standalone.Server, level *slog.LevelVar, logger *slog.Logger) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
		}
		if err := c.reloadLevel(ctx, level, logger); err != nil {
			logger.ErrorContext(ctx, "configuration not read again, the log level stays", slog.Any("err", err))
		}
		if err := director.ReloadCertificate(); err != nil {
			logger.ErrorContext(ctx, "certificate not reloaded, the one before stays", slog.Any("err", err))
		}
		if err := director.ReloadPolicy(ctx); err != nil {
			logger.ErrorContext(ctx, "policy not reloaded, the one before stays", slog.Any("err", err))
			continue
		}
		logger.InfoContext(ctx, "policy reloaded")
	}
}

// reloadLevel takes the log level, and nothing else, from the configuration as it is
// now.
func (c *config) reloadLevel(ctx context.Context, level *slog.LevelVar, logger *slog.Logger) error {
	fresh, err := c.again()
	if err != nil {
		return err
	}
	now, err := logging.ParseLevel(fresh.log.Level)
	if err != nil {
		return err
	}
	if now != level.Level() {
		level.Set(now)
		logger.LogAttrs(ctx, max(now, slog.LevelInfo), "log level changed", slog.String("level", fresh.log.Level))
	}
	return nil
}
