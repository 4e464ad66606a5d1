package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/examples/examplestest"
)

// TestMain lets this binary be the dcv command too, when it is started under
// that name; its state is beside it.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "dcv" {
		os.Exit(dcvclitest.Main(filepath.Join(filepath.Dir(os.Args[0]), "state"), os.Args[1:], os.Stdout, os.Stderr))
	}
	examplestest.Main(m, main)
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}

func TestAgentServesItsDirector(t *testing.T) {
	director := directorapitest.NewServer(t)
	admin := director.AdminClient()
	dir := t.TempDir()
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, filepath.Join(dir, "dcv")))

	p := examplestest.Start(t, nil, "-director", director.URL, "-ca-fingerprint", ca.FingerprintOf(director.CA.Certificate()).String(),
		"-dir", filepath.Join(dir, "data"), "-hostname", "ws1", "-port", freePort(t), "-dcv", filepath.Join(dir, "dcv"))
	directorapitest.Await(t, "the agent is pending", func() bool { return len(director.Broker.Agents(dcvix.AgentPending)) == 1 })
	guid := director.Broker.Agents(dcvix.AgentPending)[0].ID
	require.NoError(t, admin.Approve(t.Context(), guid, dcvix.ApproveRequest{}))
	directorapitest.Await(t, "the host reports", func() bool { return len(director.Broker.Hosts()) == 1 })

	host := director.Broker.Hosts()[0]
	assert.Positive(t, host.Stats.Cores)
	assert.Contains(t, host.Tags, "example")
	alice := director.Client(directorapitest.Alice)
	opened, err := alice.CreateSession(t.Context(), dcvix.CreateSessionRequest{ServerID: "ws1", SessionType: "virtual"})
	require.NoError(t, err)
	dcv, err := dcvclitest.New(dcvclitest.Config{Dir: filepath.Join(dir, "state")})
	require.NoError(t, err)
	state, err := dcv.State()
	require.NoError(t, err)
	made, ok := state.Session(string(opened.SessionID))
	require.True(t, ok, "its dcv command made the session")
	assert.Equal(t, "alice", made.Owner)
	p.Stop()
}

func TestAgentSaysWhatIsWrong(t *testing.T) {
	p := examplestest.Start(t, nil, "-director", "nonsense")
	assert.Equal(t, 1, p.Wait())
	assert.Contains(t, p.Output(), "nonsense")
}
