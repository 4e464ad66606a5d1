package agentclienttest_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/agentclient/agentclienttest"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// newDirector signs whatever comes once approved is set.
func newDirector(t *testing.T, authority *ca.Authority, approved *atomic.Bool) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+dcvix.PathAgentRegister, func(w http.ResponseWriter, r *http.Request) {
		if !approved.Load() {
			w.WriteHeader(http.StatusForbidden)
			_ = json.NewEncoder(w).Encode(dcvix.PendingResponse{Error: dcvix.PendingApproval})
			return
		}
		var asked dcvix.RegisterRequest
		_ = json.NewDecoder(r.Body).Decode(&asked)
		csr, err := ca.ParseCSR(asked.CSR)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		chain, err := authority.SignAgent(csr, ca.Identity{CommonName: csr.CommonNames()[0], DNSNames: []string{asked.Hostname}})
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(dcvix.RegisterResponse{Certificate: string(ca.EncodePEM(chain...)), CA: string(authority.PEM())})
	})
	mux.HandleFunc("POST "+dcvix.PathAgentUpdate, func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewUnstartedServer(mux)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, Certificates: []tls.Certificate{catest.Issue(t, authority, dcvix.DirectorCommonName)}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func TestAgentOnLoopback(t *testing.T) {
	authority, approved := catest.New(t), &atomic.Bool{}
	director := newDirector(t, authority, approved)
	dir := t.TempDir()
	dcv, err := dcvclitest.New(dcvclitest.Config{})
	require.NoError(t, err)
	a := agentclienttest.New(t, director.URL, agentclienttest.WithHostname("ws7"), agentclienttest.WithDCV(dcv), agentclienttest.WithStateDir(dir))
	a.AwaitState(agentclient.Pending)
	require.NoError(t, a.GUID().Validate())
	assert.Len(t, a.Fingerprint(), 95)
	assert.Same(t, dcv, a.DCV())
	guid := a.GUID()
	a.Stop()

	approved.Store(true)
	a = agentclienttest.New(t, director.URL, agentclienttest.WithHostname("ws7"), agentclienttest.WithStateDir(dir),
		agentclienttest.WithConfig(func(c *agentclient.Config) { c.Tags = []string{"gpu"} }))
	a.AwaitReport()
	assert.Equal(t, guid, a.GUID(), "the same agent came back")
	assert.Equal(t, agentclient.Enrolled, a.Status().State)

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs:      authority.Pool(),
		ServerName:   "ws7",
		Certificates: []tls.Certificate{catest.Issue(t, authority, dcvix.DirectorCommonName)},
	}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/v1/stats", a.Port()), nil)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	var update dcvix.AgentUpdate
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&update))
	assert.Equal(t, []string{"gpu"}, update.Tags)
	assert.Equal(t, a.Port(), update.AgentPort)
}
