// Package standalone opens a whole director in one call: certificate authority,
// SQLite store, policy files, broker, HTTP API and pages.
//
// It is for programs that want a director of their own with the usual parts, such
// as a portal; cmd/directorcmd is one of them. Whoever wants other parts
// assembles package directorapi and package session by hand.
package standalone

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/ui"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/agenthttp"
	"github.com/dcvix/dcvix/session/auditfile"
	"github.com/dcvix/dcvix/session/sqlite"
)

// Options say how a director differs from the usual one. Authenticator is
// required.
type Options struct {
	Authenticator auth.Authenticator
	OTP           dcvix.OTPMode  // what a login form asks for; "" means never
	LoginTimeout  time.Duration  // how long Authenticator may take; 0 means 30 s
	Throttle      *auth.Throttle // slows down guessing at passwords; nil means one with the usual limits

	Gateways        []netip.Prefix          // connection gateways that may ask where a session is; none means nobody
	GatewayEndpoint string                  // host:port that viewers connect to instead of a host; "" means the host
	TrustedProxies  []netip.Prefix          // may say where a request comes from; see directorapi.Config
	BasePath        string                  // a prefix that everything is below too; "" means none
	MaxConnections  int                     // open at once from one address that is no trusted proxy; 0 means 1,024
	VerifierSource  directorapi.SourceCheck // "" means directorapi.SourceLog
	UserSettings    []session.SettingName   // what users may set on a DCV server besides display/quality

	Names        []string    // further host names and addresses of this director, beside those of the machine
	Machine      Machine     // how those are found, again and again while the director runs
	PolicyDir    string      // folder of users.json, pools.json and groups.json; "" means policydb in the director's folder
	FoldUserCase bool        // names of users and groups compare without case
	TokenKeys    []token.Key // the first seals, all open; none means the key in token.key of the director's folder

	Placement            string // strategy of pools that name none; "" means session.LeastLoaded
	KeepAutomaticConsole bool   // the console that a DCV server made by itself is not ended to make room

	AgentPort          int              // of agents that do not say theirs; 0 means 8446
	RegistrationToken  string           // what unknown agents must show; "" means nothing
	PendingMax         int              // agents that may wait for approval; 0 means 10,000
	PendingPerAddress  int              // see session.Config
	MaxAge             time.Duration    // see session.Config
	Housekeeping       time.Duration    // see session.Config
	ConnectionTokenTTL time.Duration    // 0 means 1 h
	AuditFile          string           // "" means audit.jsonl in the director's folder
	AuditMaxBytes      int64            // of the audit's files together; 0 means 1 GiB
	Pages              fs.FS            // nil means the pages of package directorapi/ui
	Now                func() time.Time // nil means time.Now
	Logger             *slog.Logger     // nil means slog.Default()

	Registerer prometheus.Registerer // of the metrics (docs/operations.md); nil means none
}

// Files of a director in its folder, besides those of package ca.
const (
	DatabaseFile = "agents.db"
	TokenKeyFile = "token.key"
	AuditFile    = "audit.jsonl"
	PolicyFolder = "policydb"
)

// A Server is a director. As an http.Handler it serves everything; see
// [directorapi.Server]. It is safe for concurrent use.
type Server struct {
	*directorapi.Server

	logger    *slog.Logger
	authority *ca.Authority
	names     *ownNames
	dir       string
	store     *sqlite.Store
	policy    *session.PolicyDir
	audit     *auditfile.Log
	certs     *ca.Reloader
	caller    *agenthttp.Caller
	broker    *session.Broker
	now       func() time.Time
	policyDir string
	limit     directorapi.ConnectionLimit
	asked     asked
}

// Open makes or loads a director in dir, which it creates (0700). It starts
// nothing: call [Server.Run]. Call [Server.Close] after Run has returned.
func Open(ctx context.Context, dir string, opts Options) (*Server, error) {
	if opts.Authenticator == nil {
		return nil, errors.New("standalone: Options needs an Authenticator")
	}
	s := &Server{dir: dir, logger: opts.Logger, now: opts.Now}
	if s.now == nil {
		s.now = time.Now
	}
	if s.logger == nil {
		s.logger = slog.Default()
	}
	s.asked.logger = s.logger
	s.limit = directorapi.ConnectionLimit{PerAddress: opts.MaxConnections, Exempt: opts.TrustedProxies, Logger: s.logger, Now: s.now}
	if err := s.open(ctx, opts); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) open(ctx context.Context, opts Options) error {
	replaced, err := s.openCertificates(ctx, opts)
	if err != nil {
		return err
	}
	s.policyDir = orDefault(opts.PolicyDir, filepath.Join(s.dir, PolicyFolder))
	if s.policy, err = session.OpenPolicyDir(ctx, session.PolicyDirConfig{Dir: s.policyDir, FoldUserCase: opts.FoldUserCase, Logger: s.logger}); err != nil {
		return err
	}
	s.policy.OnReload(s.policyOnRecord)
	s.audit, err = auditfile.Open(ctx, auditfile.Config{
		Path: orDefault(opts.AuditFile, filepath.Join(s.dir, AuditFile)), MaxBytes: opts.AuditMaxBytes, Now: opts.Now, Logger: s.logger,
	})
	if err != nil {
		return err
	}
	if replaced != nil {
		s.renewed(ctx, replaced)
	}
	if s.store, err = s.openStore(ctx, filepath.Join(s.dir, DatabaseFile)); err != nil {
		return err
	}
	if s.caller, err = agenthttp.New(agenthttp.Config{TLS: s.clientTLS(opts.Now), Port: opts.AgentPort}); err != nil {
		return err
	}
	s.broker, err = session.Open(ctx, session.Config{
		Store: s.store, Agents: s.caller, Policy: s.policy, Audit: s.audit, Reserved: s.reserved,
		RegistrationToken: opts.RegistrationToken, PendingMax: opts.PendingMax, PendingPerAddress: opts.PendingPerAddress, UserSettings: opts.UserSettings,
		Strategy: opts.Placement, KeepAutomaticConsole: opts.KeepAutomaticConsole,
		MaxAge: opts.MaxAge, Housekeeping: opts.Housekeeping, Now: opts.Now, Logger: s.logger,
	})
	if err != nil {
		return err
	}
	return s.openAPI(opts) //nolint:contextcheck // handlers have the contexts of their requests
}

func orDefault(path, def string) string {
	if path == "" {
		return def
	}
	return path
}

func (s *Server) openAPI(opts Options) error {
	keys := opts.TokenKeys
	if len(keys) == 0 {
		key, err := OpenTokenKey(filepath.Join(s.dir, TokenKeyFile))
		if err != nil {
			return err
		}
		keys = []token.Key{key}
	}
	sealer, err := token.New(token.Config{Keys: keys, Now: opts.Now})
	if err != nil {
		return err
	}
	pages := opts.Pages
	if pages == nil {
		pages = ui.FS()
	}
	s.Server, err = directorapi.New(directorapi.Config{
		Broker: s.broker, CA: s.authority, ServerCertificate: func() *x509.Certificate { return s.certs.Certificate().Leaf }, Authenticator: opts.Authenticator, Tokens: sealer, OTP: opts.OTP,
		Throttle: opts.Throttle, Audit: s.audit, UI: pages,
		Gateways: opts.Gateways, GatewayEndpoint: opts.GatewayEndpoint, TrustedProxies: opts.TrustedProxies,
		BasePath: opts.BasePath, VerifierSource: opts.VerifierSource,
		LoginTimeout: opts.LoginTimeout, ConnectionTokenTTL: opts.ConnectionTokenTTL, Now: opts.Now, Logger: s.logger,
		Registerer: opts.Registerer,
	})
	if err == nil && opts.Registerer != nil {
		err = opts.Registerer.Register(newState(s))
	}
	return err
}

// OpenTokenKey reads the token key in the file at path, or makes one and writes
// it there, readable by its owner alone. It refuses a file that others can read.
func OpenTokenKey(path string) (token.Key, error) {
	err := ca.CheckKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := token.NewKey()
		return key, ca.WriteKeyFile(path, []byte(key.Base64()+"\n"))
	}
	if err != nil {
		return token.Key{}, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return token.Key{}, fmt.Errorf("read token key: %w", err)
	}
	key, err := token.ParseKey(string(data))
	if err != nil {
		return token.Key{}, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// Broker returns the broker inside, for programs that look deeper.
func (s *Server) Broker() *session.Broker { return s.broker }

// CA returns the certificate authority inside.
func (s *Server) CA() *ca.Authority { return s.authority }

// Audit returns the record of who did what.
func (s *Server) Audit() session.AuditLog { return s.audit }

// ReloadPolicy reads the policy files now instead of within 2 s of a change.
func (s *Server) ReloadPolicy(ctx context.Context) error {
	err := s.policy.Reload(ctx)
	s.policyOnRecord(ctx, err)
	return err
}

// ReloadCertificate reads the director's certificate now instead of within 10 s of a
// change. On an error the one before stays.
func (s *Server) ReloadCertificate() error { return s.certs.Reload() }

// policyOnRecord puts on record that the policy is another one, or why it is not,
// and logs which of its hosts are no registered agents.
func (s *Server) policyOnRecord(ctx context.Context, failed error) {
	r := session.AuditRecord{
		Time: s.now(), Action: session.AuditPolicyReload, Outcome: session.AuditOK, Role: session.AuditDirector, Target: s.policyDir,
	}
	if failed != nil {
		r.Outcome, r.Reason = session.AuditFailed, failed.Error()
	} else {
		session.LogProblems(ctx, s.logger, s.policy.Rules().HostProblems(s.broker.HostNames()))
	}
	if err := s.audit.Append(context.WithoutCancel(ctx), r); err != nil {
		s.logger.ErrorContext(ctx, "act not put on record", slog.String("action", string(r.Action)), slog.Any("err", err))
	}
}

// TLSConfig returns what a listener of this director needs.
func (s *Server) TLSConfig() *tls.Config {
	return directorapi.TLSConfig(s.authority, s.asked.watch(s.certs.GetCertificate))
}

// clientTLS is how the director shows itself to agents and knows them.
func (s *Server) clientTLS(now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS12,
		RootCAs:              s.authority.Pool(),
		GetClientCertificate: s.certs.GetClientCertificate,
		Time:                 now,
	}
}

// Run does the director's background work, until ctx is done. It then returns nil.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.broker.Run(ctx) })
	group.Go(func() error { return s.policy.Run(ctx) })
	group.Go(func() error { return s.certs.Run(ctx) })
	group.Go(func() error { return s.renew(ctx) })
	group.Go(func() error { return s.Server.Run(ctx) })
	return group.Wait()
}

// Serve answers on a listener until ctx is done; then it lets requests that were
// accepted finish, for up to 20 s, those too that accepted connections are about
// to bring, and returns nil. The handler is the Server
// itself, or one of its halves. One address gets so many connections as the Options
// say; those of registered agents do not count.
func (s *Server) Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := directorapi.HTTPServer(h, s.TLSConfig(), s.logger)
	limited := directorapi.LimitConnections(l, s.limit)
	return serve(ctx, server, limited, func(l net.Listener) error { return server.ServeTLS(l, "", "") })
}

// ServeControl is Serve for [directorapi.Server.Control], on a Unix socket that
// the operator alone can connect to, and without TLS; see
// [directorapi.ControlServer].
func (s *Server) ServeControl(ctx context.Context, l net.Listener) error {
	server := directorapi.ControlServer(s.Control(), s.logger)
	return serve(ctx, server, l, server.Serve)
}

// Close closes the database, the audit and idle connections to agents.
func (s *Server) Close() error {
	if s.caller != nil {
		s.caller.Close()
	}
	var err error
	if s.store != nil {
		err = s.store.Close()
	}
	if s.audit != nil {
		err = errors.Join(err, s.audit.Close())
	}
	return err
}
