package directorcmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/dcvix/dcvix/cmd/internal/inifile"
)

// A metricsConfig is where metrics are shown, and their registry.
type metricsConfig struct {
	listen   string
	key      *inifile.Key
	registry *prometheus.Registry // nil when they are not
}

func (m *metricsConfig) declare(set *inifile.Set) {
	m.key = set.Section("metrics").String(&m.listen, "listen", "", "host:port where Prometheus finds /metrics, without TLS or a login: a loopback address or one of a network for that, such as 127.0.0.1:9445; empty for none").Check(checkListen)
}

func checkListen(value string) error {
	if value == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%.80q is not host:port: write such as 127.0.0.1:9445", value)
	}
	return nil
}

// open listens for Prometheus. It returns nil when nobody shall.
func (m *metricsConfig) open(ctx context.Context) (net.Listener, error) {
	if m.listen == "" {
		return nil, nil // nobody shall
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", m.listen)
	if err != nil {
		return nil, fmt.Errorf("the metrics cannot be shown at %s, choose another address: %w (%s)", m.listen, err, m.key.Where())
	}
	m.registry = prometheus.NewRegistry()
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return l, nil
}

// registerer returns the registry, or nil when there is none.
func (m *metricsConfig) registerer() prometheus.Registerer {
	if m.registry == nil {
		return nil // not a Registerer that is nil inside
	}
	return m.registry
}

// serve shows the metrics until ctx is done.
func (m *metricsConfig) serve(ctx context.Context, l net.Listener, logger *slog.Logger) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelError), MaxRequestsInFlight: 4, Timeout: 30 * time.Second,
	}))
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // whoever asks, asks again
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("show metrics on %s: %w", l.Addr(), err)
	}
	return nil
}
