package standalone_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/standalone"
)

// browser returns a client that trusts the director.
func browser(t *testing.T, s *standalone.Server) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.CA().Pool()}, DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func get(t *testing.T, c *http.Client, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// A slow handler answers when it is released.
type slow struct{ asked, release chan struct{} }

func newSlow() slow { return slow{make(chan struct{}), make(chan struct{})} }

func (s slow) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	close(s.asked)
	<-s.release
	_, _ = io.WriteString(w, "done")
}

func TestServeLetsRunningRequestsFinish(t *testing.T) {
	s := open(t, t.TempDir(), options(t))
	ln, h := listener(t), newSlow()
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln, h) }()
	c, url := browser(t, s), "https://"+ln.Addr().String()
	answer := make(chan string, 1)
	go func() {
		body, err := get(t, c, url)
		assert.NoError(t, err)
		answer <- body
	}()
	<-h.asked

	stop()

	require.Eventually(t, func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", ln.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, 10*time.Second, time.Millisecond, "nobody new is let in")
	select {
	case err := <-served:
		t.Fatalf("Serve returned during a request: %v", err)
	default:
	}
	close(h.release)
	assert.Equal(t, "done", <-answer)
	assert.NoError(t, <-served)
}

func TestServeAnswersPeopleAndAgentsOnTheDoorsTheyAreGiven(t *testing.T) {
	s := open(t, t.TempDir(), options(t))
	ctx, stop := context.WithCancel(t.Context())
	c := browser(t, s)
	var served sync.WaitGroup
	at := map[string]string{}
	for name, h := range map[string]http.Handler{"all": s, "people": s.Users(), "agents": s.Agents()} {
		ln := listener(t)
		at[name] = "https://" + ln.Addr().String()
		served.Go(func() { assert.NoError(t, s.Serve(ctx, ln, h)) })
	}
	const none, noLogin = http.StatusNotFound, http.StatusUnauthorized
	for name, want := range map[string]map[string]int{
		"all":    {"GET " + dcvix.PathUserServers: noLogin, "POST " + dcvix.PathAgentUpdate: noLogin},
		"people": {"GET " + dcvix.PathUserServers: noLogin, "POST " + dcvix.PathAgentUpdate: none},
		"agents": {"GET " + dcvix.PathUserServers: none, "POST " + dcvix.PathAgentUpdate: noLogin},
	} {
		for route, status := range want {
			method, path, _ := strings.Cut(route, " ")
			req, err := http.NewRequestWithContext(t.Context(), method, at[name]+path, nil)
			require.NoError(t, err)
			resp, err := c.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, status, resp.StatusCode, "%s on the door of %s", route, name)
		}
	}
	stop()
	served.Wait()
}

func TestServeSaysThatItsListenerFailed(t *testing.T) {
	s := open(t, t.TempDir(), options(t))
	ln := listener(t)
	require.NoError(t, ln.Close())
	err := s.Serve(t.Context(), ln, s)
	require.ErrorIs(t, err, net.ErrClosed)
	assert.ErrorContains(t, err, ln.Addr().String())
}

func TestServeThatIsStoppedBeforeItBeginsReturns(t *testing.T) {
	s := open(t, t.TempDir(), options(t))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	assert.NoError(t, s.Serve(ctx, listener(t), s))
}

// A pipes listener works in a bubble.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p.conns <- there
	return here, nil
}

func TestServeCutsWhatDoesNotFinishWithin20Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := standalone.Open(t.Context(), t.TempDir(), options(t))
		require.NoError(t, err)
		ln, h := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}, newSlow()
		ctx, stop := context.WithCancel(t.Context())
		served, answered := make(chan error, 1), make(chan error, 1)
		go func() { served <- s.Serve(ctx, ln, h) }()
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.CA().Pool(), ServerName: "localhost"}, DialContext: ln.dial}
		go func() {
			_, err := get(t, &http.Client{Transport: transport}, "https://localhost/")
			answered <- err
		}()
		<-h.asked
		begin := time.Now()

		stop()
		err = <-served

		assert.ErrorContains(t, err, "requests were cut at the stop")
		assert.Equal(t, 20*time.Second, time.Since(begin))
		require.Error(t, <-answered)
		close(h.release)
		transport.CloseIdleConnections()
		require.NoError(t, s.Close())
	})
}
