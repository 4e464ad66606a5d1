package directorapi_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// fleetOf starts a director with so many hosts, each with a console of alice.
func fleetOf(b *testing.B, hosts int) *directorapitest.Server {
	b.Helper()
	agents := new(sessiontest.FakeAgents)
	s := directorapitest.NewServer(b, withGateways(b),
		directorapitest.WithBroker(func(c *session.Config) { c.Agents, c.Logger = agents, slog.New(slog.DiscardHandler) }),
		directorapitest.WithAPI(func(c *directorapi.Config) { c.Logger = slog.New(slog.DiscardHandler) }))
	for i := range hosts {
		a := sessiontest.Join(b, s.Broker, dcvix.Hostname(fmt.Sprintf("ws%d", i)))
		agents.SetSessions(a.ID, dcvix.Session{ID: "console", Owner: "alice", Type: "console", Status: "created"})
		require.NoError(b, s.Broker.Report(b.Context(), a, "127.0.0.1", agents.Update(a)))
	}
	return s
}

func serveAll(b *testing.B, h http.Handler, target, body, want string) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, target, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = "127.0.0.1:40000"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), want) {
			b.Fatal(w.Body)
		}
	}
}

// BenchmarkVerifier answers a DCV server of one of a thousand hosts, and compares
// that with a handler that does no more than open the token.
func BenchmarkVerifier(b *testing.B) {
	s := fleetOf(b, 1000)
	sealed, _, err := s.Tokens.Seal(token.Claims{User: "alice", Category: token.Connection, Session: "console", Server: "ws500"}, time.Hour)
	require.NoError(b, err)
	form := "sessionId=console&authenticationToken=" + url.QueryEscape(sealed) + "&clientAddress=198.51.100.24%3A51877"
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, err := s.Tokens.Open(r.PostFormValue("authenticationToken"), token.Connection)
		if err == nil && claims.Session == dcvix.SessionID(r.PostFormValue("sessionId")) {
			_, _ = fmt.Fprintf(w, `<auth result="yes"><username>%s</username></auth>`, claims.User)
		}
	})
	b.Run("bare", func(b *testing.B) { serveAll(b, bare, dcvix.PathAuthTokenVerify, form, "yes") })
	b.Run("director", func(b *testing.B) { serveAll(b, s.API, dcvix.PathAuthTokenVerify, form, "yes") })
}

// BenchmarkResolver answers a gateway, and compares that with a handler that knows
// the answer.
func BenchmarkResolver(b *testing.B) {
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(dcvix.ResolvedSession{
			SessionID: dcvix.SessionID(r.URL.Query().Get("sessionId")), TransportProtocol: r.URL.Query().Get("transport"), DCVServerEndpoint: "ws", Port: 8443, WebURLPath: "/",
		})
	})
	const target = dcvix.PathResolveSession + "?sessionId=console-ws5&transport=HTTP&clientIpAddress=198.51.100.24"
	b.Run("bare", func(b *testing.B) { serveAll(b, bare, target, "", "ws") })
	for _, hosts := range []int{10, 1000} {
		s := fleetOf(b, hosts)
		b.Run(fmt.Sprintf("director of %d hosts", hosts), func(b *testing.B) { serveAll(b, s.API, target, "", `"ws5"`) })
	}
}
