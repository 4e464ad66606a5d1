package directorapi_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

// A door is a listener of a director with a limit, over real TCP and TLS.
type door struct {
	*directorapitest.Server

	listener net.Listener
	address  string
	log      *log
}

// open serves the director's API at a door of its own. change may shorten the times
// that a client may take.
func open(t *testing.T, limit directorapi.ConnectionLimit, change func(*http.Server)) *door {
	t.Helper()
	d := &door{Server: directorapitest.NewServer(t), log: new(log)}
	inner, _ := loopback(t)
	d.address = inner.Addr().String()
	limit.Logger = slog.New(slog.NewTextHandler(d.log, nil))
	d.listener = directorapi.LimitConnections(inner, limit)
	pair := catest.Issue(t, d.CA, dcvix.DirectorCommonName, "localhost")
	server := directorapi.HTTPServer(d.API, directorapi.TLSConfig(d.CA, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }), slog.New(slog.DiscardHandler))
	if change != nil {
		change(server)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.ServeTLS(d.listener, "", "") // ends with Close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return d
}

// dial connects from an address of the loopback network.
func (d *door) dial(t *testing.T, from string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
	conn, err := dialer.DialContext(t.Context(), "tcp", d.address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// health asks for it over a connection of its own from an address.
func (d *door) health(t *testing.T, from string) (int, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: d.TLS(), DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+d.address+dcvix.PathHealth, nil)
	require.NoError(t, err)
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode, nil
}

// ended says whether the other side closed a connection, waiting a little.
func ended(conn net.Conn, wait time.Duration) bool {
	_ = conn.SetReadDeadline(time.Now().Add(wait))
	_, err := conn.Read(make([]byte, 1))
	var timeout net.Error
	return err != nil && (!errors.As(err, &timeout) || !timeout.Timeout())
}

func TestAFloodOfIdleConnectionsFromOneAddressIsCut(t *testing.T) {
	const limit, flood = 100, 400
	d := open(t, directorapi.ConnectionLimit{PerAddress: limit}, func(s *http.Server) { s.ReadHeaderTimeout = time.Minute })
	conns := make([]net.Conn, flood)
	for i := range conns {
		conns[i] = d.dial(t, "127.0.0.2")
	}
	for i, conn := range conns[limit:] {
		require.True(t, ended(conn, 10*time.Second), "connection %d is one too many", limit+i)
	}
	for _, i := range []int{0, limit / 2, limit - 1} {
		assert.False(t, ended(conns[i], 10*time.Millisecond), "connection %d may stay", i)
	}
	status, err := d.health(t, "127.0.0.3")
	require.NoError(t, err, "another address is not concerned")
	assert.Equal(t, http.StatusOK, status)
	_, err = d.health(t, "127.0.0.2")
	require.Error(t, err)
	assert.Equal(t, 1, d.log.lines("max_connections_per_address"), "said once a minute")
	assert.Equal(t, 1, d.log.lines("address=127.0.0.2"))

	for _, conn := range conns {
		require.NoError(t, conn.Close())
	}
	directorapitest.Await(t, "the address may come again", func() bool {
		status, err := d.health(t, "127.0.0.2")
		return err == nil && status == http.StatusOK
	})
	directorapitest.Await(t, "nothing is remembered", func() bool { return directorapi.Counted(d.listener) == 0 })
}

func TestProxiesAreNotCounted(t *testing.T) {
	d := open(t, directorapi.ConnectionLimit{PerAddress: 1, Exempt: prefixes(t, "127.0.0.2")}, nil)
	for range 5 {
		conn := d.dial(t, "127.0.0.2")
		assert.False(t, ended(conn, 5*time.Millisecond))
	}
	d.dial(t, "127.0.0.3")
	assert.True(t, ended(d.dial(t, "127.0.0.3"), 10*time.Second))
}

func TestConnectionsOfRegisteredAgentsDoNotCount(t *testing.T) {
	d := open(t, directorapi.ConnectionLimit{PerAddress: 3}, nil)
	var open []*http.Transport
	for _, name := range []string{"ws1", "ws2", "ws3", "ws4", "ws5", "ws6"} {
		h := approved(t, d.Server, name)
		cfg := d.TLS()
		cfg.Certificates = []tls.Certificate{*h.cert}
		transport := &http.Transport{TLSClientConfig: cfg}
		open = append(open, transport)
		c := &caller{director: &directorapitest.Server{URL: "https://" + d.address}, http: &http.Client{Transport: transport}}
		body := dcvix.AgentUpdate{Stats: dcvix.Stats{Hostname: name}, Sessions: []dcvix.Session{}, Tags: []string{}}
		require.Equal(t, http.StatusOK, c.post(t, dcvix.PathAgentUpdate, body).status, "%s keeps its connection", name)
	}
	assert.Zero(t, directorapi.Counted(d.listener))
	for range 3 {
		d.dial(t, "127.0.0.1")
	}
	assert.True(t, ended(d.dial(t, "127.0.0.1"), 10*time.Second), "strangers beside them do")
	for _, transport := range open {
		transport.CloseIdleConnections()
	}
	assert.True(t, ended(d.dial(t, "127.0.0.1"), 10*time.Second), "what did not count is not given back")
}

// A client that sends a byte at a time, in the handshake, the header or the body, is
// cut after a bounded time, and nobody else waits meanwhile.
func TestSlowClientsAreCutAndHoldUpNobody(t *testing.T) {
	usual := directorapi.HTTPServer(nil, nil, slog.Default())
	assert.Equal(t, []time.Duration{10 * time.Second, 60 * time.Second, 120 * time.Second, 3 * time.Minute},
		[]time.Duration{usual.ReadHeaderTimeout, usual.ReadTimeout, usual.WriteTimeout, usual.IdleTimeout})
	d := open(t, directorapi.ConnectionLimit{}, func(s *http.Server) {
		s.ReadHeaderTimeout, s.ReadTimeout, s.IdleTimeout = 300*time.Millisecond, 600*time.Millisecond, 300*time.Millisecond
	})
	secured := func() net.Conn {
		cfg := d.TLS()
		cfg.ServerName = "localhost"
		conn := tls.Client(d.dial(t, "127.0.0.2"), cfg)
		require.NoError(t, conn.HandshakeContext(t.Context()))
		return conn
	}
	write := func(conn net.Conn, text string) net.Conn {
		_, err := io.WriteString(conn, text)
		require.NoError(t, err)
		return conn
	}
	slow := map[string]net.Conn{
		"no handshake":       d.dial(t, "127.0.0.2"),
		"half a handshake":   write(d.dial(t, "127.0.0.2"), "\x16\x03\x01\x02"),
		"no request":         secured(),
		"half a header":      write(secured(), "POST /v1/user/login HTTP/1.1\r\nHost: x\r\nX-Slow: a"),
		"half a body":        write(secured(), "POST /v1/user/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"),
		"a body in dribbles": write(secured(), "POST /v1/user/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"),
	}
	for range 20 {
		begun := time.Now()
		status, err := d.health(t, "127.0.0.3")
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
		assert.Less(t, time.Since(begun), 10*time.Second)
	}
	for name, conn := range slow {
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		_, err := io.Copy(io.Discard, conn) // perhaps a sentence first
		var timeout net.Error
		assert.False(t, errors.As(err, &timeout) && timeout.Timeout(), "%s is held open", name)
	}
	directorapitest.Await(t, "their connections are forgotten", func() bool { return directorapi.Counted(d.listener) == 0 })
}

func TestAHeaderBeyondTheLimitIsRefused(t *testing.T) {
	d := open(t, directorapi.ConnectionLimit{}, nil)
	cfg := d.TLS()
	cfg.ServerName = "localhost"
	conn := tls.Client(d.dial(t, "127.0.0.2"), cfg)
	_, err := io.WriteString(conn, "GET /v1/health HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("a", 80<<10)+"\r\n\r\n")
	require.NoError(t, err)
	answer := make([]byte, 64)
	n, _ := io.ReadFull(conn, answer)
	assert.True(t, bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 431 ")), "%s", answer[:n])
}

// arrivals is a listener at which connections from chosen addresses arrive.
type arrivals []string

func (a *arrivals) Accept() (net.Conn, error) {
	if len(*a) == 0 {
		return nil, net.ErrClosed
	}
	from := net.TCPAddrFromAddrPort(netip.MustParseAddrPort((*a)[0]))
	*a = (*a)[1:]
	here, there := net.Pipe()
	_ = there.Close()
	return arrival{here, from}, nil
}

func (*arrivals) Close() error   { return nil }
func (*arrivals) Addr() net.Addr { return &net.TCPAddr{} }

type arrival struct {
	net.Conn

	from net.Addr
}

func (a arrival) RemoteAddr() net.Addr { return a.from }

func TestWhoHasAnIPv6AddressHasAllOfItsNetwork(t *testing.T) {
	come := arrivals{"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:1::1]:1", "[::ffff:10.0.0.1]:1", "10.0.0.1:2", "[fe80::1%eth0]:1", "[fe80::2%eth1]:1", "10.0.0.2:1"}
	l := directorapi.LimitConnections(&come, directorapi.ConnectionLimit{PerAddress: 1, Logger: slog.New(slog.DiscardHandler)})
	var let []string
	for {
		conn, err := l.Accept()
		if err != nil {
			require.ErrorIs(t, err, net.ErrClosed)
			break
		}
		let = append(let, conn.RemoteAddr().String())
	}
	assert.Equal(t, []string{"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", "10.0.0.1:1", "[fe80::1%eth0]:1", "10.0.0.2:1"}, let)
}
