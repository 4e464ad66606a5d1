package standalone_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/standalone"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sqlite"
)

// fleetSize is the fleet that one director is made for.
const fleetSize = 10_000

// quiet are options of a director that is measured.
func quiet() standalone.Options {
	return standalone.Options{
		Authenticator: authtest.Static{Passwords: map[dcvix.Username]auth.Secret{"alice": password}},
		Logger:        slog.New(slog.DiscardHandler),
	}
}

// An asker is an agent reduced to its request for a certificate.
type asker struct {
	agent session.Agent
	body  []byte
}

func newAsker(tb testing.TB, i int, state dcvix.AgentState) asker {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	id := dcvix.AgentID(uuid.NewString())
	host := fmt.Sprintf("ws%05d.lab.example", i)
	csr, err := ca.NewCSR(key, ca.Identity{CommonName: dcvix.AgentCommonName + string(id), DNSNames: []string{host}})
	require.NoError(tb, err)
	body, err := json.Marshal(dcvix.RegisterRequest{CSR: csr, GUID: id, Hostname: host})
	require.NoError(tb, err)
	return asker{session.Agent{
		ID: id, State: state, KeyHash: keyHash(tb, key.Public()), Hostname: dcvix.Hostname(host), Address: "10.0.0.1", Serial: "0a0b0c",
		CreatedAt: time.Now(), RegisteredAt: time.Now(), LastSeenAt: time.Now(),
	}, body}
}

func keyHash(tb testing.TB, key crypto.PublicKey) session.KeyHash {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(tb, err)
	return sha256.Sum256(der)
}

// seed writes agents into the database of a director that does not run yet.
func seed(tb testing.TB, dir string, askers []asker) {
	tb.Helper()
	store, err := sqlite.Open(tb.Context(), filepath.Join(dir, standalone.DatabaseFile), nil)
	require.NoError(tb, err)
	ids := make([]dcvix.AgentID, len(askers))
	for i, a := range askers {
		ids[i] = a.agent.ID
	}
	require.NoError(tb, store.ChangeAgents(tb.Context(), func(agents []*session.Agent) error {
		for i := range agents {
			agents[i] = &askers[i].agent
		}
		return nil
	}, ids...))
	require.NoError(tb, store.Close())
}

func newAskers(tb testing.TB, n int, state dcvix.AgentState) []asker {
	tb.Helper()
	all := make([]asker, n)
	for i := range all {
		all[i] = newAsker(tb, i, state)
	}
	return all
}

func startBench(b *testing.B, dir string) *standalone.Server {
	b.Helper()
	s, err := standalone.Open(b.Context(), dir, quiet())
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	return s
}

func (a asker) ask(b *testing.B, s *standalone.Server, want int) {
	req := httptest.NewRequestWithContext(b.Context(), http.MethodPost, dcvix.PathAgentRegister, bytes.NewReader(a.body))
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Agents().ServeHTTP(w, req)
	if w.Code != want {
		b.Error(w.Code, w.Body)
	}
}

// A certificate for an agent that asks again: request read, its signature checked,
// signed, in the database and in the audit with full synchronisation, as many
// agents at once as come after an outage.
func BenchmarkCertify(b *testing.B) {
	dir := b.TempDir()
	askers := newAskers(b, 1000, dcvix.AgentRegistered)
	seed(b, dir, askers)
	s := startBench(b, dir)
	var next atomic.Int64
	b.SetParallelism(64)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			askers[int(next.Add(1))%len(askers)].ask(b, s, http.StatusOK)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "certificates/s")
}

// An agent that waits and asks again.
func BenchmarkPendingAsksAgain(b *testing.B) {
	dir := b.TempDir()
	askers := newAskers(b, 1, dcvix.AgentPending)
	seed(b, dir, askers)
	s := startBench(b, dir)
	b.ReportAllocs()
	for b.Loop() {
		askers[0].ask(b, s, http.StatusForbidden)
	}
}

// An unknown agent is noted, in the database and in the audit, many at once.
func BenchmarkNewcomer(b *testing.B) {
	opts := quiet()
	opts.PendingMax, opts.PendingPerAddress = 100_000_000, 100_000_000
	s, err := standalone.Open(b.Context(), b.TempDir(), opts)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	askers := newAskers(b, b.N, dcvix.AgentPending)
	var next atomic.Int64
	b.SetParallelism(64)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			askers[next.Add(1)-1].ask(b, s, http.StatusForbidden)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "agents/s")
}

func fleetFolder(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	seed(b, dir, newAskers(b, fleetSize, dcvix.AgentRegistered))
	policy := filepath.Join(dir, standalone.PolicyFolder)
	require.NoError(b, os.MkdirAll(policy, 0o700))
	require.NoError(b, os.WriteFile(filepath.Join(policy, session.UsersFile), []byte(`[{"id":"alice","admin":true}]`), 0o600))
	return dir
}

// The list of all agents of a fleet of 10,000, as an admin's page gets it.
func BenchmarkListAgents(b *testing.B) {
	s := startBench(b, fleetFolder(b))
	login := httptest.NewRequestWithContext(b.Context(), http.MethodPost, dcvix.PathAdminLogin, bytes.NewReader([]byte(`{"userID":"alice","password":"`+password+`"}`)))
	login.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, login)
	require.Equal(b, http.StatusOK, w.Code, w.Body)
	cookie, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, dcvix.PathAdminAgents, nil)
		req.AddCookie(cookie)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		if w.Code != http.StatusOK || w.Body.Len() < fleetSize*100 {
			b.Fatal(w.Code, w.Body.Len())
		}
	}
}

// The start of a director with 10,000 registered agents, until it can answer.
func BenchmarkStart(b *testing.B) {
	dir := fleetFolder(b)
	require.NoError(b, startBench(b, dir).Close()) // makes the CA and the other keys
	b.ReportAllocs()
	for b.Loop() {
		s, err := standalone.Open(b.Context(), dir, quiet())
		require.NoError(b, err)
		b.StopTimer()
		require.Len(b, s.Broker().Agents(dcvix.AgentRegistered), fleetSize)
		require.NoError(b, s.Close())
		b.StartTimer()
	}
}
