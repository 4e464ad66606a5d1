package directorapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/directorapi/standalone"
)

// BenchmarkCounting is a request that does nothing, with metrics and without.
func BenchmarkCounting(b *testing.B) {
	for name, counted := range map[string]bool{"counted": true, "not counted": false} {
		b.Run(name, func(b *testing.B) {
			var reg prometheus.Registerer
			if counted {
				reg = prometheus.NewRegistry()
			}
			s, err := standalone.Open(b.Context(), b.TempDir(), standalone.Options{Authenticator: authtest.Static{}, Registerer: reg})
			require.NoError(b, err)
			defer func() { require.NoError(b, s.Close()) }()
			req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, dcvix.PathHealth, nil)
			b.ReportAllocs()
			for b.Loop() {
				s.ServeHTTP(httptest.NewRecorder(), req)
			}
		})
	}
}
