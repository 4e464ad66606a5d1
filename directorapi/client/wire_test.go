package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/client"
)

// authority is a CA for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return authority{cert, key}
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// leaf returns a server certificate; change may spoil it.
func (a authority) leaf(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: dcvix.DirectorCommonName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"director.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}
}

// serve starts a TLS server with the given certificate chain.
func serve(t *testing.T, cert tls.Certificate, h http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(t.Output(), "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// director serves h and returns a client that trusts it.
func director(t *testing.T, h http.Handler) *client.Client {
	t.Helper()
	ca := newAuthority(t, "test CA")
	srv := serve(t, ca.leaf(t, nil), h)
	c, err := client.New(client.Config{URL: srv.URL, TLS: &tls.Config{RootCAs: ca.pool(), MinVersion: tls.VersionTLS12}})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

const goodGUID = "7d3f2a90-58f1-4b6e-9c3d-0a1b2c3d4e5f"

// wire speaks the rows of the contract. With old it is like a director of the
// 0.1 generation.
func wire(t *testing.T, old bool) http.Handler {
	mux := http.NewServeMux()
	page := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, "<!doctype html><title>director 0.1</title>")
	}
	refuse := func(w http.ResponseWriter, r *http.Request, code dcvix.ErrorCode, p dcvix.Problem) {
		w.Header().Set("X-Request-Id", "req-1")
		if old || !strings.Contains(r.Header.Get("Accept"), "json") {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(p.Status)
			_, _ = fmt.Fprint(w, p.Detail)
			return
		}
		p.Type, p.Instance = dcvix.ProblemTypePrefix+string(code), "req-1"
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(p.Status)
		answer(t, w, p)
	}
	user := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if cookie, err := r.Cookie(dcvix.CookieName); err != nil || cookie.Value != "v4.local.good" {
				refuse(w, r, dcvix.CodeUnauthenticated, dcvix.Problem{Status: 401, Detail: "Log in first."})
				return
			}
			h(w, r)
		}
	}
	login := func(w http.ResponseWriter, r *http.Request) {
		var req dcvix.LoginRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || r.Header.Get("Content-Type") != "application/json" {
			refuse(w, r, dcvix.CodeBadRequest, dcvix.Problem{Status: 400, Detail: "Malformed."})
			return
		}
		switch {
		case req.Password != "good":
			refuse(w, r, dcvix.CodeUnauthenticated, dcvix.Problem{Status: 401, Detail: "User, password or code is wrong."})
		case req.UserID == "otto" && (req.OTP != "123456" || req.Challenge != "sealed"):
			refuse(w, r, dcvix.CodeOTPRequired, dcvix.Problem{Status: 401, Detail: "One more step.", Prompt: "Code from\nyour phone", Challenge: "sealed"})
		default:
			http.SetCookie(w, &http.Cookie{Name: dcvix.CookieName, Value: "v4.local.good", HttpOnly: true, Secure: true, Path: "/"})
			answer(t, w, struct{}{})
		}
	}
	health := dcvix.Health{Status: "healthy"}
	if !old {
		health.Protocol, health.Version = dcvix.ProtocolVersion, "test"
		mux.HandleFunc("GET /v1/user/login", func(w http.ResponseWriter, _ *http.Request) { answer(t, w, dcvix.LoginOptions{OTP: dcvix.OTPOptional}) })
		mux.HandleFunc("GET /v1/ca", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-pem-file")
			_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: []byte("der")})
		})
		mux.HandleFunc("GET /v1/user/sessions", user(func(w http.ResponseWriter, _ *http.Request) {
			answer(t, w, []dcvix.Session{{ID: "dcvix_1", Owner: "alice", ServerID: "ws1", Type: dcvix.SessionConsole}})
		}))
		mux.HandleFunc("POST /v1/admin/agents/{guid}/reactivate", user(func(w http.ResponseWriter, r *http.Request) {
			refuse(w, r, dcvix.CodeNotFound, dcvix.Problem{Status: 404, Detail: "No such agent."})
		}))
	}
	mux.HandleFunc("GET /v1/health", func(w http.ResponseWriter, _ *http.Request) { answer(t, w, health) })
	mux.HandleFunc("POST /v1/user/login", login)
	mux.HandleFunc("POST /v1/admin/login", login)
	mux.HandleFunc("POST /v1/logout", user(func(http.ResponseWriter, *http.Request) {}))
	mux.HandleFunc("GET /v1/user/servers", user(func(w http.ResponseWriter, _ *http.Request) {
		answer(t, w, dcvix.ServersResponse{Servers: []string{"ws1", "ws2"}})
	}))
	create := func(w http.ResponseWriter, r *http.Request) {
		var req dcvix.CreateSessionRequest
		_ = json.NewDecoder(r.Body).Decode(&req)
		if req.ServerID == "ws9" {
			refuse(w, r, dcvix.CodeConflict, dcvix.Problem{Status: 409, Detail: "ws9 already has a console session of another user."})
			return
		}
		res := dcvix.CreateSessionResponse{SessionID: "dcvix_" + dcvix.SessionID(req.ServerID)}
		if !old {
			res.ServerID, res.SessionType = dcvix.Hostname(req.ServerID), dcvix.SessionType(req.SessionType)
		}
		answer(t, w, res)
	}
	mux.HandleFunc("POST /v1/user/sessions", user(create))
	mux.HandleFunc("POST /v1/sessions", user(create))
	mux.HandleFunc("GET /v1/user/connectiontoken", user(func(w http.ResponseWriter, r *http.Request) {
		res := dcvix.ConnectionTokenResponse{Token: "tok-" + r.URL.Query().Get("sessionId") + "-" + r.URL.Query().Get("serverId")}
		if !old {
			res.Host, res.Port = "gw.example", 443
		}
		answer(t, w, res)
	}))
	mux.HandleFunc("DELETE /v1/sessions/{id}", user(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.PathValue("id") == "a/b c":
			answer(t, w, dcvix.CloseSessionResponse{Status: "success", Code: 200, Message: r.URL.RawQuery})
		case old:
			answer(t, w, dcvix.CloseSessionResponse{Status: "error", Code: 500, Message: "agent said no"})
		default:
			refuse(w, r, dcvix.CodeAgentFailed, dcvix.Problem{Status: 502, Detail: "agent said no"})
		}
	}))
	mux.HandleFunc("GET /v1/sessions", user(func(w http.ResponseWriter, _ *http.Request) { answer(t, w, []dcvix.Session{{ID: "console"}}) }))
	mux.HandleFunc("GET /v1/servers", user(func(w http.ResponseWriter, _ *http.Request) {
		answer(t, w, []dcvix.Server{{Stats: dcvix.Stats{Hostname: "ws1"}}})
	}))
	mux.HandleFunc("GET /v1/admin/agents", user(func(w http.ResponseWriter, r *http.Request) {
		answer(t, w, []dcvix.Agent{{GUID: goodGUID, State: dcvix.AgentState(r.URL.Query().Get("state"))}})
	}))
	mux.HandleFunc("POST /v1/admin/agents/{guid}/{act}", user(func(w http.ResponseWriter, r *http.Request) {
		var req dcvix.ApproveRequest
		_ = json.NewDecoder(r.Body).Decode(&req)
		switch {
		case r.PathValue("act") == "reactivate":
			page(w) // only reached when old
		case r.PathValue("act") == "approve" && !req.Replace:
			refuse(w, r, dcvix.CodeConflict, dcvix.Problem{Status: 409, Detail: "Another agent holds the name."})
		default:
			answer(t, w, struct{}{})
		}
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); old && pattern == "" {
			page(w)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func answer(t *testing.T, w http.ResponseWriter, v any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	if err := json.NewEncoder(w).Encode(v); err != nil {
		t.Errorf("answer: %v", err)
	}
}
