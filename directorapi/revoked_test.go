package directorapi_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

// A watchedConn tells when it has ended: its client closes it when the director
// did or said that it would.
type watchedConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.once.Do(func() { close(c.closed) })
	}
	return n, err
}

func (c *watchedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// keptAlive returns a client with the host's certificate and the connections that
// it opens.
func (h *host) keptAlive(t *testing.T, protocol string) (*http.Client, <-chan *watchedConn) {
	t.Helper()
	opened := make(chan *watchedConn, 100)
	cfg := h.director.TLS()
	cfg.Certificates = []tls.Certificate{*h.cert}
	transport := &http.Transport{
		TLSClientConfig: cfg, ForceAttemptHTTP2: protocol == "HTTP/2.0",
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			raw, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			c := &watchedConn{Conn: raw, closed: make(chan struct{})}
			opened <- c
			return c, nil
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}, opened
}

// answered is the part of an answer to a report that counts here.
type answered struct {
	StatusCode int
	Proto      string
}

func (h *host) update(t *testing.T, c *http.Client, body io.Reader) (answered, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.director.URL+dcvix.PathAgentUpdate, body)
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return answered{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return answered{resp.StatusCode, resp.Proto}, err
}

func (h *host) updateBody(t *testing.T) []byte {
	t.Helper()
	return directorapitest.JSON(t, dcvix.AgentUpdate{Sessions: []dcvix.Session{}, Tags: []string{}, Stats: dcvix.Stats{Hostname: h.name}})
}

func closedSoon(t *testing.T, c *watchedConn) {
	t.Helper()
	select {
	case <-c.closed:
	case <-time.After(5 * time.Second):
		t.Error("the connection is open 5 s after the revocation")
	}
}

func TestTheConnectionsOfARevokedAgentAreClosed(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			s := directorapitest.NewServer(t)
			h, other := approved(t, s, "ws1"), approved(t, s, "ws2")
			c, opened := h.keptAlive(t, protocol)
			otherC, otherOpened := other.keptAlive(t, protocol)
			resp, err := other.update(t, otherC, bytes.NewReader(other.updateBody(t)))
			require.NoError(t, err)
			require.Equal(t, protocol, resp.Proto)
			body, refused := h.updateBody(t), make(chan int, 1)
			streaming := make(chan struct{})
			go func() { // reports stream while the admin decides
				defer close(refused)
				for i := 0; ; i++ {
					resp, err := h.update(t, c, bytes.NewReader(body))
					switch {
					case i == 10:
						close(streaming)
					case err == nil && resp.StatusCode != http.StatusOK:
						refused <- resp.StatusCode
						return
					}
				}
			}()
			<-streaming
			first := <-opened

			require.NoError(t, s.AdminClient().Revoke(t.Context(), h.guid))

			assert.Equal(t, http.StatusUnauthorized, <-refused)
			closedSoon(t, first)
			for len(opened) > 0 { // and those on which it was refused
				closedSoon(t, <-opened)
			}
			resp, err = other.update(t, otherC, bytes.NewReader(other.updateBody(t)))
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, resp.StatusCode)
			assert.Len(t, otherOpened, 1, "the others keep theirs")
		})
	}
}

func TestAnIdleConnectionAndABodyInItsMiddleEndWithTheTrust(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := approved(t, s, "ws1")
	idleC, idle := h.keptAlive(t, "HTTP/1.1")
	resp, err := h.update(t, idleC, bytes.NewReader(h.updateBody(t)))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	busyC, busy := h.keptAlive(t, "HTTP/1.1")
	_, err = h.update(t, busyC, bytes.NewReader(h.updateBody(t))) // so that the director knows the connection
	require.NoError(t, err)
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := h.update(t, busyC, r)
		ended <- err
	}()
	_, err = w.Write([]byte(`{"sessions":[`))
	require.NoError(t, err)
	busyConn := <-busy

	old := newHost(t, s, "ws1") // reinstalled
	old.register(t)
	require.NoError(t, s.AdminClient().Approve(t.Context(), old.guid, dcvix.ApproveRequest{Replace: true}))

	closedSoon(t, <-idle)
	closedSoon(t, busyConn)
	_ = w.Close()
	assert.Error(t, <-ended)
}

func TestAConnectionThatEndedIsForgotten(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := approved(t, s, "ws1")
	pair := *h.cert
	api, err := directorapi.New(directorapi.Config{Broker: s.Broker, CA: s.CA, Authenticator: authtest.Static{}, Tokens: s.Tokens})
	require.NoError(t, err)
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := directorapi.HTTPServer(api, directorapi.TLSConfig(s.CA, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }), slog.New(slog.DiscardHandler))
	go func() { _ = server.ServeTLS(ln, "", "") }()
	t.Cleanup(func() { _ = server.Close() })
	c, opened := h.keptAlive(t, "HTTP/1.1")
	h.director = &directorapitest.Server{URL: "https://" + ln.Addr().String()}
	c.Transport.(*http.Transport).TLSClientConfig.ServerName = "ws1" //nolint:forcetypeassert // made so above
	resp, err := h.update(t, c, bytes.NewReader(h.updateBody(t)))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, 1, api.AgentConnections())

	require.NoError(t, (<-opened).Close())

	assert.Eventually(t, func() bool { return api.AgentConnections() == 0 }, 10*time.Second, time.Millisecond)
}
