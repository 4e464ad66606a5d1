package main

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient/agentclienttest"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/examples/examplestest"
)

func TestMain(m *testing.M) { examplestest.Main(m, main) }

const password = "looking-glass"

func TestPeopleComeThroughThePortalAndAgentsByTheirDoor(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "policydb"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "policydb", "users.json"),
		[]byte(`[{"id": "alice", "workstations": ["ws1"]}, {"id": "root", "admin": true}]`), 0o600))
	p := examplestest.Start(t, []string{"PORTAL_PASSWORD=" + password}, "-portal", "127.0.0.1:0", "-agents", "127.0.0.1:0", "-dir", dir)
	at := p.Await(`people at (https://\S+/desktops)/, agents at (https://\S+)`)
	authority, err := ca.Open(dir, ca.Config{})
	require.NoError(t, err)
	person := func() *client.Client {
		c, err := client.New(client.Config{URL: at[1], TLS: &tls.Config{RootCAs: authority.Pool()}})
		require.NoError(t, err)
		t.Cleanup(c.Close)
		return c
	}

	admin := person()
	require.NoError(t, admin.AdminLogin(t.Context(), dcvix.LoginRequest{UserID: "root", Password: password}))
	agent := agentclienttest.New(t, at[2])
	directorapitest.Await(t, "the agent is pending", func() bool {
		pending, err := admin.Agents(t.Context(), dcvix.AgentPending)
		require.NoError(t, err)
		return len(pending) == 1 && pending[0].GUID == agent.GUID()
	})
	require.NoError(t, admin.Approve(t.Context(), agent.GUID(), dcvix.ApproveRequest{}))
	agent.AwaitReport()

	alice := person()
	require.Error(t, alice.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: "something"}))
	require.NoError(t, alice.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password}))
	opened, err := alice.CreateSession(t.Context(), dcvix.CreateSessionRequest{ServerID: "ws1", SessionType: "virtual"})
	require.NoError(t, err)
	assert.EqualValues(t, "ws1", opened.ServerID)

	agent.Stop()
	p.Stop()
	assert.NotContains(t, p.Output(), password)
}
