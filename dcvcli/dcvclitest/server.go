package dcvclitest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// ServerConfig says what a [Server] is made of. Name and DCV are required;
// without VerifierURL nobody gets in.
type ServerConfig struct {
	Name string // of the host, as its certificate and its pages say
	DCV  *DCV   // whose sessions clients enter

	Listener net.Listener // TCP, needed by Run alone; Run closes it
	TLS      *tls.Config  // nil means a throw-away certificate of its own for Name and localhost

	VerifierURL     string         // auth-token-verifier of dcv.conf: https or http, with or without a path
	VerifierTimeout time.Duration  // auth-token-verifier-timeout; 0 means 100 s
	VerifierCA      *x509.CertPool // who may sign the verifier's certificate; nil means see CAFile
	CAFile          string         // ca-file, in PEM, read anew for every connection; "" means the system's store
	NoTLSStrict     bool           // no-tls-strict: believe any certificate

	Now    func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil means slog.Default()
}

// A Server is the fake of the DCV server: clients show it a session id and a
// token, it asks the verifier who that is, and the session's owner gets in
// (DCV's default permissions). While a client is connected its session's
// connections count it. It is safe for concurrent use.
//
// Other than with a real DCV, the sessions outlive the server and the dcv command
// works without it.
type Server struct {
	cfg      ServerConfig
	verifier verifier
	mux      *http.ServeMux
}

var _ http.Handler = (*Server)(nil)

// NewServer returns a Server. It starts nothing: call [Server.Run], or serve it
// as a handler.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.Name == "" || cfg.DCV == nil {
		return nil, errors.New("dcvclitest: ServerConfig needs Name and DCV")
	}
	verifierURL, err := parseVerifierURL(cfg.VerifierURL)
	if err != nil {
		return nil, err
	}
	if cfg.VerifierTimeout == 0 {
		cfg.VerifierTimeout = 100 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.TLS == nil {
		certificate, err := throwAwayCertificate(cfg.Name, cfg.Now())
		if err != nil {
			return nil, fmt.Errorf("dcvclitest: make a certificate: %w", err)
		}
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	}
	s := &Server{cfg: cfg, mux: http.NewServeMux()}
	s.verifier = verifier{
		url: verifierURL, timeout: cfg.VerifierTimeout, roots: cfg.VerifierCA, caFile: cfg.CAFile,
		insecure: cfg.NoTLSStrict, now: cfg.Now,
	}
	s.mux.HandleFunc("POST "+connectPath, s.connect)
	s.mux.HandleFunc("GET "+sessionsPath, s.sessions)
	s.mux.HandleFunc("GET /", servePage)
	return s, nil
}

func parseVerifierURL(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // DCV knows "no verifier" too
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("dcvclitest: VerifierURL: %w", err)
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("dcvclitest: VerifierURL %q is not an https or http URL", text)
	}
	return u, nil
}

// ServeHTTP answers clients and browsers. Used without [Server.Run], it does not
// drop connections that show too many bad tokens.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "dcv")
	s.mux.ServeHTTP(w, r)
}

// errStopped is the cause of the end of requests when the server stops.
var errStopped = errors.New("the server stops")

// Run serves until ctx is done. It then ends every client's connection, waits
// for them and returns nil. Connections that a killed server left in the state
// are ended first.
func (s *Server) Run(ctx context.Context) error {
	if s.cfg.Listener == nil {
		return errors.New("dcvclitest: Run needs a Listener")
	}
	if err := s.cfg.DCV.Update(func(state *State) error {
		state.disconnectAll(s.cfg.Now())
		return nil
	}); err != nil {
		return err
	}
	requests, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	server := &http.Server{
		Handler:           s,
		TLSConfig:         s.cfg.TLS.Clone(),
		ReadHeaderTimeout: 5 * time.Second, // connection-setup-timeout
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
		Protocols:         new(http.Protocols),
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, badTokensKey{}, new(atomic.Int32))
		},
	}
	server.Protocols.SetHTTP1(true) // one client to a TCP connection, as with DCV
	stopped := make(chan error, 1)
	defer context.AfterFunc(ctx, func() {
		stop(errStopped)
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- errors.Join(server.Shutdown(patience), server.Close())
	})()
	err := server.ServeTLS(s.cfg.Listener, "", "")
	stop(errStopped)
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("dcvclitest: serve %s: %w", s.cfg.Name, err)
	}
	return <-stopped
}
