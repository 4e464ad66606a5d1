package directorapi_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
)

// The hosts of a test have these addresses to the name server; reports came from
// 127.0.0.1.
var lookups = map[string][]netip.Addr{
	"ws1": {netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")},
	"ws2": {netip.MustParseAddr("10.0.0.2")},
}

func TestATokenForAnIDThatRepeatsIsForTheHostThatAsks(t *testing.T) {
	const unique = "dcvix_0b6f8a52-6c1e-4c39-8d0a-3f1f1f0a9b11"
	tests := map[string]struct {
		session string
		from    string
		asks    directorapi.SourceCheck
		yes     bool
		warned  bool
	}{
		"from where its agent reports":        {"console", "127.0.0.1", directorapi.SourceEnforce, true, false},
		"from that machine over IPv6":         {"console", "::1", directorapi.SourceEnforce, true, false},
		"from an address of its name":         {"console", "10.0.0.1", directorapi.SourceEnforce, true, false},
		"from its IPv6 address":               {"console", "2001:db8::1", directorapi.SourceEnforce, true, false},
		"from the other host":                 {"console", "10.0.0.2", directorapi.SourceEnforce, false, false},
		"from elsewhere":                      {"console", "203.0.113.7", directorapi.SourceEnforce, false, false},
		"from the other host, logged":         {"console", "10.0.0.2", directorapi.SourceLog, true, true},
		"from the other host, by default":     {"console", "10.0.0.2", "", true, true},
		"from the other host, not looked at":  {"console", "10.0.0.2", directorapi.SourceOff, true, false},
		"a unique id from elsewhere":          {unique, "10.0.0.2", directorapi.SourceEnforce, true, false},
		"a unique id from elsewhere, logged":  {unique, "10.0.0.2", directorapi.SourceLog, true, false},
		"another's id from the host, refused": {"s9", "10.0.0.1", directorapi.SourceEnforce, false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			logged := new(bytes.Buffer)
			s, audit, _ := audited(t, directorapitest.WithAPI(func(c *directorapi.Config) {
				c.VerifierSource, c.Logger = tt.asks, slog.New(slog.NewTextHandler(logged, nil))
				c.Lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
					return lookups[host], errors.New("a part of the answer was lost")
				}
			}))
			for _, name := range []string{"ws1", "ws2"} {
				approved(t, s, name).report(t, dcvix.Session{ID: "console", Owner: "alice", Type: "console"},
					dcvix.Session{ID: dcvix.SessionID(unique), Owner: "alice", Type: "virtual"})
			}
			before := len(records(t, audit))
			sealed := seal(t, s, token.Claims{User: "alice", Category: token.Connection, Session: dcvix.SessionID(tt.session), Server: "ws1"}, time.Hour)
			form := "sessionId=" + tt.session + "&authenticationToken=" + url.QueryEscape(sealed) + "&clientAddress=198.51.100.24%3A51877"
			for range 10 {
				w := ask(t, s, tt.from, dcvix.PathAuthTokenVerify, form, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
				require.Equal(t, http.StatusOK, w.Code)
				assert.Equal(t, tt.yes, strings.Contains(w.Body.String(), `"yes"`), w.Body)
			}
			const warning = "from another address than its host's"
			assert.Equal(t, tt.warned, strings.Count(logged.String(), warning) == 1, "%s", logged)
			assert.Equal(t, tt.warned, strings.Contains(logged.String(), warning))
			fresh := records(t, audit)[before:]
			if tt.yes {
				assert.Empty(t, fresh)
				return
			}
			require.Len(t, fresh, 1, "the others are counted")
			assert.Equal(t, "session.verify refused by user alice", said(fresh[0]))
			assert.Equal(t, []string{tt.session, tt.from}, []string{fresh[0].Target, fresh[0].Address})
			assert.NotContains(t, logged.String(), sealed)
		})
	}
}

func TestGuessesAtTheVerifierAreOnRecordOnceAMinute(t *testing.T) {
	s, audit, ahead := audited(t)
	for range 1000 {
		form := "sessionId=s1&authenticationToken=guess"
		ask(t, s, "203.0.113.7", dcvix.PathAuthTokenVerify, form, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	}
	require.Len(t, records(t, audit), 1)
	ahead.Add(int64(time.Minute))
	ask(t, s, "203.0.113.7", dcvix.PathAuthTokenVerify, "", nil)
	all := records(t, audit)
	require.Len(t, all, 2)
	assert.Equal(t, 999, all[1].Count)
	assert.Equal(t, "session.verify refused by  ", said(all[1]))
	assert.Equal(t, session.AuditRefused, all[1].Outcome)
}
