package agentcmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/dcvix/dcvix/cmd/internal/cmdline"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/cmd/internal/datadir"
	"github.com/dcvix/dcvix/cmd/internal/logging"
	"github.com/dcvix/dcvix/dcvcli"
)

// run is the life of the program. What ended it is also in the log, when that is
// a file.
func run(ctx context.Context, opts Options, f flags) (err error) {
	c := newConfig()
	path, err := c.load(opts, f)
	if err != nil {
		c.log = logging.Config{} // what the file says of logs cannot be trusted
	}
	c.log.Stderr = opts.Stderr
	if c.log.Directory == "" {
		c.log.Directory = opts.logFolder
	}
	logger, logs, openErr := logging.Open("dcvix-agent", c.log)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	defer func() { err = errors.Join(err, logs.Close()) }()
	if err == nil {
		err = c.live(ctx, opts, logger, path)
	}
	if err != nil && c.log.Directory != "" {
		logger.ErrorContext(context.WithoutCancel(ctx), "dcvix-agent ends", slog.String("error", err.Error()))
	}
	return err
}

// live runs the agent that the configuration describes.
func (c *config) live(ctx context.Context, opts Options, logger *slog.Logger, path string) (err error) {
	c.greet(ctx, logger, path)
	// Two agents with one key would take the place of each other at the director.
	dir, err := datadir.Open(c.dataDir, c.dataDirKey.Where())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if err := c.tryPort(ctx); err != nil {
		return err
	}
	agent, err := c.agent(ctx, logger)
	if err != nil {
		return err
	}
	if opts.started != nil {
		opts.started()
	}
	end := announce(ctx, agent, logger)
	err = agent.Run(ctx)
	end()
	if err == nil {
		logger.InfoContext(context.WithoutCancel(ctx), "stopped", slog.Any("cause", context.Cause(ctx)))
	}
	return err
}

// greet says what the agent was told and by whom.
func (c *config) greet(ctx context.Context, logger *slog.Logger, path string) {
	logger.InfoContext(ctx, "dcvix-agent starts", slog.String("version", dcvix.Version), slog.String("configuration", path))
	if path == "" {
		logger.WarnContext(ctx, "no configuration file was found, the defaults are used: write one with --write-config")
	}
	c.set.LogNotes(ctx, logger)
	if !c.directorHostKey.IsSet() {
		logger.WarnContext(ctx, "no director is configured, it is looked for on this host",
			slog.String("key", c.directorHostKey.Where()), slog.String("director_host", strings.Join(c.directorHosts, ", ")))
	}
}

// tryPort finds out now what else would come to light only after an admin
// approved the agent: until then it does not listen.
func (c *config) tryPort(ctx context.Context) error {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(c.bindAddress, strconv.Itoa(c.agentPort)))
	if err != nil {
		return fmt.Errorf("the director could not call this host: %w: stop the program that has the port, or change %s", err, c.agentPortKey.Where())
	}
	return ln.Close()
}

func (c *config) agent(ctx context.Context, logger *slog.Logger) (*agentclient.Agent, error) {
	hostname, others, err := c.names(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(c.dcvPath); c.dcvPath != "" && err != nil {
		logger.WarnContext(ctx, "the dcv command cannot be found, the director is told so until it is there: install the DCV server or correct dcv_path",
			slog.String("key", c.dcvPathKey.Where()), slog.String("dcv_path", c.dcvPath))
	}
	dcv, err := dcvcli.New(dcvcli.Config{Path: c.dcvPath})
	if err != nil {
		return nil, err
	}
	directors := c.directors()
	agent, err := agentclient.New(agentclient.Config{
		DirectorURL:       directors[0],
		OtherDirectorURLs: directors[1:],
		StateDir:          c.dataDir,
		Hostname:          hostname,
		OtherNames:        others,
		AgentPort:         c.agentPort,
		BindAddress:       c.bindAddress,
		DCVPort:           c.dcvPort,
		Tags:              withPlatform(c.tags),
		UpdateInterval:    orOff(c.updateInterval),
		IdleTimeout:       c.idleTimeout,
		ReapInterval:      orOff(c.reapInterval),
		ReapConsole:       c.reapConsole,
		ReapForeign:       c.reapForeign,
		RegistrationToken: c.registrationToken,
		CAFingerprint:     c.caFingerprint,
		DCV:               dcv,
		Stats:             hostStats{},
		GPUs:              newNVIDIA(),
		Logger:            logger,
	})
	if err != nil {
		return nil, cmdline.Usage(err)
	}
	return agent, nil
}

// orOff returns an interval as the library has it: in the configuration 0 is off.
func orOff(interval time.Duration) time.Duration {
	if interval == 0 {
		return -1
	}
	return interval
}

// directors returns where the directors are called, at least one.
func (c *config) directors() []string {
	urls := make([]string, 0, len(c.directorHosts))
	for _, host := range c.directorHosts {
		urls = append(urls, "https://"+net.JoinHostPort(host, strconv.Itoa(c.directorPort)))
	}
	return urls
}

// withPlatform adds the operating system, as agents of the 0.1 generation do:
// policies may rely on it.
func withPlatform(tags []string) []string {
	for _, t := range tags {
		if strings.EqualFold(t, runtime.GOOS) {
			return tags
		}
	}
	return append(tags, runtime.GOOS)
}

// names returns the name of this host for the director, and those besides that
// it is known by: it may be dialled by its short name or by its full one.
func (c *config) names(ctx context.Context) (string, []string, error) {
	name := c.hostname
	if name == "" {
		own, err := os.Hostname()
		if err != nil {
			return "", nil, fmt.Errorf("the name of this host cannot be found out: %w: set %s", err, c.hostnameKey.Where())
		}
		name = own
	}
	host, err := dcvix.ParseHostname(name)
	if err != nil {
		return "", nil, cmdline.Usage(fmt.Errorf("the name of this host cannot be used: %w: set %s", err, c.hostnameKey.Where()))
	}
	const patience = 2 * time.Second // a name service that is down must not keep the agent from starting
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	full, err := net.DefaultResolver.LookupCNAME(ctx, string(host))
	if err != nil {
		return string(host), nil, nil // most hosts do well without
	}
	if other, err := dcvix.ParseHostname(full); err == nil && other != host && other.FirstLabel() == host.FirstLabel() {
		return string(host), []string{string(other)}, nil
	}
	return string(host), nil, nil
}
