package directorcmd_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/directorcmd"
)

// activated returns the director as a process to which systemd hands that socket.
func activated(t *testing.T, socket *os.File, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := process(t, args...)
	// LISTEN_PID is the process's own, which the shell has before it becomes it.
	cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh", cmd.Path}, args...)
	cmd.Path = "/bin/sh"
	cmd.Env = append(cmd.Env, "LISTEN_FDS=1", "LISTEN_FDNAMES="+name)
	cmd.ExtraFiles = []*os.File{socket}
	return cmd
}

// kept returns a socket that outlives who listens on it, and its address.
func kept(t *testing.T) (*os.File, string) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	socket, err := l.File()
	require.NoError(t, err)
	t.Cleanup(func() { _ = socket.Close() })
	return socket, l.Addr().String()
}

func TestNoRequestIsLostWhileTheDirectorRestartsOnASocketOfSystemd(t *testing.T) {
	path := conf(t, "director_host = 192.0.2.1", "")
	socket, want := kept(t)
	r, address := start(t, activated(t, socket, "dcvix-director.socket", "--conf", path))
	require.Equal(t, want, address)
	assert.Contains(t, r.said(), "director_host and director_port are not used")
	roots := trusting(t, path)

	var over atomic.Bool
	var asked, answered atomic.Int64
	var people sync.WaitGroup
	for range 4 {
		people.Go(func() {
			for !over.Load() {
				transport := &http.Transport{TLSClientConfig: roots} // a connection each: they are what a restart could lose
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+dcvix.PathHealth, nil)
				assert.NoError(t, err)
				asked.Add(1)
				resp, err := (&http.Client{Transport: transport}).Do(req)
				if assert.NoError(t, err) && assert.NoError(t, resp.Body.Close()) && assert.Equal(t, http.StatusOK, resp.StatusCode) {
					answered.Add(1)
				}
				transport.CloseIdleConnections()
			}
		})
	}
	for range 3 {
		before := answered.Load()
		require.Eventually(t, func() bool { return answered.Load() > before+10 }, 60*time.Second, time.Millisecond)
		require.NoError(t, r.cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, r.cmd.Wait(), r.said())
		r, _ = start(t, activated(t, socket, "dcvix-director.socket", "--conf", path))
	}
	before := answered.Load()
	require.Eventually(t, func() bool { return answered.Load() > before+10 }, 60*time.Second, time.Millisecond)
	over.Store(true)
	people.Wait()
	assert.Equal(t, asked.Load(), answered.Load())
	t.Logf("%d requests over 3 restarts", asked.Load())
}

func TestASocketThatIsNotTheDirectorsIsRefused(t *testing.T) {
	socket, _ := kept(t)
	got := finish(t, activated(t, socket, "other.socket", "--conf", conf(t, "", "")))
	assert.Equal(t, directorcmd.ExitFailure, got.code)
	assert.Contains(t, got.sentence(t), `hands over a socket "other.socket", which the director does not know: call its unit dcvix-director.socket`)

	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "x"), Net: "unix"})
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	file, err := l.File()
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	got = finish(t, activated(t, file, "dcvix-director.socket", "--conf", conf(t, "", "")))
	assert.Contains(t, got.sentence(t), "dcvix-director.socket has to have one ListenStream= with a port")
}

// A manager is the end of NOTIFY_SOCKET that systemd has.
type manager struct {
	path string

	mu   sync.Mutex
	said strings.Builder
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{path: filepath.Join(t.TempDir(), "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for message := make([]byte, 4096); ; {
			n, err := conn.Read(message)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.said.WriteString(string(message[:n]) + "\n")
			m.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return m
}

func (m *manager) heard() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.said.String()
}

func (m *manager) await(t *testing.T, words string, times int) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Count(m.heard(), words) >= times }, 60*time.Second, 5*time.Millisecond, "%s", words)
}

func TestSystemdHearsHowTheDirectorIs(t *testing.T) {
	m := newManager(t)
	cmd := process(t, "--conf", conf(t, "", ""))
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=300000")
	r, _ := start(t, cmd)
	m.await(t, "READY=1\n", 1)
	m.await(t, "STATUS=0 agents registered, 0 waiting for approval, 0 sessions\n", 1)
	m.await(t, "WATCHDOG=1\n", 4)
	assert.NotContains(t, m.heard(), "STOPPING")
	require.NoError(t, r.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, r.cmd.Wait())
	m.await(t, "STOPPING=1\nSTATUS=stopping", 1)
	assert.Equal(t, 1, strings.Count(m.heard(), "READY=1\n"))
}

func TestADirectorThatCannotStartIsNotReady(t *testing.T) {
	m := newManager(t)
	cmd := process(t, "--conf", conf(t, "data_dir = /dev/null/x", ""))
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+m.path)
	assert.Equal(t, directorcmd.ExitFailure, finish(t, cmd).code)
	assert.Empty(t, m.heard())
}
