package directorapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
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
	"github.com/dcvix/dcvix/session/sessiontest"
)

// A listed director has some hosts with a session each.
type listed struct {
	*directorapitest.Server
	agents []session.Agent
	fakes  *sessiontest.FakeAgents
	login  string
}

func newListed(t *testing.T, hosts int) *listed {
	t.Helper()
	l := &listed{fakes: new(sessiontest.FakeAgents)}
	l.Server = directorapitest.NewServer(t, directorapitest.WithBroker(func(c *session.Config) { c.Agents = l.fakes }))
	for i := range hosts {
		l.agents = append(l.agents, sessiontest.Join(t, l.Broker, dcvix.Hostname(fmt.Sprintf("ws%d", i))))
		l.report(t, i, dcvix.Session{ID: "console", Owner: "alice", Type: dcvix.SessionConsole, Status: "created"})
	}
	var err error
	l.login, _, err = l.Tokens.Seal(token.Claims{User: directorapitest.Root, Category: token.Admin}, time.Hour)
	require.NoError(t, err)
	return l
}

func (l *listed) report(t *testing.T, i int, sessions ...dcvix.Session) {
	t.Helper()
	l.fakes.SetSessions(l.agents[i].ID, sessions...)
	require.NoError(t, l.Broker.Report(t.Context(), l.agents[i], "127.0.0.1", l.fakes.Update(l.agents[i])))
}

func (l *listed) get(t *testing.T, path string, header ...string) reply {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	r.Header.Set("Authorization", "Bearer "+l.login)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	l.API.ServeHTTP(w, r)
	resp := w.Result()
	require.NoError(t, resp.Body.Close())
	conforms(t, r, resp, unzipped(t, resp.Header, w.Body.Bytes()))
	return reply{resp.StatusCode, resp.Header, w.Body.String()}
}

// unzipped returns the body of an answer as it was before it was compressed.
func unzipped(t *testing.T, header http.Header, body []byte) []byte {
	t.Helper()
	if header.Get("Content-Encoding") != "gzip" {
		return body
	}
	reader, err := gzip.NewReader(bytes.NewReader(body))
	require.NoError(t, err)
	plain, err := io.ReadAll(reader)
	require.NoError(t, err)
	return plain
}

func names(t *testing.T, resp reply) []string {
	t.Helper()
	var servers []dcvix.Server
	require.Equal(t, http.StatusOK, resp.status)
	resp.json(t, &servers)
	all := make([]string, 0)
	for _, s := range servers {
		all = append(all, s.Hostname)
	}
	return all
}

func TestAListThatAClientHasIsNotSentAgain(t *testing.T) {
	l := newListed(t, 3)
	for _, path := range []string{dcvix.PathServers, dcvix.PathSessions, dcvix.PathAdminAgents, dcvix.PathUserServers, dcvix.PathUserSessions} {
		first := l.get(t, path)
		require.Equal(t, http.StatusOK, first.status, path)
		tag := first.header.Get("Etag")
		require.Regexp(t, `^W/"[\w.-]+"$`, tag)
		assert.Equal(t, "private, no-cache", first.header.Get("Cache-Control"))
		assert.Equal(t, "Accept-Encoding", first.header.Get("Vary"))
		again := l.get(t, path, "If-None-Match", `W/"other", `+tag, "Accept-Encoding", "gzip")
		assert.Equal(t, http.StatusNotModified, again.status, path)
		assert.Equal(t, tag, again.header.Get("Etag"))
		assert.Empty(t, again.body)
		assert.Equal(t, http.StatusOK, l.get(t, path, "If-None-Match", `W/"other"`).status)
	}
}

func TestAListThatChangedIsSentAgain(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *listed){
		"a report":            func(t *testing.T, l *listed) { l.report(t, 0) },
		"a session is opened": func(t *testing.T, l *listed) { l.report(t, 0); l.open(t, "ws0") },
		"a session is closed": func(t *testing.T, l *listed) {
			require.NoError(t, l.Broker.Close(t.Context(), session.Actor{User: directorapitest.Root, Admin: true}, "console", "ws1"))
		},
		"a host is gone": func(t *testing.T, l *listed) { require.NoError(t, l.Broker.Revoke(t.Context(), l.agents[2].ID)) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newListed(t, 3)
			for _, path := range []string{dcvix.PathServers, dcvix.PathSessions} {
				tag := l.get(t, path).header.Get("Etag")
				require.Equal(t, http.StatusNotModified, l.get(t, path, "If-None-Match", tag).status)
			}
			tag := l.get(t, dcvix.PathServers).header.Get("Etag")
			change(t, l)
			for _, path := range []string{dcvix.PathServers, dcvix.PathSessions} {
				assert.Equal(t, http.StatusOK, l.get(t, path, "If-None-Match", tag).status, path)
			}
		})
	}
}

func (l *listed) open(t *testing.T, host string) {
	t.Helper()
	_, err := l.Broker.Open(t.Context(), session.Actor{User: directorapitest.Root, Admin: true},
		session.OpenRequest{Owner: "bob", Server: host, Type: dcvix.SessionConsole})
	require.NoError(t, err)
}

func TestALongListIsCompressedForThoseWhoReadThat(t *testing.T) {
	l := newListed(t, 50)
	plain := l.get(t, dcvix.PathServers).body
	for accepts, zipped := range map[string]bool{
		"gzip": true, "br;q=1.0, GZIP;q=0.5, *;q=0.1": true, "": false, "br": false, "gzip;q=0": false, "gzip;q=x": false, "x-gzip": false,
	} {
		resp := l.get(t, dcvix.PathServers, "Accept-Encoding", accepts)
		if !zipped {
			assert.Empty(t, resp.header.Get("Content-Encoding"), accepts)
			assert.Equal(t, plain, resp.body)
			continue
		}
		require.Equal(t, "gzip", resp.header.Get("Content-Encoding"), accepts)
		assert.Less(t, len(resp.body), len(plain)/4)
		assert.Equal(t, plain, string(unzipped(t, resp.header, []byte(resp.body))))
	}
	assert.Empty(t, l.get(t, dcvix.PathUserServers, "Accept-Encoding", "gzip").header.Get("Content-Encoding"), "too short to be worth it")
}

func TestHostsComeInPages(t *testing.T) {
	l := newListed(t, 5)
	for path, want := range map[string][]string{
		"":                  {"ws0", "ws1", "ws2", "ws3", "ws4"},
		"?after=ws2":        {"ws3", "ws4"},
		"?after=ws22":       {"ws3", "ws4"},
		"?after=ws4":        {},
		"?after=a&limit=5":  {"ws0", "ws1", "ws2", "ws3", "ws4"},
		"?limit=5":          {"ws0", "ws1", "ws2", "ws3", "ws4"},
		"?limit=10000":      {"ws0", "ws1", "ws2", "ws3", "ws4"},
		"?after=x&limit=10": {},
	} {
		resp := l.get(t, dcvix.PathServers+path)
		assert.Empty(t, resp.header.Get("Link"), path)
		assert.Equal(t, want, names(t, resp), path)
	}
	var pages []string
	for at := "?limit=2"; at != ""; {
		resp := l.get(t, dcvix.PathServers+at)
		pages = append(pages, strings.Join(names(t, resp), " "))
		_, link, _ := strings.Cut(resp.header.Get("Link"), "<")
		at, _, _ = strings.Cut(link, ">")
	}
	assert.Equal(t, []string{"ws0 ws1", "ws2 ws3", "ws4"}, pages)
	for _, limit := range []string{"0", "-1", "10001", "x", "1e3"} {
		assert.Equal(t, http.StatusBadRequest, l.get(t, dcvix.PathServers+"?limit="+limit).status, limit)
	}
}

// TestNoListIsServedOld: whatever happens, a list is that of the hosts of this
// moment, whole or in pages, and a client is told that its own is good only if that
// is the same.
func TestNoListIsServedOld(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	l := newListed(t, 6)
	has := make(map[string]reply)
	for range 150 {
		what := l.happen(t, rng)
		for path, list := range map[string]func([]session.Host) any{dcvix.PathServers: serversOf, dcvix.PathSessions: sessionsOf} {
			after, limit := rng.IntN(7)-1, rng.IntN(4)
			part, query := l.Broker.Hosts(), ""
			if after >= 0 {
				query += fmt.Sprintf("&after=ws%d", after)
				part = slices.DeleteFunc(part, func(h session.Host) bool { return string(h.Name) <= fmt.Sprintf("ws%d", after) })
			}
			if limit > 0 {
				query += fmt.Sprintf("&limit=%d", limit)
				part = part[:min(limit, len(part))]
			}
			path += "?" + query
			got := l.get(t, path, "If-None-Match", has[path].header.Get("Etag"))
			if got.status == http.StatusNotModified {
				got = has[path]
			}
			require.Equal(t, http.StatusOK, got.status, path)
			want, err := json.Marshal(list(part))
			require.NoError(t, err)
			require.Equal(t, string(want)+"\n", got.body, "%s after %s", path, what)
			has[path] = got
		}
	}
}

// TestTextsOfHostsThatAreGoneAreForgotten: hosts come and go for as long as a director
// runs.
func TestTextsOfHostsThatAreGoneAreForgotten(t *testing.T) {
	var lists [][]session.Host
	for i := range 100 {
		lists = append(lists, []session.Host{{Agent: dcvix.AgentID(fmt.Sprint("a", i))}, {Agent: dcvix.AgentID(fmt.Sprint("b", i))}})
	}
	remembered, err := directorapi.RememberedTexts(2, lists...)
	require.NoError(t, err)
	assert.LessOrEqual(t, slices.Max(remembered), 6, "thrice those of a list")
}

// happen lets something happen to a host, or nothing.
func (l *listed) happen(t *testing.T, rng *rand.Rand) string {
	t.Helper()
	i := rng.IntN(len(l.agents))
	root, name := session.Actor{User: directorapitest.Root, Admin: true}, string(l.agents[i].Hostname)
	switch rng.IntN(8) {
	case 0:
		return "nothing"
	case 1:
		return fmt.Sprint("open on ", name, func() error {
			_, err := l.Broker.Open(t.Context(), root, session.OpenRequest{Owner: "bob", Server: name, Type: dcvix.SessionVirtual})
			return err
		}())
	case 2:
		return fmt.Sprint("close on ", name, l.Broker.Close(t.Context(), root, "console", name))
	case 3:
		return fmt.Sprint("drain ", name, l.Broker.Drain(t.Context(), root, name, "repairs"))
	case 4:
		return fmt.Sprint("undrain ", name, l.Broker.Undrain(t.Context(), root, name))
	case 5:
		if err := l.Broker.Revoke(t.Context(), l.agents[i].ID); err != nil {
			return fmt.Sprint("reactivate ", name, l.Broker.Reactivate(t.Context(), l.agents[i].ID))
		}
		return "revoke " + name
	default:
		sessions := []dcvix.Session{{ID: "console", Owner: "alice", Type: dcvix.SessionConsole, Status: "created", NumOfConnections: rng.IntN(2)}}
		l.fakes.SetSessions(l.agents[i].ID, sessions[:rng.IntN(2)]...)
		return fmt.Sprint("report of ", name, l.Broker.Report(t.Context(), l.agents[i], "127.0.0.1", l.fakes.Update(l.agents[i])))
	}
}

func serversOf(hosts []session.Host) any { // any: as encoding/json
	servers := make([]dcvix.Server, len(hosts))
	for i, h := range hosts {
		servers[i] = directorapi.ServerForAdmin(h)
	}
	return servers
}

func sessionsOf(hosts []session.Host) any { // any: as encoding/json
	sessions := make([]dcvix.Session, 0)
	for _, h := range hosts {
		sessions = append(sessions, h.Sessions...)
	}
	return sessions
}
