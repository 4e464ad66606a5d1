package privacyidea_test

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/dcvix/dcvix/auth/privacyidea"
	"github.com/dcvix/dcvix/auth/privacyidea/privacyideatest"
)

// BenchmarkVerify measures what the package adds to the request that it cannot
// do without, over TLS on the loopback interface.
func BenchmarkVerify(b *testing.B) {
	s := privacyideatest.NewServer(b, privacyideatest.Config{})
	s.Instead(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		_, _ = io.WriteString(w, `{"id":1,"result":{"status":true,"value":true,"authentication":"ACCEPT"},"detail":{"message":"matching 1 tokens","serial":"OATH1"}}`)
	})
	b.Run("package", func(b *testing.B) {
		v := open(b, s, func(c *privacyidea.Config) { c.Logger = slog.New(slog.DiscardHandler) })
		for b.Loop() {
			if err := v.Verify(b.Context(), alice("123456")); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("request", func(b *testing.B) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.CAs()}, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		c := &http.Client{Transport: transport}
		body := url.Values{"user": {"alice"}, "pass": {"wonder123456"}}.Encode()
		for b.Loop() {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, s.URL+"/validate/check", strings.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			resp, err := c.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
}
