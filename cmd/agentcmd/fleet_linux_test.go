package agentcmd_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/directorcmd"
	"github.com/dcvix/dcvix/directorapi/client"
)

// fleetHost is the name of the one host, which every resolver takes for this machine.
const fleetHost = "ws1.localhost"

// A fleet is a real director, for agents that come as packages or as programs of
// another system.
type fleet struct {
	agentPort   int // where the agent is to listen
	port        string
	fingerprint string // of the CA
	admin       *client.Client
	said        *buffer
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	dir := t.TempDir()
	f := &fleet{agentPort: freePort(t), said: &buffer{}}
	for name, text := range map[string]string{
		"dcvix-director.conf": fmt.Sprintf("[director]\ndirector_host = 127.0.0.1\ndirector_port = 0\nagent_port = %d\nauth_type = external\ndata_dir = data\npolicydb_folder = .\n"+
			"[external_auth]\nexternal_command = /bin/true\n", f.agentPort),
		"users.json": `[{"id": "alice", "workstations": ["` + fleetHost + `"]}, {"id": "admin", "admin": true}]`,
		"pools.json": "[]",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan int, 1)
	go func() {
		ended <- directorcmd.Run(ctx, directorcmd.Options{Args: []string{"--conf", filepath.Join(dir, "dcvix-director.conf")}, Environ: []string{}, Stderr: f.said})
	}()
	t.Cleanup(func() {
		stop()
		assert.Zero(t, <-ended, "%s", f.said)
	})
	await(t, f.said, "director started")
	started := regexp.MustCompile(`address=127.0.0.1:(\d+) .*ca_fingerprint=(\S+)`).FindStringSubmatch(f.said.String())
	require.NotNil(t, started, "%s", f.said)
	f.port, f.fingerprint = started[1], started[2]
	f.admin = f.client(t, filepath.Join(dir, "data", "ca.pem"))
	require.NoError(t, f.admin.AdminLogin(t.Context(), dcvix.LoginRequest{UserID: "admin", Password: "x"}))
	return f
}

func (f *fleet) client(t *testing.T, caFile string) *client.Client {
	t.Helper()
	pem, err := os.ReadFile(caFile)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	c, err := client.New(client.Config{URL: "https://localhost:" + f.port, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// lines are what an agent's configuration needs to be the host of this fleet.
func (f *fleet) lines() string {
	return fmt.Sprintf("director_host = localhost\ndirector_port = %s\nca_fingerprint = %s\nagent_port = %d\nbind_address = 127.0.0.1\nhostname = %s\nupdate_interval = 1\n",
		f.port, f.fingerprint, f.agentPort, fleetHost)
}

// approve takes the agent that waits.
func (f *fleet) approve(t *testing.T) dcvix.AgentID {
	t.Helper()
	var waiting []dcvix.Agent
	require.Eventually(t, func() bool {
		var err error
		waiting, err = f.admin.Agents(t.Context(), dcvix.AgentPending)
		return err == nil && len(waiting) == 1
	}, time.Minute, 50*time.Millisecond, "no agent asked: %s", f.said)
	require.NoError(t, f.admin.Approve(t.Context(), waiting[0].GUID, dcvix.ApproveRequest{}))
	return waiting[0].GUID
}

// report waits for the next report of the host.
func (f *fleet) report(t *testing.T) dcvix.Server {
	t.Helper()
	from := time.Now()
	var hosts []dcvix.Server
	require.Eventually(t, func() bool {
		var err error
		hosts, err = f.admin.Hosts(t.Context())
		return err == nil && len(hosts) == 1 && hosts[0].LastSeen.After(from)
	}, time.Minute, 50*time.Millisecond, "the host does not report: %s", f.said)
	return hosts[0]
}

// openAndClose has the director start a session on the host and end it.
func (f *fleet) openAndClose(t *testing.T) {
	t.Helper()
	made, err := f.admin.AdminCreateSession(t.Context(), dcvix.CreateSessionRequest{ServerID: fleetHost, SessionType: "console", UserID: "alice"})
	require.NoError(t, err, "%s", f.said)
	sessions, err := f.admin.Sessions(t.Context())
	require.NoError(t, err)
	require.Len(t, sessions, 1)
	assert.Equal(t, made.SessionID, sessions[0].ID)
	require.NoError(t, f.admin.CloseSession(t.Context(), made.SessionID, fleetHost))
}
