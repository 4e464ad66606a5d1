package dcvclitest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// GatewayConfig says what a [Gateway] is made of. Name and Resolver are required.
type GatewayConfig struct {
	Name     string // of the gateway, as its certificate says
	Resolver *Resolver

	Listener net.Listener // TCP, needed by Run alone; Run closes it
	TLS      *tls.Config  // nil means a throw-away certificate of its own for Name and localhost
	DCVTLS   *tls.Config  // towards DCV servers; nil means that any certificate is believed, as with tls-strict = false

	HidesClients bool // tell the resolver no address of the client, as when it is unknown

	Logger *slog.Logger // nil means slog.Default()
}

// A Gateway is the fake of DCV Connection Gateway: for every client it asks the
// resolver where the session is, and passes the client on to that [Server], with
// the session id that the resolver gave. It lets nobody in by itself: the server
// asks its verifier about the token. [Dial] and the page connect to a gateway as
// to a server. It is safe for concurrent use.
//
// How the real one speaks to servers and clients is not public; what it says to
// the resolver is.
type Gateway struct {
	cfg   GatewayConfig
	mux   *http.ServeMux
	proxy *httputil.ReverseProxy
}

var _ http.Handler = (*Gateway)(nil)

// NewGateway returns a Gateway. It starts nothing: call [Gateway.Run], or serve
// it as a handler.
func NewGateway(cfg GatewayConfig) (*Gateway, error) {
	if cfg.Name == "" || cfg.Resolver == nil {
		return nil, errors.New("dcvclitest: GatewayConfig needs Name and Resolver")
	}
	if _, err := cfg.Resolver.endpoint(); err != nil {
		return nil, fmt.Errorf("dcvclitest: %w", err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.TLS == nil {
		certificate, err := throwAwayCertificate(cfg.Name, time.Now())
		if err != nil {
			return nil, fmt.Errorf("dcvclitest: make a certificate: %w", err)
		}
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	}
	if cfg.DCVTLS == nil {
		cfg.DCVTLS = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // as its documentation says
	}
	g := &Gateway{cfg: cfg, mux: http.NewServeMux()}
	g.proxy = &httputil.ReverseProxy{ // it passes on every line at once: the length of the answer is not known
		Rewrite:      g.rewrite,
		Transport:    &http.Transport{DialContext: dialHost, TLSClientConfig: cfg.DCVTLS, DisableKeepAlives: true},
		ErrorHandler: g.unreachable,
		ErrorLog:     slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	g.mux.HandleFunc("POST "+connectPath, g.connect)
	g.mux.HandleFunc("GET "+sessionsPath, http.NotFound) // a gateway knows no sessions
	g.mux.HandleFunc("GET /", servePage)
	return g, nil
}

// ServeHTTP answers clients and browsers.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.mux.ServeHTTP(w, r) }

// Run serves until ctx is done. It then ends every client's connection, waits
// for them and returns nil.
func (g *Gateway) Run(ctx context.Context) error {
	if g.cfg.Listener == nil {
		return errors.New("dcvclitest: Run needs a Listener")
	}
	return serve(ctx, g.cfg.Name, &http.Server{
		Handler:           g,
		TLSConfig:         g.cfg.TLS.Clone(),
		ReadHeaderTimeout: setupTimeout,
		ErrorLog:          slog.NewLogLogger(g.cfg.Logger.Handler(), slog.LevelDebug),
	}, g.cfg.Listener)
}

// routeKey finds the [Resolution] of a request.
type routeKey struct{}

func (g *Gateway) connect(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	session, token := r.PostFormValue("session"), r.PostFormValue("token")
	logger := g.cfg.Logger.With(slog.String("session", cut(session)), slog.String("client_address", r.RemoteAddr))
	if session == "" || token == "" {
		http.Error(w, "The client showed no session or no token.", http.StatusBadRequest)
		return
	}
	var client netip.Addr
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && !g.cfg.HidesClients {
		client = at.Addr()
	}
	found, err := g.cfg.Resolver.Resolve(r.Context(), session, TransportHTTP, client)
	if err != nil {
		logger.WarnContext(r.Context(), "session not resolved", slog.String("reason", err.Error()))
		status, text := http.StatusBadGateway, "The gateway cannot find out where the session is."
		if errors.Is(err, ErrUnresolved) {
			status, text = http.StatusNotFound, fmt.Sprintf("The session %s is not available.", cut(session))
		}
		http.Error(w, text, status)
		return
	}
	logger.InfoContext(r.Context(), "session resolved", slog.String("server", cut(found.DcvServerEndpoint)),
		slog.Int("port", found.Port), slog.String("server_session", cut(found.SessionID)))
	form := url.Values{"session": {found.SessionID}, "token": {token}}.Encode()
	r = r.WithContext(context.WithValue(r.Context(), routeKey{}, found))
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(form)), int64(len(form))
	g.proxy.ServeHTTP(w, r)
}

// rewrite sends the client's request to the server that was found.
func (g *Gateway) rewrite(p *httputil.ProxyRequest) {
	found, _ := p.In.Context().Value(routeKey{}).(Resolution) // connect sets it
	p.Out.URL = &url.URL{Scheme: "https", Host: net.JoinHostPort(found.DcvServerEndpoint, strconv.Itoa(found.Port)), Path: connectPath}
	p.Out.Host = ""
	p.Out.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	p.Out.Header.Set(gatewayHeader, g.cfg.Name)
}

func (g *Gateway) unreachable(w http.ResponseWriter, r *http.Request, err error) {
	g.cfg.Logger.WarnContext(r.Context(), "DCV server not reached", slog.Any("err", err))
	http.Error(w, "The gateway cannot reach the DCV server.", http.StatusBadGateway)
}
