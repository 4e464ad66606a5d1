package agentclient_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

func TestAListThatHangsStopsNeitherReportsNorRenewals(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, func(c *agentclient.Config) { c.UpdateInterval, c.IdleTimeout = 10*time.Minute, time.Hour })
		setFaults(t, h, dcvclitest.Faults{Slow: 100 * day})
		time.Sleep(3 * day)
		_, renewals, reports := d.counts()
		assert.InDelta(t, 3*24*6, reports, 10)
		assert.GreaterOrEqual(t, renewals, 2, "one a day or so")
		assert.Zero(t, h.log.count("certificate not renewed"))
		assert.Equal(t, http.StatusOK, call(t, h, http.MethodGet, dcvix.PathHealth, "").status)
		began := time.Now()
		h.stop()
		assert.Less(t, time.Since(began), 15*time.Second, "and it stops")
	})
}

// TestReportsOutliveEveryKindOfDirector is for an agent that is enrolled.
func TestReportsOutliveEveryKindOfDirector(t *testing.T) {
	t.Parallel()
	tests := map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"answers 500": func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "broken", http.StatusInternalServerError)
			return true
		},
		"answers garbage": func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write([]byte("\x00\xff\x1b[2J"))
			return true
		},
		"answers without an end": func(w http.ResponseWriter, _ *http.Request) bool {
			for range 40 {
				_, _ = w.Write(make([]byte, 64<<10))
			}
			return true
		},
		"resets the connection": cut,
		"hangs": func(_ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		},
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				h := enrolled(t, d, func(c *agentclient.Config) { c.IdleTimeout = 10 * time.Minute })
				putSession(t, h, desktop(oursByID))
				d.with(func(d *director) { d.fault = fault })
				time.Sleep(15 * time.Minute)
				assert.Equal(t, agentclient.Enrolled, h.Status().State)
				assert.NotEmpty(t, h.Status().Trouble)
				assert.Equal(t, 1, h.log.count("did not take a call"), "said once")
				assert.Empty(t, there(t, h), "idle sessions are closed meanwhile")
				d.with(func(d *director) { d.fault, d.updates = nil, nil })
				time.Sleep(time.Minute + 20*time.Second)
				assert.Empty(t, h.Status().Trouble)
				assert.Empty(t, d.lastUpdate().Sessions)
				h.stop()
			})
		})
	}
}

func TestARecordThatCannotBeReadIsStartedAnew(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, path string){
		"half of it":   func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 17)) },
		"nothing":      func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 0)) },
		"something":    func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, []byte(`{"a":1}`), 0o600)) },
		"far too much": func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, make([]byte, 5<<20), 0o600)) },
	}
	for name, harm := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := enrolled(t, newDirector(t), reaping)
				require.Equal(t, http.StatusCreated, call(t, h, http.MethodPost, dcvix.PathSessions, wishOfAda).status)
				h.stop()
				harm(t, filepath.Join(h.cfg.StateDir, agentclient.SessionsFile))
				h.start()
				synctest.Wait()
				assert.Equal(t, agentclient.Enrolled, h.Status().State)
				assert.Equal(t, 1, h.log.count("the record of sessions cannot be used, a new one is made"))
				time.Sleep(3 * time.Hour)
				assert.Equal(t, []string{"cad-1"}, there(t, h), "what is not known to be ours is left alone")
				got := call(t, h, http.MethodPost, dcvix.PathSessions, `{"userId":"bob","sessionType":"virtual","sessionId":"cad-2"}`)
				require.Equal(t, http.StatusCreated, got.status)
				h.restart()
				time.Sleep(2 * time.Hour)
				assert.Equal(t, []string{"cad-1"}, there(t, h), "the new record works")
				h.stop()
			})
		})
	}
}

func TestADiskThatTakesNoRecordIsAProblemAndStopsNobody(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, reaping)
		blocked := filepath.Join(h.cfg.StateDir, "."+agentclient.SessionsFile+".tmp")
		require.NoError(t, os.MkdirAll(filepath.Join(blocked, "x"), 0o700)) // nothing can be written in its place
		got := call(t, h, http.MethodPost, dcvix.PathSessions, wishOfAda)
		require.Equal(t, http.StatusCreated, got.status, got.body)
		time.Sleep(time.Minute)
		require.Len(t, d.lastUpdate().Problems, 1)
		assert.Contains(t, d.lastUpdate().Problems[0], "the record of sessions cannot be written")
		require.NoError(t, os.RemoveAll(blocked))
		time.Sleep(time.Minute)
		assert.Empty(t, d.lastUpdate().Problems)
		record, err := os.ReadFile(filepath.Join(h.cfg.StateDir, agentclient.SessionsFile))
		require.NoError(t, err)
		assert.Contains(t, string(record), "cad-1", "it is made up for")
		time.Sleep(time.Hour)
		assert.Empty(t, there(t, h), "and was known all the time")
		h.stop()
	})
}

// onLoopback starts an enrolled agent that listens on a port of the loopback
// interface, and returns its address.
func onLoopback(t *testing.T, d *director) (h *host, address string) {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d.approved = true
	h = newHost(t, d, hourly)
	h.cfg.Listen = func(context.Context, string, string) (net.Listener, error) { return ln, nil }
	h.start()
	require.Eventually(t, func() bool { return !h.Status().LastReport.IsZero() }, 20*time.Second, time.Millisecond)
	return h, ln.Addr().String()
}

// TestStrangersAtThePortCostLittle has ten thousand connections from whoever has
// no certificate, of which some (in the long form all) speak TLS.
func TestStrangersAtThePortCostLittle(t *testing.T) {
	const strangers = 10_000
	speakTLS := lasting(strangers/20, strangers)
	d := newDirector(t)
	h, address := onLoopback(t, d)
	director := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: callerConf(t, d, dcvix.DirectorCommonName, directorName), DisableKeepAlives: true,
	}}
	ask := func() int {
		return callAs(t, director, http.MethodGet, dcvix.PathHealth, "").status
	}
	director.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	require.Equal(t, http.StatusOK, ask())
	goroutines, heap, logged := runtime.NumGoroutine(), heapInUse(), len(h.log.String())

	var work sync.WaitGroup
	for worker := range 8 {
		work.Go(func() {
			for i := worker; i < strangers; i += 8 {
				knock(t, address, i < speakTLS)
			}
		})
	}
	for range 5 {
		assert.Equal(t, http.StatusOK, ask(), "the director is let in meanwhile")
	}
	work.Wait()
	assert.Equal(t, http.StatusOK, ask())
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+8 }, 20*time.Second, 10*time.Millisecond)
	assert.Less(t, heapInUse(), heap+8<<20)
	assert.Less(t, len(h.log.String()), logged+4<<10, "bytes of log, at its finest level")
	h.stop()
}

// knock is one connection of a stranger.
func knock(t *testing.T, address string, speaksTLS bool) {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: 20 * time.Second}).DialContext(t.Context(), "tcp", address)
	if !assert.NoError(t, err) {
		return
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if speaksTLS {
		secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		_, _ = secured.Write([]byte("GET /v1/sessions HTTP/1.1\r\nHost: x\r\n\r\n"))
		answer, _ := secured.Read(make([]byte, 1))
		assert.Zero(t, answer)
		return
	}
	_, _ = conn.Write([]byte("GET /v1/sessions HTTP/1.1\r\nHost: x\r\n\r\n"))
	answer := make([]byte, 1<<10)
	n, _ := conn.Read(answer)
	assert.False(t, strings.Contains(string(answer[:n]), "200 OK"), string(answer[:n]))
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
