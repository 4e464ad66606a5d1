// Package directorapi serves the director's HTTP API.
//
// A [Server] is an http.Handler over a [session.Broker]: it reads and bounds
// requests, finds out who asks, and turns answers and errors into HTTP. Routes
// are data, in one table; each says who may use it. errors.go is the one place
// where an error becomes a status and a sentence.
//
// It decides nothing about desktops, starts nothing, and sees no concrete store,
// login backend or configuration: package directorapi/standalone and cmd
// assemble it.
package directorapi

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/session"
)

// Config says what a [Server] is made of. Broker, CA, Authenticator and Tokens
// are required.
type Config struct {
	Broker        *session.Broker
	CA            *ca.Authority
	Authenticator auth.Authenticator
	Tokens        *token.Sealer

	// Throttle slows down guessing at passwords. nil means one with the usual
	// limits; there is no director without.
	Throttle *auth.Throttle

	// Audit is told who did what, before the answer goes out. What grants
	// something and cannot be put on record is answered 500. nil means none.
	Audit session.AuditLog

	// Gateways are the addresses that may ask where a session is; none means nobody.
	// GatewayEndpoint is what viewers connect to instead of a host, as host:port; ""
	// means the host.
	Gateways        []netip.Prefix
	GatewayEndpoint string

	// TrustedProxies may say where a request comes from, in X-Forwarded-For or
	// Forwarded; each has to extend or remove what clients send there. None means that
	// a request comes from its peer.
	TrustedProxies []netip.Prefix
	BasePath       string // the API and the pages are below it too, such as /desktops; see [CheckBasePath]; "" means none

	// ServerCertificate returns the director's own certificate of the moment, whose end
	// the overview tells of. nil, also as an answer, means that it is not told.
	ServerCertificate func() *x509.Certificate

	VerifierSource SourceCheck                                                  // "" means SourceLog
	Lookup         func(ctx context.Context, host string) ([]netip.Addr, error) // looks up names of hosts for it; nil means net.DefaultResolver

	OTP                dcvix.OTPMode    // what a login form should ask for; "" means never
	UI                 fs.FS            // the web pages; nil means none
	LoginTTL           time.Duration    // life of a login; 0 means 2 h
	ConnectionTokenTTL time.Duration    // life of a connection token; 0 means 1 h
	LoginTimeout       time.Duration    // how long a login backend may take; 0 means 30 s
	RenewalInterval    time.Duration    // how often agents look whether to renew; 0 means 12 h
	Now                func() time.Time // nil means time.Now
	Logger             *slog.Logger     // nil means slog.Default()

	Registerer prometheus.Registerer // of the metrics (docs/operations.md); nil means none
}

// A Server is the director's HTTP API. It is safe for concurrent use.
//
// The Server itself serves the network; [Server.Users] and [Server.Agents] are its
// two halves for programs that have listeners of their own. [Server.Control] is
// apart from both: it is for a local socket.
type Server struct {
	cfg     Config
	network http.Handler
	users   http.Handler
	agents  http.Handler
	control http.Handler
	cross   *http.CrossOriginProtection
	conns   agentConns

	proxies proxies
	gateway endpoint

	refusals   refusals
	sources    refusals // what checkSource logs
	challenges *challenges
	run        string    // is another one for each Server, in the tags of lists
	zippers    sync.Pool // of *gzip.Writer
	zipped     sync.Map  // name of an asset to its content, compressed

	serverTexts  *hostTexts // what lists say of a host
	sessionTexts *hostTexts // what lists say of its sessions

	certEnds     certEnds
	auditFails   session.Failing
	auditReaders chan struct{} // one element for each who reads the audit
	auditExports chan struct{} // likewise, for exports
	streams      streams
	metrics      *metrics // nil: nobody counts
}

var _ session.AgentDropper = (*Server)(nil)

// New returns a Server that cfg.Broker tells of agents to be dropped. It starts
// nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Broker == nil || cfg.CA == nil || cfg.Authenticator == nil || cfg.Tokens == nil {
		return nil, errors.New("directorapi: Config needs Broker, CA, Authenticator and Tokens")
	}
	cfg.LoginTTL = orDefault(cfg.LoginTTL, 2*time.Hour)
	cfg.ConnectionTokenTTL = orDefault(cfg.ConnectionTokenTTL, time.Hour)
	cfg.LoginTimeout = orDefault(cfg.LoginTimeout, 30*time.Second)
	cfg.RenewalInterval = orDefault(cfg.RenewalInterval, 12*time.Hour)
	if cfg.OTP == "" {
		cfg.OTP = dcvix.OTPNever
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	gateway, err := cfg.checkNetwork()
	if err != nil {
		return nil, err
	}
	if cfg.Throttle == nil {
		usual, err := auth.NewThrottle(auth.ThrottleConfig{Now: cfg.Now, Logger: cfg.Logger})
		if err != nil {
			return nil, err
		}
		cfg.Throttle = usual
	}
	s := &Server{
		cfg: cfg, cross: http.NewCrossOriginProtection(),
		challenges: newChallenges(cfg.Tokens, cfg.Now), run: rand.Text(), proxies: cfg.TrustedProxies, gateway: gateway,
		auditReaders: make(chan struct{}, auditReaders), auditExports: make(chan struct{}, auditExports), streams: streams{patience: streamPatience},
		serverTexts:  newHostTexts(func(h session.Host) any { return []dcvix.Server{serverForAdmin(h)} }),
		sessionTexts: newHostTexts(func(h session.Host) any { return h.Sessions }),
	}
	if s.metrics, err = newMetrics(cfg.Registerer); err != nil {
		return nil, fmt.Errorf("directorapi: %w", err)
	}
	for _, part := range []struct {
		into *http.Handler
		want audience
	}{{&s.network, forNetwork}, {&s.users, forUsers}, {&s.agents, forAgents}, {&s.control, forControl}} {
		h, err := s.handler(part.want)
		if err != nil {
			return nil, err
		}
		*part.into = below(cfg.basePath(part.want), h)
	}
	cfg.Broker.OnDrop(s)
	return s, nil
}

// checkNetwork checks and completes what says who is who on the network.
func (cfg *Config) checkNetwork() (endpoint, error) {
	switch cfg.VerifierSource {
	case "":
		cfg.VerifierSource = SourceLog
	case SourceLog, SourceEnforce, SourceOff:
	default:
		return endpoint{}, fmt.Errorf("directorapi: VerifierSource %q is none", cfg.VerifierSource)
	}
	if cfg.Lookup == nil {
		cfg.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if err := CheckBasePath(cfg.BasePath); err != nil {
		return endpoint{}, fmt.Errorf("directorapi: %w", err)
	}
	gateway, err := parseEndpoint(cfg.GatewayEndpoint)
	if err != nil {
		return endpoint{}, fmt.Errorf("directorapi: the gateway's endpoint: %w", err)
	}
	return gateway, nil
}

// basePath returns the prefix of a part of the Server: agents and operators know
// none.
func (cfg *Config) basePath(part audience) string {
	if part&forUsers == 0 {
		return ""
	}
	return cfg.BasePath
}

func orDefault(v, def time.Duration) time.Duration {
	if v == 0 {
		return def
	}
	return v
}

// ServeHTTP serves the whole API. Agents are known by their client certificates:
// serve it with [TLSConfig].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.network.ServeHTTP(w, r) }

// Users returns what people, pages, scripts and DCV servers use. It can be
// mounted in any mux, also below a prefix with [http.StripPrefix].
func (s *Server) Users() http.Handler { return s.users }

// Agents returns what agents use. It needs a listener with [TLSConfig] and no
// prefix.
func (s *Server) Agents() http.Handler { return s.agents }

// TLSConfig returns a configuration for a listener of the Server: TLS 1.2 or
// later, client certificates asked for (naming the fleet's CA, so that browsers
// do not bother people) and verified by each route that needs one: an agent whose
// certificate has expired must still be able to register.
func TLSConfig(authority *ca.Authority, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: certificate,
		ClientAuth:     tls.RequestClientCert,
		ClientCAs:      authority.Pool(),
		NextProtos:     []string{"h2", "http/1.1"},
	}
}

// DropAgent implements [session.AgentDropper]: it closes the connections over
// which the agent was heard, as far as they are those of an [HTTPServer].
func (s *Server) DropAgent(id dcvix.AgentID) { s.conns.cut(id) }

// HTTPServer returns an http.Server for the handler with the limits that a
// listener open to strangers needs. Its ConnContext and ConnState let a [Server]
// close the connections of a revoked agent. The caller serves and closes it.
func HTTPServer(h http.Handler, cfg *tls.Config, logger *slog.Logger) *http.Server {
	s := &http.Server{
		Handler:           h,
		TLSConfig:         cfg,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      120 * time.Second,
		IdleTimeout:       3 * time.Minute, // longer than agents' report interval
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	trackInbound(s)
	return s
}

// handler builds the router for an audience.
func (s *Server) handler(want audience) (http.Handler, error) {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = s.proxies.address
	e.HTTPErrorHandler = s.writeError
	admit := s.admit
	if want == forControl {
		e.IPExtractor = func(*http.Request) string { return localAddress }
		admit = s.admitOperator
	}
	e.Use(s.observe)
	if want&forUsers != 0 && s.cfg.UI != nil {
		e.Use(s.orPages)
	}
	for _, r := range routes() {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("directorapi: %w", err)
		}
		if r.parts&want == 0 {
			continue
		}
		e.Add(r.method, echoPath(r.path), s.guard(r, admit))
	}
	return e, nil
}
