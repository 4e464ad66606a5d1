//go:build unix

package directorapi_test

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// cpuTime returns what this process has used of all processors, which other
// processes change less than the time that passes.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reportCPU reports the CPU time of each of so many operations.
func reportCPU(b *testing.B, unit string, used time.Duration, operations int) {
	b.Helper()
	b.ReportMetric(float64(used.Nanoseconds())/1e3/float64(operations), unit)
}

// usualUpdate is what a host with so many sessions reports.
func usualUpdate(name dcvix.Hostname, sessions int) dcvix.AgentUpdate {
	now, some := time.Now(), rand.Float64()
	u := dcvix.AgentUpdate{
		Sessions: []dcvix.Session{}, AgentPort: 8446, UpdateIntervalSeconds: 30, Version: "0.2.0",
		Tags: []string{"render", "linux"},
		Stats: dcvix.Stats{
			Hostname: string(name), FreeMemory: uint64(some * 64e9), TotalMemory: 67108864000, Cores: 16, CPUUsage: math.Round(1e4*some) / 100, Load1: math.Round(1500*some) / 100, Load5: math.Round(1400*some) / 100, Load15: math.Round(1300*some) / 100,
		},
		GPUs: []dcvix.GPU{{Model: "NVIDIA L4", Driver: "550.90.07", Usage: math.Round(100 * some), EncoderUsage: math.Round(40 * some), UsedMemory: uint64(some*23034) << 20, TotalMemory: 23034 << 20, Temperature: 48}},
	}
	for range sessions {
		i := rand.IntN(2000)
		u.Sessions = append(u.Sessions, dcvix.Session{
			ID: dcvix.SessionID("dcvix_" + uuid.NewString()), Owner: dcvix.Username(fmt.Sprintf("user%d", i)), User: fmt.Sprintf("user%d", i),
			NumOfConnections: 1, CreationTime: dcvix.Time{Time: now.Add(-time.Duration(some * 1e14)).Truncate(time.Microsecond)}, LastDisconnectionTime: dcvix.Time{Time: now.Add(-time.Duration(some * 1e13)).Truncate(time.Microsecond)},
			LicensingMode: "EC2", StorageRoot: fmt.Sprintf("/home/user%d/dcv", i), Type: dcvix.SessionVirtual, Status: "created",
			X11Display: fmt.Sprintf(":%d", i), X11Authority: fmt.Sprintf("/run/user/%d/dcv/session.xauth", i),
		})
	}
	return u
}

// silentDirector is a director without a log whose agents are fakes.
func silentDirector(b *testing.B, opts ...directorapitest.Option) *directorapitest.Server {
	b.Helper()
	logger := slog.New(slog.DiscardHandler)
	return directorapitest.NewServer(b, append([]directorapitest.Option{
		directorapitest.WithBroker(func(c *session.Config) {
			c.Agents, c.Logger, c.PendingMax, c.PendingPerAddress = new(sessiontest.FakeAgents), logger, 100_000, 100_000
		}),
		directorapitest.WithAPI(func(c *directorapi.Config) { c.Logger = logger }),
	}, opts...)...)
}

// fill lets so many hosts join, each with so many sessions.
func fill(b *testing.B, s *directorapitest.Server, hosts, sessions int) []session.Agent {
	b.Helper()
	agents := make([]session.Agent, hosts)
	for i := range agents {
		agents[i] = sessiontest.Join(b, s.Broker, dcvix.Hostname(fmt.Sprintf("ws%05d.lab.example", i)))
		require.NoError(b, s.Broker.Report(b.Context(), agents[i], "10.1.2.3", usualUpdate(agents[i].Hostname, sessions)))
	}
	return agents
}

// A getter asks a handler for one path, without a network.
type getter struct {
	handler http.Handler
	path    string
	header  http.Header
}

// loginOf returns a getter with the login of that user.
func loginOf(b *testing.B, s *directorapitest.Server, user dcvix.Username, category token.Category, path string) getter {
	b.Helper()
	sealed, _, err := s.Tokens.Seal(token.Claims{User: user, Category: category}, time.Hour)
	require.NoError(b, err)
	return getter{s.API, path, http.Header{"Authorization": {"Bearer " + sealed}}}
}

func (g getter) get(b *testing.B, want int) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, g.path, http.NoBody)
	r.Header = g.header
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	if w.Code != want {
		b.Fatal(w.Code, w.Body)
	}
	return w
}

// measure answers again and again and reports the CPU time.
func (g getter) measure(b *testing.B, want int) {
	b.Helper()
	b.ReportAllocs()
	begin := cpuTime(b)
	for b.Loop() {
		g.get(b, want)
	}
	reportCPU(b, "cpu-µs/op", cpuTime(b)-begin, b.N)
}

// BenchmarkUserServers lists the hosts of one of 10,000 users of 1,000 pools.
func BenchmarkUserServers(b *testing.B) {
	var users, pools []string
	for i := range 1000 {
		var members []string
		for j := range 10 {
			members = append(members, fmt.Sprintf(`"ws%05d"`, 10*i+j))
		}
		pools = append(pools, fmt.Sprintf(`{"id": "pool%d", "workstations": [%s]}`, i, strings.Join(members, ",")))
	}
	for i := range 10_000 {
		users = append(users, fmt.Sprintf(`{"id": "user%d", "workstations": ["ws%05d"], "pools": ["pool%d", "pool%d"]}`, i, i, i%1000, (i+7)%1000))
	}
	s := silentDirector(b)
	s.Policy.Set(b, "["+strings.Join(users, ",")+"]", "["+strings.Join(pools, ",")+"]")
	loginOf(b, s, "user4711", token.User, dcvix.PathUserServers).measure(b, http.StatusOK)
}

// BenchmarkServers lists 2,000 hosts with 4,000 sessions for an admin. Some of the
// hosts report between two lists: with reports every 30 s it is a sixth of them for
// who looks every 5 s. Their reports are not measured.
func BenchmarkServers(b *testing.B) {
	s := silentDirector(b)
	agents := fill(b, s, 2000, 2)
	g := loginOf(b, s, directorapitest.Root, token.Admin, dcvix.PathServers)
	zipped := getter{g.handler, g.path, g.header.Clone()}
	zipped.header.Set("Accept-Encoding", "gzip")
	page := getter{g.handler, dcvix.PathServers + "?limit=1000", zipped.header}
	for name, list := range map[string]struct {
		getter

		reports int
	}{
		"plain": {getter: g}, "gzip": {getter: zipped},
		"gzip, a sixth reported": {zipped, 333}, "gzip, all reported": {zipped, 2000}, "page of 1000, all reported": {page, 2000},
	} {
		b.Run(name, func(b *testing.B) {
			list.measureBetween(b, func() {
				for _, a := range agents[:list.reports] {
					require.NoError(b, s.Broker.Report(b.Context(), a, "10.1.2.3", usualUpdate(a.Hostname, 2)))
				}
			})
			b.ReportMetric(float64(list.get(b, http.StatusOK).Body.Len())/1e3, "kB")
		})
	}
	tag := zipped.get(b, http.StatusOK).Header().Get("Etag")
	if tag == "" {
		b.Fatal("the list has no tag")
	}
	zipped.header.Set("If-None-Match", tag)
	b.Run("unchanged", func(b *testing.B) { zipped.measure(b, http.StatusNotModified) })
}

// measureBetween is measure of answers alone, not of what happens before each.
func (g getter) measureBetween(b *testing.B, happen func()) {
	b.Helper()
	var used time.Duration
	for b.Loop() {
		b.StopTimer()
		happen()
		b.StartTimer()
		begin := cpuTime(b)
		g.get(b, http.StatusOK)
		used += cpuTime(b) - begin
	}
	reportCPU(b, "cpu-µs/op", used, b.N)
}
