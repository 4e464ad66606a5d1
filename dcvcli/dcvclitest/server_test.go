package dcvclitest_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// logBuffer keeps what is logged, for several goroutines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// running is a server and what a test wants to know of it.
type running struct {
	dcv  *dcvclitest.DCV
	port int
	logs *logBuffer
	stop func() // stops the server and waits for it
}

// start runs a server with a console session "s" of alice.
func start(t *testing.T, cfg dcvclitest.ServerConfig) running {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	if cfg.DCV == nil {
		cfg.DCV = newDCV(t, dcvclitest.Config{})
	}
	_, err = cfg.DCV.Run(t.Context(), "create-session", "--type=console", "--owner=alice", "--max-concurrent-clients=2", "s")
	require.NoError(t, err)
	logs := &logBuffer{}
	cfg.Name, cfg.Listener = "ws1.localhost", listener
	cfg.Logger = slog.New(slog.NewTextHandler(io.MultiWriter(logs, t.Output()), &slog.HandlerOptions{Level: slog.LevelDebug}))
	server, err := dcvclitest.NewServer(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	t.Cleanup(stop)
	return running{dcv: cfg.DCV, port: listener.Addr().(*net.TCPAddr).Port, logs: logs, stop: stop}
}

func (r running) dial(t *testing.T, session, token string) (*dcvclitest.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return dcvclitest.Dial(ctx, dcvclitest.Target{Host: "ws1.localhost", Port: r.port, Session: session, Token: token})
}

func (r running) mustDial(t *testing.T, session, token string) *dcvclitest.Conn {
	t.Helper()
	conn, err := r.dial(t, session, token)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

// answering is a verifier that answers every question with one status and body.
func answering(t *testing.T, status int, body string) string {
	t.Helper()
	verifier := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(verifier.Close)
	return verifier.URL
}

// tokens is a verifier that knows "token-of-USER".
func tokens(t *testing.T) string {
	t.Helper()
	verifier := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, ok := strings.CutPrefix(r.PostFormValue("authenticationToken"), "token-of-"); ok {
			_, _ = fmt.Fprintf(w, `<auth result="yes"><username>%s</username></auth>`, user)
			return
		}
		_, _ = io.WriteString(w, `<auth result="no"><message>token not accepted</message></auth>`)
	}))
	t.Cleanup(verifier.Close)
	return verifier.URL
}

func TestNewServerSaysWhatIsMissing(t *testing.T) {
	dcv := newDCV(t, dcvclitest.Config{})
	tests := map[string]dcvclitest.ServerConfig{
		"a name":                {DCV: dcv},
		"a DCV":                 {Name: "ws1"},
		"a URL":                 {Name: "ws1", DCV: dcv, VerifierURL: "://"},
		"a URL of https":        {Name: "ws1", DCV: dcv, VerifierURL: "ftp://director/"},
		"a host in the URL":     {Name: "ws1", DCV: dcv, VerifierURL: "https:///verify"},
		"a listener, for a Run": {Name: "ws1", DCV: dcv},
	}
	for name, cfg := range tests {
		t.Run(name, func(t *testing.T) {
			server, err := dcvclitest.NewServer(cfg)
			if err == nil {
				err = server.Run(t.Context())
			}
			require.Error(t, err)
		})
	}
}

func TestTheOwnerGetsInAndIsCounted(t *testing.T) {
	server := start(t, dcvclitest.ServerConfig{VerifierURL: tokens(t)})
	cli := newCLI(t, server.dcv, "linux")
	conn := server.mustDial(t, "s", "token-of-alice")
	assert.Equal(t, []string{"alice", "s", "console", "ws1.localhost"}, []string{conn.User, conn.Session, conn.Type, conn.Host})
	assert.Empty(t, conn.Reason())

	session, err := cli.Describe(t.Context(), "s")
	require.NoError(t, err)
	assert.Equal(t, 1, session.NumOfConnections)
	assert.Zero(t, session.LastDisconnectionTime)
	connections, err := cli.Connections(t.Context(), "s")
	require.NoError(t, err)
	require.Len(t, connections, 1)
	assert.Equal(t, "alice", connections[0].Username)
	assert.Equal(t, "dcvix-fake-viewer", connections[0].UserAgent)

	conn.Close()
	assert.Eventually(t, func() bool {
		session, err := cli.Describe(t.Context(), "s")
		return err == nil && session.NumOfConnections == 0 && !session.LastDisconnectionTime.IsZero()
	}, 10*time.Second, 5*time.Millisecond)
	assert.Equal(t, "the connection was lost", conn.Reason())
}

func TestAConnectionEndsWithItsSession(t *testing.T) {
	tests := map[string]struct {
		end    func(t *testing.T, server running)
		reason string
	}{
		"the session is closed": {
			end: func(t *testing.T, server running) {
				require.NoError(t, newCLI(t, server.dcv, "linux").Close(t.Context(), "s"))
			},
			reason: "the session was closed",
		},
		"the client is disconnected": {
			end: func(t *testing.T, server running) {
				require.NoError(t, server.dcv.Update(func(s *dcvclitest.State) error {
					s.Sessions[0].Connections = nil
					return nil
				}))
			},
			reason: "the client was disconnected",
		},
		"the server stops": {
			end:    func(_ *testing.T, server running) { server.stop() },
			reason: "the server stops",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := start(t, dcvclitest.ServerConfig{VerifierURL: tokens(t)})
			conn := server.mustDial(t, "s", "token-of-alice")
			tt.end(t, server)
			select {
			case <-conn.Done():
				assert.Equal(t, tt.reason, conn.Reason())
			case <-time.After(20 * time.Second):
				t.Fatal("the connection goes on")
			}
			assert.Eventually(t, func() bool {
				state, err := server.dcv.State()
				return err == nil && (len(state.Sessions) == 0 || len(state.Sessions[0].Connections) == 0)
			}, 10*time.Second, 5*time.Millisecond)
		})
	}
}

func TestNobodyElseGetsIn(t *testing.T) {
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is it noticed that the asker left
		<-r.Context().Done()
	}))
	t.Cleanup(hangs.Close)
	yes := `<auth result="yes"><username>alice</username></auth>`
	tests := map[string]struct {
		verifier, session, token string
		log                      string
	}{
		"a wrong token":             {verifier: tokens(t), token: "guess", log: "token not accepted"},
		"no message in the refusal": {verifier: answering(t, 200, `<auth result="no"/>`), log: `answered`},
		"another user":              {verifier: tokens(t), token: "token-of-bob", log: "may not enter"},
		"an unknown session":        {verifier: tokens(t), session: "t", token: "token-of-alice", log: "not available"},
		"status 401":                {verifier: answering(t, 401, yes), log: "status 401"},
		"a redirection":             {verifier: answering(t, 302, yes), log: "status 302"},
		"yes to nobody":             {verifier: answering(t, 200, `<auth result="yes"/>`), log: "without a user name"},
		"yes in capitals":           {verifier: answering(t, 200, strings.Replace(yes, "yes", "YES", 1)), log: "answered"},
		"no XML":                    {verifier: answering(t, 200, "yes"), log: "read the answer"},
		"other XML":                 {verifier: answering(t, 200, "<html/>"), log: "read the answer"},
		"XML cut off":               {verifier: answering(t, 200, yes[:30]), log: "read the answer"},
		"an endless answer":         {verifier: answering(t, 200, strings.Repeat(" ", 1<<20)+yes), log: "read the answer"},
		"no answer":                 {verifier: hangs.URL, log: "no answer within"},
		"nobody listens":            {verifier: "http://127.0.0.1:1", log: "verifier"},
		"no verifier configured":    {log: "no verifier is configured"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.session == "" {
				tt.session = "s"
			}
			if tt.token == "" {
				tt.token = "s3cret-token"
			}
			timeout := 10 * time.Second
			if tt.verifier == hangs.URL {
				timeout = 50 * time.Millisecond
			}
			server := start(t, dcvclitest.ServerConfig{VerifierURL: tt.verifier, VerifierTimeout: timeout})
			_, err := server.dial(t, tt.session, tt.token)
			require.ErrorIs(t, err, dcvclitest.ErrRefused)
			assert.Contains(t, server.logs.String(), tt.log)
			assert.NotContains(t, server.logs.String(), tt.token)
			assert.NotContains(t, err.Error(), tt.token)
		})
	}
}

func TestAYesIsReadLeniently(t *testing.T) {
	tests := map[string]string{
		"as documented":     `<auth result="yes"><username>alice</username></auth>`,
		"with a prolog":     `<?xml version="1.0"?>` + "\n" + `<auth result='yes'> <username>alice</username><more/></auth>` + "\n",
		"something behind":  `<auth result="yes"><username>alice</username></auth>trailing`,
		"an escaped letter": `<auth result="yes"><username>&#97;lice</username></auth>`,
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			server := start(t, dcvclitest.ServerConfig{VerifierURL: answering(t, 200, body)})
			assert.Equal(t, "alice", server.mustDial(t, "s", "any").User)
		})
	}
}

func TestASessionTakesNoMoreThanItsClients(t *testing.T) {
	server := start(t, dcvclitest.ServerConfig{VerifierURL: tokens(t)})
	first := server.mustDial(t, "s", "token-of-alice")
	server.mustDial(t, "s", "token-of-alice")
	_, err := server.dial(t, "s", "token-of-alice")
	require.ErrorIs(t, err, dcvclitest.ErrRefused)
	assert.ErrorContains(t, err, "as many clients")

	first.Close()
	assert.Eventually(t, func() bool {
		conn, err := server.dial(t, "s", "token-of-alice")
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 10*time.Second, 5*time.Millisecond)
}

func TestAUserHasNoMoreThanTenConnections(t *testing.T) {
	server := start(t, dcvclitest.ServerConfig{VerifierURL: tokens(t)})
	require.NoError(t, server.dcv.Update(func(s *dcvclitest.State) error {
		s.Sessions[0].MaxConcurrentClients = 0
		return nil
	}))
	for range 10 {
		server.mustDial(t, "s", "token-of-alice")
	}
	_, err := server.dial(t, "s", "token-of-alice")
	require.ErrorIs(t, err, dcvclitest.ErrRefused)
}

func TestWindowsComparesUsersWithoutDomainAndCase(t *testing.T) {
	dcv := newDCV(t, dcvclitest.Config{Profile: dcvclitest.Windows2025})
	_, err := dcv.Run(t.Context(), "create-session", `--owner=LAB\Alice`, "w")
	require.NoError(t, err)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server, err := dcvclitest.NewServer(dcvclitest.ServerConfig{
		Name: "w1", DCV: dcv, Listener: listener, VerifierURL: tokens(t), Logger: testLogger(t),
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { assert.NoError(t, server.Run(ctx)) })
	defer run.Wait()
	defer stop()
	conn, err := dcvclitest.Dial(ctx, dcvclitest.Target{
		Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Session: "w", Token: "token-of-alice",
	})
	require.NoError(t, err)
	conn.Close()
}

func TestThreeBadTokensDropTheConnection(t *testing.T) {
	server := start(t, dcvclitest.ServerConfig{VerifierURL: tokens(t)})
	conn, err := new(tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", fmt.Sprint("127.0.0.1:", server.port))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	answers := bufio.NewReader(conn)
	for attempt := range 3 {
		_, err := fmt.Fprint(conn, "POST /fake/connect HTTP/1.1\r\nHost: ws1\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
			"Content-Length: 17\r\n\r\nsession=s&token=x")
		require.NoError(t, err)
		answer, err := http.ReadResponse(answers, nil)
		require.NoError(t, err, "attempt %d", attempt)
		assert.Equal(t, http.StatusUnauthorized, answer.StatusCode)
		assert.Equal(t, attempt == 2, answer.Close)
		_, err = io.Copy(io.Discard, answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
	}
	_, err = answers.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

func TestAKilledServerLeavesNobodyConnected(t *testing.T) {
	dcv := newDCV(t, dcvclitest.Config{})
	require.NoError(t, dcv.Update(func(s *dcvclitest.State) error {
		s.Sessions = []dcvclitest.Session{{ID: "old", Type: "console", Connections: []dcvclitest.Connection{{ID: 1, User: "alice"}}}}
		return nil
	}))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server, err := dcvclitest.NewServer(dcvclitest.ServerConfig{Name: "ws1", DCV: dcv, Listener: listener, Logger: testLogger(t)})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	require.NoError(t, server.Run(ctx))
	session, err := newCLI(t, dcv, "linux").Describe(t.Context(), "old")
	require.NoError(t, err)
	assert.Zero(t, session.NumOfConnections)
	assert.False(t, session.LastDisconnectionTime.IsZero())
}

func TestThePageRunsUnderAStrictPolicyAndListsTheClients(t *testing.T) {
	server := start(t, dcvclitest.ServerConfig{VerifierURL: tokens(t)})
	server.mustDial(t, "s", "token-of-alice")
	browser := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer browser.CloseIdleConnections()
	get := func(path string) (http.Header, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d%s", server.port, path), nil)
		require.NoError(t, err)
		answer, err := browser.Do(request)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusOK, answer.StatusCode)
		return answer.Header, string(body)
	}
	for _, path := range []string{"/?authToken=s3cret-token", "/behind/a/path/?authToken=s3cret-token"} {
		header, body := get(path)
		policy := header.Get("Content-Security-Policy")
		assert.Contains(t, policy, "default-src 'none'")
		assert.NotContains(t, policy, "unsafe")
		assert.Equal(t, "no-referrer", header.Get("Referrer-Policy"))
		assert.Contains(t, body, `<script src="/viewer.js" defer></script>`)
		assert.NotContains(t, body, "s3cret-token")
	}
	header, _ := get("/viewer.js")
	assert.Contains(t, header.Get("Content-Type"), "javascript")
	assert.Equal(t, "dcv", header.Get("Server"))
	header, _ = get("/favicon.ico")
	assert.Contains(t, header.Get("Content-Type"), "image/svg+xml")

	_, body := get("/fake/sessions")
	var list struct {
		Host     string
		Sessions []struct {
			ID      string
			Owner   string
			Clients []string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	assert.Equal(t, "ws1.localhost", list.Host)
	require.Len(t, list.Sessions, 1)
	require.Len(t, list.Sessions[0].Clients, 1)
	assert.True(t, strings.HasPrefix(list.Sessions[0].Clients[0], "alice from 127.0.0.1:"))
	assert.NotContains(t, server.logs.String(), "s3cret-token")
}

func TestDialNeedsToKnowWhere(t *testing.T) {
	_, err := dcvclitest.Dial(t.Context(), dcvclitest.Target{Host: "localhost", Session: "s"})
	require.Error(t, err)
}

func TestADialThatIsGivenUpLeavesNobodyConnected(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	letAnswer := sync.OnceFunc(func() { close(answer) })
	verifier := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-answer
		_, _ = io.WriteString(w, yesToAlice)
	}))
	t.Cleanup(verifier.Close)
	t.Cleanup(letAnswer) // before the verifier is closed, which waits for its answers
	server := start(t, dcvclitest.ServerConfig{VerifierURL: verifier.URL})
	ctx, giveUp := context.WithCancel(t.Context())
	go func() {
		<-asked
		giveUp()
	}()
	_, err := dcvclitest.Dial(ctx, dcvclitest.Target{Host: "ws1.localhost", Port: server.port, Session: "s", Token: "any"})
	require.ErrorIs(t, err, context.Canceled)
	letAnswer()
	server.stop()
	state, err := server.dcv.State()
	require.NoError(t, err)
	assert.Empty(t, state.Sessions[0].Connections)
}

func TestHostileNamesForgeNoLogLine(t *testing.T) {
	server := start(t, dcvclitest.ServerConfig{VerifierURL: tokens(t)})
	_, err := server.dial(t, "x\nlevel=INFO msg=forged "+strings.Repeat("y", 1000), "token-of-alice")
	require.ErrorIs(t, err, dcvclitest.ErrRefused)
	for line := range strings.Lines(server.logs.String()) {
		assert.False(t, strings.HasPrefix(line, "level=INFO msg=forged"), line)
		assert.Less(t, len(line), 1000)
	}
}
