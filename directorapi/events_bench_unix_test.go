//go:build unix

package directorapi_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
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

// A counted is an answer that counts what is written and keeps none of it.
type counted struct {
	header http.Header
	bytes  *atomic.Int64
}

func (c *counted) Header() http.Header { return c.header }
func (c *counted) WriteHeader(int)     {}
func (c *counted) Flush()              {}
func (c *counted) Write(p []byte) (int, error) {
	c.bytes.Add(int64(len(p)))
	return len(p), nil
}

// BenchmarkAThousandStreams has 333 reports a second of 10,000 hosts. Each iteration
// is a second of it. The network is not in it.
func BenchmarkAThousandStreams(b *testing.B) {
	for name, category := range map[string]token.Category{"of users": token.User, "of admins": token.Admin} {
		b.Run(name, func(b *testing.B) {
			const hosts, streams, perSecond = 10_000, 1000, 333
			agents := new(sessiontest.FakeAgents)
			s := directorapitest.NewServer(b,
				directorapitest.WithBroker(func(c *session.Config) { c.Agents, c.Logger = agents, slog.New(slog.DiscardHandler) }),
				directorapitest.WithAPI(func(c *directorapi.Config) { c.Logger = slog.New(slog.DiscardHandler) }))
			joined := make([]session.Agent, hosts)
			for i := range joined {
				joined[i] = sessiontest.Join(b, s.Broker, dcvix.Hostname(fmt.Sprintf("ws%d", i)))
				require.NoError(b, s.Broker.Report(b.Context(), joined[i], "127.0.0.1", agents.Update(joined[i])))
			}
			users := make([]string, streams)
			for i := range streams {
				users[i] = fmt.Sprintf(`{"id":"user%d","admin":true,"workstations":["ws%d","ws%d"]}`, i, i, i+streams)
			}
			s.Policy.Set(b, "["+strings.Join(users, ",")+"]", "")
			ctx, cancel := context.WithCancel(b.Context())
			var written atomic.Int64
			var open sync.WaitGroup
			for i := range streams {
				sealed, _, err := s.Tokens.Seal(token.Claims{User: dcvix.Username(fmt.Sprintf("user%d", i)), Category: category}, time.Hour)
				require.NoError(b, err)
				req := httptest.NewRequestWithContext(ctx, http.MethodGet, dcvix.PathEvents, nil)
				req.Header.Set("Authorization", "Bearer "+sealed)
				open.Go(func() { s.API.Users().ServeHTTP(&counted{make(http.Header), &written}, req) })
			}
			directorapitest.Await(b, "all streams are open", func() bool { return s.API.OpenStreams() == streams })
			b.ResetTimer()
			begin, cpu, next := written.Load(), cpuTime(b), 0
			for b.Loop() {
				tick := time.NewTicker(time.Second / perSecond)
				for range perSecond {
					<-tick.C
					a := joined[next%hosts]
					next++
					require.NoError(b, s.Broker.Report(b.Context(), a, "127.0.0.1", agents.Update(a)))
				}
				tick.Stop()
			}
			b.ReportMetric(float64((cpuTime(b)-cpu).Milliseconds())/float64(b.N), "cpu-ms/s")
			b.ReportMetric(float64(written.Load()-begin)/float64(b.N)/streams, "B/stream/s")
			cancel()
			open.Wait()
		})
	}
}
