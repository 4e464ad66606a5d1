//go:build unix

package agentcmd_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/cmd/directorcmd"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// A host is a DCV host beside a real director: an agent's configuration, a fake
// dcv command, something that listens as the DCV server does, and a dcv.conf.
type host struct {
	t        *testing.T
	dir      string // holds director.conf, dcvix-agent.conf, dcv, dcv.conf
	director string // its port
	agent    *exec.Cmd
	dcv      *dcvclitest.DCV
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, dir: t.TempDir()}
	h.startDirector()
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, h.path("dcv")))
	h.dcv, err = dcvclitest.New(dcvclitest.Config{Dir: h.path("state")})
	require.NoError(t, err)
	server, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	require.NoError(t, os.Mkdir(h.path("etc"), 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(h.dir), 0o755), "DCV's account must get to its ca-file")
	h.write("etc/dcv.conf", "# settings of DCV\n[session-management]\n#create-session=true\n\n[security]\n#auth-token-verifier=\"\"\n")
	h.write("dcvix-agent.conf", fmt.Sprintf("[agent]\ndirector_host = localhost\ndirector_port = %s\ndata_dir = data\nbind_address = 127.0.0.1\n"+
		"agent_port = %d\nhostname = ws1\ndcv_path = dcv\ndcv_port = %d\nupdate_interval = 1s\n",
		h.director, freePort(t), server.Addr().(*net.TCPAddr).Port))
	return h
}

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

func (h *host) write(name, text string) {
	h.t.Helper()
	require.NoError(h.t, os.WriteFile(h.path(name), []byte(text), 0o644))
}

func (h *host) read(name string) string {
	h.t.Helper()
	text, err := os.ReadFile(h.path(name))
	require.NoError(h.t, err)
	return string(text)
}

func (h *host) startDirector() {
	h.t.Helper()
	h.write("director.conf", "[director]\ndirector_host = 127.0.0.1\ndirector_port = 0\nauth_type = external\ndata_dir = director\n[external_auth]\nexternal_command = /bin/true\n")
	said := &buffer{}
	ctx, stop := context.WithCancel(context.WithoutCancel(h.t.Context()))
	ended := make(chan int, 1)
	go func() {
		ended <- directorcmd.Run(ctx, directorcmd.Options{Args: []string{"--conf", h.path("director.conf")}, Environ: []string{}, Stderr: said})
	}()
	h.t.Cleanup(func() {
		stop()
		assert.Zero(h.t, <-ended, "%s", said)
	})
	await(h.t, said, "director started")
	h.director = regexp.MustCompile(`address=127.0.0.1:(\d+)`).FindStringSubmatch(said.String())[1]
}

// run is the agent's program with the host's configuration, to its end.
func (h *host) run(args ...string) result {
	h.t.Helper()
	return finish(h.t, process(h.t, append(args, "--conf", h.path("dcvix-agent.conf"))...))
}

func (h *host) setup(args ...string) result {
	h.t.Helper()
	return h.run(append([]string{"setup-dcv", "--dcv-conf", h.path("etc/dcv.conf")}, args...)...)
}

func (h *host) doctor(args ...string) result {
	h.t.Helper()
	return h.run(append([]string{"doctor", "--dcv-conf", h.path("etc/dcv.conf")}, args...)...)
}

// startAgent starts the agent and waits until its log has the text.
func (h *host) startAgent(text string) {
	h.t.Helper()
	h.agent = process(h.t, "--conf", h.path("dcvix-agent.conf"))
	start(h.t, h.agent, text)
}

// approve is what the admin types.
func (h *host) approve() {
	h.t.Helper()
	guid := strings.TrimSpace(h.read("data/" + agentclient.GUIDFile))
	out := &buffer{}
	require.Zero(h.t, directorcmd.Run(h.t.Context(), directorcmd.Options{
		Args: []string{"--conf", h.path("director.conf"), "agents", "approve", guid}, Environ: []string{}, Stdout: out, Stderr: out,
	}), "%s", out)
}

// enrol starts the agent and has it approved.
func (h *host) enrol() {
	h.t.Helper()
	h.startAgent("waiting for an admin")
	h.approve()
	h.awaitListening()
}

// awaitListening waits until the agent is registered and listens.
func (h *host) awaitListening() {
	h.t.Helper()
	const patience, tick = 20 * time.Second, 5 * time.Millisecond
	require.Eventually(h.t, func() bool {
		_, err := os.Stat(h.path("data/" + agentclient.CertFile))
		if err != nil {
			return false
		}
		port := regexp.MustCompile(`agent_port = (\d+)`).FindStringSubmatch(h.read("dcvix-agent.conf"))[1]
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, patience, tick)
}
