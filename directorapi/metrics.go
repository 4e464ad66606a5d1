package directorapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what the API answers. No label has a value that a client chooses,
// and none names a user, a host or a session: their number would be theirs to choose.
type metrics struct {
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	verified *prometheus.CounterVec
	routes   map[string]string // pattern of echo to path of the API description
}

// otherRoute is the label of requests for pages and for what is not there.
const otherRoute = "other"

// newMetrics registers the metrics; nil takes them nowhere.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	if reg == nil {
		return nil, nil // nobody counts
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dcvix_http_requests_total", Help: "Requests that were answered, by route of the API, method and status.",
		}, []string{"route", "method", "code"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "dcvix_http_request_duration_seconds", Help: "How long answers took, by route of the API; streams of events are left out.",
			Buckets: []float64{0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 30},
		}, []string{"route"}),
		verified: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dcvix_verifications_total", Help: "Questions of DCV servers whether a connection token is good, by answer: yes or no.",
		}, []string{"answer"}),
		routes: make(map[string]string),
	}
	for _, r := range routes() {
		m.routes[echoPath(r.path)] = r.path
	}
	for _, answer := range []string{"yes", "no"} {
		m.verified.WithLabelValues(answer) // there from the start, so that a rate can be taken
	}
	for _, c := range []prometheus.Collector{m.requests, m.took, m.verified} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// answered counts a request.
func (m *metrics) answered(c echo.Context, took time.Duration) {
	if m == nil {
		return
	}
	route, known := m.routes[c.Path()]
	if !known {
		route = otherRoute
	}
	m.requests.WithLabelValues(route, methodLabel(c.Request().Method), strconv.Itoa(c.Response().Status)).Inc()
	if !strings.HasPrefix(c.Response().Header().Get("Content-Type"), "text/event-stream") {
		m.took.WithLabelValues(route).Observe(took.Seconds())
	}
}

// methodLabel keeps what a client may write as a method to what there is.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return otherRoute
}

// verdict counts an answer to a DCV server.
func (m *metrics) verdict(answer string) {
	if m != nil {
		m.verified.WithLabelValues(answer).Inc()
	}
}
