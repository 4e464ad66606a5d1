package directorapi_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/memory"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// A bubble is a director without a network, for virtual time.
type bubble struct {
	api    *directorapi.Server
	broker *session.Broker
	tokens *token.Sealer
	policy *directorapitest.Policy
}

func newBubble(t *testing.T) *bubble {
	t.Helper()
	b := &bubble{policy: new(directorapitest.Policy)}
	b.policy.Set(t, directorapitest.DefaultUsers, "")
	logger := slog.New(slog.DiscardHandler)
	var err error
	b.tokens, err = token.New(token.Config{Keys: []token.Key{token.NewKey()}})
	require.NoError(t, err)
	b.broker, err = session.Open(t.Context(), session.Config{Store: new(memory.Store), Agents: new(sessiontest.FakeAgents), Policy: b.policy, Logger: logger})
	require.NoError(t, err)
	b.api, err = directorapi.New(directorapi.Config{Broker: b.broker, CA: catest.New(t), Authenticator: authtest.Static{}, Tokens: b.tokens, Logger: logger})
	require.NoError(t, err)
	return b
}

func (b *bubble) login(t *testing.T, user dcvix.Username, category token.Category) (sealed, id string) {
	t.Helper()
	sealed, _, err := b.tokens.Seal(token.Claims{User: user, Category: category}, 12*time.Hour)
	require.NoError(t, err)
	claims, err := b.tokens.Open(sealed, category)
	require.NoError(t, err)
	return sealed, claims.ID
}

// A streamed answer is one that goes on.
type streamed struct {
	header http.Header
	leave  context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex
	status int
	text   strings.Builder
}

func (s *streamed) Header() http.Header { return s.header }
func (s *streamed) Flush()              {}
func (s *streamed) WriteHeader(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

func (s *streamed) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// said counts how often something was sent.
func (s *streamed) said(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.text.String(), text)
}

func (s *streamed) isOver() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// listen opens a stream of events and returns it once it waits for some.
func (b *bubble) listen(t *testing.T, sealed string) *streamed {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	t.Cleanup(leave)
	s := &streamed{header: make(http.Header), leave: leave, ended: make(chan struct{})}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, dcvix.PathEvents, http.NoBody)
	r.Header.Set("Authorization", "Bearer "+sealed)
	go func() {
		defer close(s.ended)
		b.api.ServeHTTP(s, r)
	}()
	synctest.Wait()
	return s
}

func TestAQuietStreamSaysEvery15SecondsThatItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		root, _ := b.login(t, directorapitest.Root, token.Admin)
		alice, _ := b.login(t, directorapitest.Alice, token.User)
		for name, sealed := range map[string]string{"an admin's": root, "a user's": alice} {
			s := b.listen(t, sealed)
			const comment = ": all is well\n\n"
			time.Sleep(15*time.Second - time.Millisecond)
			synctest.Wait()
			assert.Zero(t, s.said(comment), name)
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			assert.Equal(t, 1, s.said(comment), name)
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			assert.Equal(t, 41, s.said(comment), name)
			assert.Equal(t, 1, s.said("event: resync"), name)
			s.leave()
			<-s.ended
		}
	})
}

func TestWhatHappensWithinHalfASecondIsOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		agents := []session.Agent{sessiontest.Join(t, b.broker, "ws1"), sessiontest.Join(t, b.broker, "ws2")}
		root, _ := b.login(t, directorapitest.Root, token.Admin)
		s := b.listen(t, root)
		report := func(a session.Agent) {
			require.NoError(t, b.broker.Report(t.Context(), a, "10.0.0.1", dcvix.AgentUpdate{Stats: dcvix.Stats{Hostname: string(a.Hostname)}}))
		}
		for i := range 100 {
			report(agents[i%2])
			time.Sleep(4 * time.Millisecond)
		}
		time.Sleep(99 * time.Millisecond)
		synctest.Wait()
		assert.Zero(t, s.said("event: changes"))
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		assert.Equal(t, 1, s.said("event: changes"))
		assert.Equal(t, 1, s.said(`"servers":["ws1","ws2"]`))
		s.leave()
		<-s.ended
	})
}

func TestAStreamIsOverFiveSecondsAfterItsLogin(t *testing.T) {
	tests := map[string]func(t *testing.T, b *bubble, id string){
		"logged out": func(t *testing.T, b *bubble, id string) {
			require.NoError(t, b.broker.RevokeToken(t.Context(), id, time.Now().Add(12*time.Hour)))
		},
		"no admin any more": func(t *testing.T, b *bubble, _ string) { b.policy.Set(t, "[]", "") },
		"of age":            func(*testing.T, *bubble, string) { time.Sleep(12 * time.Hour) },
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			for second := range 10 { // wherever it is between two looks
				synctest.Test(t, func(t *testing.T) {
					b := newBubble(t)
					sealed, id := b.login(t, directorapitest.Root, token.Admin)
					s := b.listen(t, sealed)
					time.Sleep(time.Hour + time.Duration(second)*time.Second + time.Millisecond)
					assert.False(t, s.isOver())
					end(t, b, id)
					time.Sleep(5 * time.Second)
					synctest.Wait()
					assert.True(t, s.isOver())
					assert.Zero(t, b.api.OpenStreams())
				})
			}
		})
	}
}

func TestEightStreamsOfOneAnd4096InAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		refused := func(user dcvix.Username) bool {
			sealed, _ := b.login(t, user, token.User)
			s := b.listen(t, sealed)
			return s.isOver() && s.status == http.StatusTooManyRequests
		}
		var open []*streamed
		for i := range 4096 / 8 {
			user := dcvix.Username(fmt.Sprintf("user%d", i))
			sealed, _ := b.login(t, user, token.User)
			for range 8 {
				s := b.listen(t, sealed)
				require.False(t, s.isOver(), s.text.String())
				open = append(open, s)
			}
			if i == 0 {
				require.True(t, refused(user), "a ninth one")
			}
		}
		require.Equal(t, 4096, b.api.OpenStreams())
		assert.True(t, refused("newcomer"))
		open[7].leave()
		<-open[7].ended
		assert.False(t, refused("newcomer"), "there is room for one again")
		for _, s := range open {
			s.leave()
			<-s.ended
		}
	})
}

// pipes listens for connections that are made in memory.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
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

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func TestAReaderThatNeverReadsIsDroppedInTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		agent := sessiontest.Join(t, b.broker, "ws1")
		sealed, _ := b.login(t, directorapitest.Root, token.Admin)
		ln := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		server := directorapi.HTTPServer(b.api, nil, slog.New(slog.DiscardHandler))
		served := make(chan error, 1)
		go func() { served <- server.Serve(ln) }()
		here, there := net.Pipe()
		ln.conns <- there
		_, err := fmt.Fprintf(here, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", dcvix.PathEvents, sealed)
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, b.api.OpenStreams())
		quick := b.listen(t, sealed)

		time.Sleep(9 * time.Second)
		require.NoError(t, b.broker.Report(t.Context(), agent, "10.0.0.1", dcvix.AgentUpdate{Stats: dcvix.Stats{Hostname: "ws1"}}))
		time.Sleep(600 * time.Millisecond)
		synctest.Wait()
		assert.Equal(t, 1, quick.said("event: changes"), "nobody waits for it")
		assert.Equal(t, 2, b.api.OpenStreams())
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, 1, b.api.OpenStreams())
		assert.False(t, quick.isOver())

		quick.leave()
		<-quick.ended
		_ = here.Close()
		require.NoError(t, server.Close())
		err = <-served
		require.True(t, errors.Is(err, http.ErrServerClosed), "%v", err)
	})
}
