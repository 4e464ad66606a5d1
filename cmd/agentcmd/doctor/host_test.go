//go:build unix

package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/agentclient/agentclienttest"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/agentcmd/doctor"
	"github.com/dcvix/dcvix/cmd/internal/datadir"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
	"github.com/dcvix/dcvix/dcvcli/dcvconf"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

// TestMain makes this binary the fake dcv command when it is started under that
// name, with its state beside it.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "dcv" {
		os.Exit(dcvclitest.Main(filepath.Join(filepath.Dir(os.Args[0]), "state"), os.Args[1:], os.Stdout, os.Stderr))
	}
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // else the race detector holds every process for a second
	os.Exit(m.Run())
}

// A host is healthy: a real director, a registered agent that runs, the fake dcv
// command as a process, a listener in place of the DCV server, and its settings.
type host struct {
	t        *testing.T
	dir      string
	cfg      doctor.Config
	director *directorapitest.Server
	agent    *agentclienttest.Agent
	dcv      *dcvclitest.DCV
	lock     *datadir.Dir
	server   net.Listener
}

func newHost(t *testing.T) *host {
	t.Helper()
	return enrolled(t).host(t)
}

// An enrolment is a director and the data folder of an agent that it approved.
// Many hosts may be made of one: an approval takes seconds.
type enrolment struct {
	director *directorapitest.Server
	data     string
}

func enrolled(t *testing.T) enrolment {
	t.Helper()
	e := enrolment{director: directorapitest.NewServer(t), data: t.TempDir()}
	e.director.Agent(agentclienttest.WithStateDir(e.data)).Stop()
	return e
}

func (e enrolment) host(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, dir: t.TempDir(), director: e.director}
	require.NoError(t, os.Chmod(filepath.Dir(h.dir), 0o755), "DCV's account must get to its ca-file")
	data := h.path("data")
	var err error
	h.lock, err = datadir.Open(data, "data_dir")
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.lock.Close() })
	for file, mode := range map[string]os.FileMode{agentclient.KeyFile: 0o600, agentclient.GUIDFile: 0o644, agentclient.CertFile: 0o644, agentclient.CAFile: 0o644} {
		text, err := os.ReadFile(filepath.Join(e.data, file))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(h.path("data/"+file), text, mode))
	}
	h.agent = agentclienttest.New(t, e.director.URL, agentclienttest.WithStateDir(data))
	directorapitest.Await(t, "the agent listens", func() bool {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(h.agent.Port())), time.Second)
		if err != nil {
			return false
		}
		return conn.Close() == nil && h.agent.Status().State == agentclient.Enrolled
	})

	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, h.path("dcv")))
	h.dcv, err = dcvclitest.New(dcvclitest.Config{Dir: h.path("state")})
	require.NoError(t, err)
	h.server = h.listen()
	h.copy("data/ca.pem", "dcvix-ca.pem")
	h.write("dcv.conf", "[security]\n")
	u, err := url.Parse(h.director.URL)
	require.NoError(t, err)
	h.cfg = doctor.Config{
		File: h.path("dcvix-agent.conf"), Directors: []string{"127.0.0.1"}, DirectorPort: number(t, u.Port()), DataDir: data, BindAddress: "127.0.0.1",
		AgentPort: h.agent.Port(), DCVPath: h.path("dcv"), DCVPort: port(h.server), DCVConf: h.path("dcv.conf"), Limit: 20 * time.Second,
	}
	h.set("security", "auth-token-verifier", dcvconf.Text(h.director.URL+dcvix.PathAuthTokenVerify))
	h.set("security", "ca-file", dcvconf.Text(h.path("dcvix-ca.pem")))
	return h
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

func (h *host) write(name, text string) {
	h.t.Helper()
	require.NoError(h.t, os.WriteFile(h.path(name), []byte(text), 0o644))
}

func (h *host) copy(from, to string) {
	h.t.Helper()
	text, err := os.ReadFile(h.path(from))
	require.NoError(h.t, err)
	h.write(to, string(text))
}

func (h *host) remove(name string) {
	h.t.Helper()
	require.NoError(h.t, os.Remove(h.path(name)))
}

func (h *host) chmod(name string, mode os.FileMode) {
	h.t.Helper()
	require.NoError(h.t, os.Chmod(h.path(name), mode))
}

// set changes a setting of DCV.
func (h *host) set(section, key string, v dcvconf.Value) {
	h.t.Helper()
	s, err := dcvconf.Open(h.path("dcv.conf"))
	require.NoError(h.t, err)
	s.Set(section, key, v)
	require.NoError(h.t, s.Save())
}

func (h *host) faults(f dcvclitest.Faults) {
	h.t.Helper()
	require.NoError(h.t, h.dcv.Update(func(s *dcvclitest.State) error {
		s.Faults = f
		return nil
	}))
}

func (h *host) listen() net.Listener {
	h.t.Helper()
	l, err := (&net.ListenConfig{}).Listen(h.t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(h.t, err)
	h.t.Cleanup(func() { _ = l.Close() })
	return l
}

// later has the host's clock be ahead, and earlier behind if d is negative.
func (h *host) later(d time.Duration) { h.cfg.Now = func() time.Time { return time.Now().Add(d) } }

// stopAgent stops the agent and gives its folder free.
func (h *host) stopAgent() {
	h.t.Helper()
	h.agent.Stop()
	require.NoError(h.t, h.lock.Close())
}

// serve answers over TLS with a certificate of that CA for those names.
func (h *host) serve(authority *ca.Authority, id ca.Identity, handler http.HandlerFunc) (address string, port int) {
	h.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(h.t, err)
	chain, err := authority.SignServer(key.Public(), id)
	require.NoError(h.t, err)
	s := httptest.NewUnstartedServer(handler)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{chain[0].Raw, authority.Certificate().Raw}, PrivateKey: key}}}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.StartTLS()
	h.t.Cleanup(s.Close)
	return s.URL, s.Listener.Addr().(*net.TCPAddr).Port
}

func here() ca.Identity { return ca.Identity{CommonName: "x", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}} }

func answering(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func (h *host) ask() doctor.Report { return doctor.Run(h.t.Context(), h.cfg) }

func finding(r doctor.Report, check string) doctor.Finding {
	for _, f := range r.Findings {
		if f.Check == check {
			return f
		}
	}
	return doctor.Finding{}
}
