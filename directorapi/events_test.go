package directorapi_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

// A listener collects the events of a client.
type listener struct {
	events chan dcvix.Event
	ended  chan error
}

func listen(t *testing.T, c *client.Client) *listener {
	t.Helper()
	l := &listener{make(chan dcvix.Event, 1000), make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		l.ended <- c.Events(ctx, func(e dcvix.Event) error {
			l.events <- e
			return nil
		})
		close(l.ended)
	}()
	t.Cleanup(func() {
		cancel()
		for range l.ended { // until it is closed: the stream may have ended before
		}
	})
	assert.Equal(t, dcvix.EventResync, l.next(t).Kind)
	return l
}

func (l *listener) next(t *testing.T) dcvix.Event {
	t.Helper()
	select {
	case e := <-l.events:
		return e
	case err := <-l.ended:
		t.Fatalf("the stream ended: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("no event within 30 s")
	}
	return dcvix.Event{}
}

// until returns the first event that will do.
func (l *listener) until(t *testing.T, will func(dcvix.Event) bool) dcvix.Event {
	t.Helper()
	for {
		if e := l.next(t); will(e) {
			return e
		}
	}
}

// hearsNothing gives three batches the time to come.
func (l *listener) hearsNothing(t *testing.T) {
	t.Helper()
	select {
	case e := <-l.events:
		t.Errorf("an event %+v", e)
	case <-time.After(1500 * time.Millisecond):
	}
}

// ends fails unless the director ends the stream: TestAStreamIsOverFiveSecondsAfterItsLogin
// says when.
func (l *listener) ends(t *testing.T) {
	t.Helper()
	select {
	case err := <-l.ended:
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	case <-time.After(60 * time.Second):
		t.Error("the stream goes on after 60 s")
	}
}

func TestAnAdminHearsWhatChanges(t *testing.T) {
	s, _, hosts := pooled(t)
	l := listen(t, s.AdminClient())

	require.Equal(t, http.StatusOK, hosts["ws2"].report(t, console("bob")).status)
	e := l.until(t, func(e dcvix.Event) bool { return e.Changes != nil && len(e.Changes.Sessions) > 0 })
	assert.Equal(t, []dcvix.Hostname{"ws2"}, e.Changes.Servers)
	assert.Equal(t, []dcvix.Hostname{"ws2"}, e.Changes.Sessions)
	assert.NotEmpty(t, e.ID)

	require.NoError(t, s.AdminClient().Drain(t.Context(), "ws3", ""))
	l.until(t, func(e dcvix.Event) bool {
		return e.Changes != nil && len(e.Changes.Servers) == 1 && e.Changes.Servers[0] == "ws3"
	})
	newcomer := newHost(t, s, "ws7")
	require.Equal(t, http.StatusForbidden, newcomer.register(t).status)
	l.until(t, func(e dcvix.Event) bool {
		return e.Changes != nil && len(e.Changes.Agents) == 1 && e.Changes.Agents[0] == newcomer.guid
	})
	s.Policy.Set(t, poolUsers, "[]")
	l.until(t, func(e dcvix.Event) bool { return e.Changes != nil && e.Changes.Policy })
}

func TestAUserHearsOfTheirOwnDesktopsAlone(t *testing.T) {
	s, _, hosts := pooled(t)
	l := listen(t, s.Client(directorapitest.Alice))
	first := l.next(t)
	require.Equal(t, dcvix.EventDesktops, first.Kind)
	assert.Equal(t, "ready", first.Desktops.Desktops[1].State)

	require.Equal(t, http.StatusOK, hosts["ws1"].report(t, console("bob")).status)
	taken := l.next(t)
	require.Equal(t, dcvix.EventDesktops, taken.Kind)
	assert.Equal(t, "busy", taken.Desktops.Desktops[1].State)
	assert.Empty(t, taken.Desktops.Desktops[1].Sessions, "it is bob's")

	// What changes nothing for her, or nothing that she may see, is not said.
	other := approved(t, s, "ws4")
	require.Equal(t, http.StatusOK, other.report(t, console("bob")).status)
	require.Equal(t, http.StatusOK, hosts["ws1"].report(t, console("bob")).status)
	l.hearsNothing(t)

	require.Equal(t, http.StatusOK, hosts["ws1"].report(t, console("alice")).status)
	assert.Equal(t, "own", l.next(t).Desktops.Desktops[1].State)
	require.Equal(t, http.StatusOK, hosts["ws1"].report(t, console("alice")).status)
	l.hearsNothing(t)
	s.Policy.Set(t, `[{"id":"bob"},{"id":"root","admin":true}]`, "")
	left := l.next(t).Desktops.Desktops
	require.Len(t, left, 1, "the policy gives her nothing now, but she has a session")
	assert.Equal(t, "ws1", left[0].Name)
	assert.Empty(t, left[0].Types)
	require.Equal(t, http.StatusOK, hosts["ws1"].report(t).status)
	assert.Empty(t, l.next(t).Desktops.Desktops)
}

func TestAStreamEndsWhenItsLoginDoes(t *testing.T) {
	var ahead atomic.Int64
	s := directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}))
	loggedOut, demoted, expired := s.Client(directorapitest.Alice), s.AdminClient(), s.Client(directorapitest.Bob)
	out, down, over := listen(t, loggedOut), listen(t, demoted), listen(t, expired)

	require.NoError(t, loggedOut.Logout(t.Context()))
	out.ends(t)
	s.Policy.Set(t, `[{"id":"bob"},{"id":"root"}]`, "")
	down.ends(t)
	ahead.Store(int64(2 * time.Hour))
	over.ends(t)
	var refused *dcvix.Error
	require.ErrorAs(t, loggedOut.Events(t.Context(), nil), &refused)
	assert.Equal(t, dcvix.CodeUnauthenticated, refused.Code)
}

func TestTheReaderEndsAStream(t *testing.T) {
	s := directorapitest.NewServer(t)
	enough := errors.New("enough")
	assert.ErrorIs(t, s.AdminClient().Events(t.Context(), func(dcvix.Event) error { return enough }), enough)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.AdminClient().Events(ctx, func(dcvix.Event) error { cancel(); return nil })
	assert.ErrorIs(t, err, context.Canceled)
	directorapitest.Await(t, "no stream is open", func() bool { return s.API.OpenStreams() == 0 })
}

func TestStreamsAreBounded(t *testing.T) {
	s := directorapitest.NewServer(t)
	c := s.Client(directorapitest.Alice)
	for range 8 {
		listen(t, c)
	}
	var refused *dcvix.Error
	require.ErrorAs(t, c.Events(t.Context(), nil), &refused)
	assert.Equal(t, http.StatusTooManyRequests, refused.Status)
	assert.Equal(t, "Too many streams of events are open: close a page, or try again in a minute.", refused.Message)
	listen(t, s.Client(directorapitest.Bob))
	assert.Equal(t, 4096, directorapi.FillStreams(t, s.Broker, 5000))
}

func TestAReaderThatIsTooSlowIsToldToLookAgain(t *testing.T) {
	kinds := directorapi.SlowStream(t, directorapitest.NewServer(t).API)
	assert.Equal(t, []dcvix.EventKind{dcvix.EventResync, dcvix.EventResync, dcvix.EventChanges}, kinds)
}

func TestADeadReaderCostsNothing(t *testing.T) {
	s, _, hosts := pooled(t)
	s.API.SetStreamPatience(time.Second)
	root := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	raw, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "https://"))
	require.NoError(t, err)
	require.NoError(t, raw.(*net.TCPConn).SetReadBuffer(1))
	conn := tls.Client(raw, &tls.Config{RootCAs: s.TLS().RootCAs, ServerName: "localhost"})
	t.Cleanup(func() { _ = raw.Close() })
	_, err = io.WriteString(conn, "GET "+dcvix.PathEvents+" HTTP/1.1\r\nHost: x\r\nCookie: "+dcvix.CookieName+"="+root.cookie+"\r\n\r\n")
	require.NoError(t, err)
	directorapitest.Await(t, "the stream is open", func() bool { return s.API.OpenStreams() == 1 })
	directorapi.Flood(t, s.API, 64<<20) // it takes none of it
	assert.Equal(t, http.StatusOK, hosts["ws1"].report(t).status, "nobody waits for it")
	directorapitest.Await(t, "the stream is closed", func() bool { return s.API.OpenStreams() == 0 })
}

func TestStreamsGoOverBothHTTPsUncompressedAndOutlastTheLimitsOfRequests(t *testing.T) {
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			s := directorapitest.NewServer(t)
			s.API.SetStreamPatience(500 * time.Millisecond)
			h := approved(t, s, "ws1")
			cookie := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root).cookie
			server := directorapi.HTTPServer(s.API, nil, logger(t))
			server.ReadTimeout, server.WriteTimeout = 300*time.Millisecond, 400*time.Millisecond
			base := serveTLS(t, s, server)
			transport := &http.Transport{TLSClientConfig: s.TLS(), ForceAttemptHTTP2: h2}
			t.Cleanup(transport.CloseIdleConnections)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+dcvix.PathEvents, nil)
			require.NoError(t, err)
			req.AddCookie(&http.Cookie{Name: dcvix.CookieName, Value: cookie})
			req.Header.Set("Accept-Encoding", "gzip, br")
			resp, err := transport.RoundTrip(req)
			require.NoError(t, err)
			defer func() { _ = resp.Body.Close() }()
			assert.Equal(t, name, resp.Proto)
			assert.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
			assert.Empty(t, resp.Header.Get("Content-Encoding"))
			assert.Equal(t, "no-store, no-transform", resp.Header.Get("Cache-Control"))
			lines := bufio.NewScanner(resp.Body)
			require.True(t, lines.Scan())
			assert.Equal(t, "id: 0", lines.Text())
			time.Sleep(time.Second)
			require.Equal(t, http.StatusOK, h.report(t).status)
			for lines.Text() != "event: changes" {
				require.True(t, lines.Scan(), "the stream was cut: %v", lines.Err())
			}

			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			assert.NoError(t, server.Shutdown(ctx), "a stream does not hold up a stop")
		})
	}
}

// serveTLS serves a server of a test's own beside the director's.
func serveTLS(t *testing.T, s *directorapitest.Server, server *http.Server) string {
	t.Helper()
	server.TLSConfig = s.ServerTLS()
	ln := listenOn(t, "tcp", "127.0.0.1:0")
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.ServeTLS(ln, "", "") // ends with Close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return "https://" + ln.Addr().String()
}
