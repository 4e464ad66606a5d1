package directorcmd_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
)

// The keys that say who is who on the network reach the director that runs: it
// answers below its prefix, believes the proxy and tells gateways alone.
func TestWhoIsWhoOnTheNetworkIsConfigured(t *testing.T) {
	path := conf(t, "trusted_proxies = 127.0.0.0/8\nbase_path = /desktops\nverifier_source = enforce\nuser_config_keys = display/target-fps\n",
		"[gateway]\ngateways_list = 10.9.9.9, 2001:db8::/48\nendpoint = gw.example:8443\n")
	_, address := start(t, process(t, "--conf", path))
	pem, err := os.ReadFile(filepath.Join(filepath.Dir(path), "data", "ca.pem"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	send := func(method, path, from string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, "https://"+address+path, nil)
		require.NoError(t, err)
		req.Header.Set("X-Forwarded-For", from)
		resp, err := c.Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, strings.TrimSpace(string(body))
	}
	for path, want := range map[string]int{dcvix.PathHealth: 200, "/desktops" + dcvix.PathHealth: 200, "/desktop" + dcvix.PathHealth: 404, "/desktops/": 200} {
		status, _ := send(http.MethodGet, path, "198.51.100.7")
		assert.Equal(t, want, status, path)
	}
	resolve := "/desktops" + dcvix.PathResolveSession + "?sessionId=console&transport=HTTP"
	for from, want := range map[string]int{"10.9.9.9": 404, "2001:db8::7": 404, "10.9.9.8": 403, "127.0.0.1": 403, "10.9.9.9, 198.51.100.7": 403} {
		status, said := send(http.MethodPost, resolve, from)
		assert.Equal(t, want, status, "%s: %s", from, said)
	}
}
