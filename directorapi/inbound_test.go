package directorapi_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
)

// What was found out about the certificate of a connection holds no longer than the
// certificate.
func TestACertificateThatExpiresWhileItsConnectionIsKeptIsRefused(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			s, _, ahead := audited(t)
			h := approved(t, s, "ws1")
			c, opened := h.keptAlive(t, protocol)
			for range 2 {
				got, err := h.update(t, c, bytes.NewReader(h.updateBody(t)))
				require.NoError(t, err)
				require.Equal(t, answered{http.StatusOK, protocol}, got)
			}
			ahead.Add(int64(15 * 24 * time.Hour))
			got, err := h.update(t, c, bytes.NewReader(h.updateBody(t)))
			require.NoError(t, err)
			assert.Equal(t, http.StatusUnauthorized, got.StatusCode)
			assert.Len(t, opened, 1, "all came over one connection")
		})
	}
}

// Two directors behind one listener do not take each other's word for who is at the
// other end of a connection.
func TestWhoIsAtTheEndOfAConnectionIsNotAnotherDirectorsToSay(t *testing.T) {
	var apis [2]*directorapi.Server
	var directors [2]*directorapitest.Server
	for i := range apis {
		s := directorapitest.NewServer(t)
		api, err := directorapi.New(directorapi.Config{Broker: s.Broker, CA: s.CA, Authenticator: authtest.Static{}, Tokens: s.Tokens})
		require.NoError(t, err)
		apis[i], directors[i] = api, s
	}
	h := approved(t, directors[0], "ws1")
	_, err := directors[1].Broker.Register(t.Context(), session.Registration{ // the same key, and no certificate of it
		ID: h.guid, KeyHash: sha256.Sum256(h.cert.Leaf.RawSubjectPublicKeyInfo), Hostname: "ws1", Address: "127.0.0.1",
	})
	require.ErrorIs(t, err, session.ErrPending)
	require.NoError(t, directors[1].Broker.Approve(t.Context(), h.guid, session.Approval{}))
	pair, turn := *h.cert, 0
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := directorapi.HTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { apis[turn].ServeHTTP(w, r) }),
		directorapi.TLSConfig(directors[0].CA, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }), slog.New(slog.DiscardHandler))
	go func() { _ = server.ServeTLS(ln, "", "") }()
	t.Cleanup(func() { _ = server.Close() })
	c, opened := h.keptAlive(t, "HTTP/1.1")
	h.director = &directorapitest.Server{URL: "https://" + ln.Addr().String()}
	c.Transport.(*http.Transport).TLSClientConfig.ServerName = "ws1" //nolint:forcetypeassert // made so above
	for i, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		turn = i
		got, err := h.update(t, c, bytes.NewReader(h.updateBody(t)))
		require.NoError(t, err)
		assert.Equal(t, want, got.StatusCode)
	}
	assert.Len(t, opened, 1, "both came over one connection")
}
