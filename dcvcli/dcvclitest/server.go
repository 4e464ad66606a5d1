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
	"sync"
	"sync/atomic"
	"time"
)

// ServerConfig says what a [Server] is made of. Name and DCV are required;
// without a verifier nobody gets in.
//
// The settings of the verifier hold where neither dcv.conf nor set-config says
// anything of them.
type ServerConfig struct {
	Name string // of the host, as its certificate and its pages say
	DCV  *DCV   // whose sessions clients enter

	Listener net.Listener // TCP, needed by Run alone; Run closes it
	TLS      *tls.Config  // nil means a throw-away certificate of its own for Name and localhost

	// ConfFile is the host's dcv.conf, which NewServer tells to DCV; "" means the one
	// that DCV knows, if any. It is read anew for every client, but whether there is a
	// verifier at all is decided when the server starts, as documented.
	ConfFile string

	VerifierURL     string         // auth-token-verifier of dcv.conf: https or http, with or without a path
	VerifierTimeout time.Duration  // auth-token-verifier-timeout; 0 means 100 s
	VerifierCA      *x509.CertPool // who may sign the verifier's certificate; nil means see CAFile
	CAFile          string         // ca-file, in PEM, read anew for every connection; "" means the system's store
	NoTLSStrict     bool           // no-tls-strict: believe any certificate

	// RestartsDCV lets Run begin with [DCV.Restart], as the start of a real server
	// does. false means that sessions outlive the server.
	RestartsDCV bool

	Now    func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil means slog.Default()
}

// A Server is the fake of the DCV server: clients show it a session id and a
// token, it asks the verifier who that is, and whom the session's permissions
// give the feature display gets in: by default its owner. While a client is
// connected its session's connections count it. It is safe for concurrent use.
//
// Other than with a real DCV, the dcv command works without it.
type Server struct {
	cfg ServerConfig
	mux *http.ServeMux

	mu       sync.Mutex // guards the fields below
	restarts int        // of the DCV when the verifier was last settled
	verifier string     // URL in use; "" means none
	settled  bool       // whether there was a start
}

var _ http.Handler = (*Server)(nil)

// NewServer returns a Server. It starts nothing: call [Server.Run], or serve it
// as a handler.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.Name == "" || cfg.DCV == nil {
		return nil, errors.New("dcvclitest: ServerConfig needs Name and DCV")
	}
	if _, err := parseVerifierURL(cfg.VerifierURL); err != nil {
		return nil, fmt.Errorf("dcvclitest: VerifierURL: %w", err)
	}
	if cfg.ConfFile != "" {
		if err := cfg.DCV.Update(func(s *State) error {
			return s.configure(Config{ConfFile: cfg.ConfFile, Now: cfg.DCV.now})
		}); err != nil {
			return nil, err
		}
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
	s.mux.HandleFunc("POST "+connectPath, s.connect)
	s.mux.HandleFunc("GET "+sessionsPath, s.sessions)
	s.mux.HandleFunc("GET /", servePage)
	return s, nil
}

// ServeHTTP answers clients and browsers. Used without [Server.Run], it does not
// drop connections that show too many bad tokens.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "dcv")
	s.mux.ServeHTTP(w, r)
}

// Run serves until ctx is done. It then ends every client's connection, waits
// for them and returns nil. Connections that a killed server left in the state
// are ended first, and a host without a session gets its automatic console
// session if its settings say so.
func (s *Server) Run(ctx context.Context) error {
	if s.cfg.Listener == nil {
		return errors.New("dcvclitest: Run needs a Listener")
	}
	if err := s.begin(); err != nil {
		return err
	}
	return serve(ctx, s.cfg.Name, &http.Server{
		Handler:           s,
		TLSConfig:         s.cfg.TLS.Clone(),
		ReadHeaderTimeout: setupTimeout,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, badTokensKey{}, new(atomic.Int32))
		},
	}, s.cfg.Listener)
}

// begin does what the start of a server does to its host, and decides whether
// there is a verifier.
func (s *Server) begin() error {
	start := s.cfg.DCV.Restart
	if !s.cfg.RestartsDCV {
		start = func() error { return s.cfg.DCV.Update(func(state *State) error { return state.start(s.cfg.Now()) }) }
	}
	if err := start(); err != nil {
		return err
	}
	state, err := s.cfg.DCV.State()
	if err != nil {
		return err
	}
	_, err = s.settle(state)
	return err
}
