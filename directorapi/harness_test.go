package directorapi_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

// A reply is an answer of the director, already checked against openapi.yaml.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) json(t *testing.T, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(r.body), into), "%s", r.body)
}

// A caller sends requests by hand, as clients in the field do.
type caller struct {
	director *directorapitest.Server
	http     *http.Client
	cookie   string
	header   map[string]string
}

func anybody(s *directorapitest.Server) *caller {
	return &caller{director: s, http: &http.Client{Transport: &http.Transport{TLSClientConfig: s.TLS(), DisableKeepAlives: true}}}
}

func loggedIn(t *testing.T, s *directorapitest.Server, path, user string) *caller {
	t.Helper()
	c := anybody(s)
	r := c.post(t, path, dcvix.LoginRequest{UserID: user, Password: directorapitest.Password})
	require.Equal(t, http.StatusOK, r.status, r.body)
	cookie, err := http.ParseSetCookie(r.header.Get("Set-Cookie"))
	require.NoError(t, err)
	c.cookie = cookie.Value
	return c
}

func (c *caller) get(t *testing.T, path string) reply {
	t.Helper()
	return c.send(t, http.MethodGet, path, nil)
}

func (c *caller) post(t *testing.T, path string, body any) reply {
	t.Helper()
	return c.send(t, http.MethodPost, path, directorapitest.JSON(t, body))
}

func (c *caller) send(t *testing.T, method, path string, body []byte) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.director.URL+path, bytes.NewReader(body))
	require.NoError(t, err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.cookie != "" {
		req.AddCookie(&http.Cookie{Name: dcvix.CookieName, Value: c.cookie})
	}
	for k, v := range c.header {
		req.Header.Set(k, v)
	}
	resp, err := c.http.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	answer := io.Reader(resp.Body)
	if resp.Header.Get("Content-Type") == "text/event-stream" {
		answer = io.LimitReader(answer, 1) // it goes on
	}
	text, err := io.ReadAll(answer)
	require.NoError(t, err)
	conforms(t, req, resp, text)
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// conforms checks an answer against openapi.yaml, if its path is in there.
func conforms(t *testing.T, req *http.Request, resp *http.Response, body []byte) {
	t.Helper()
	normal := req.Clone(context.Background())
	normal.URL.Path = strings.TrimSuffix(normal.URL.Path, "/")
	normal.URL.Scheme, normal.URL.Host = "", ""
	route, params, err := specRouter().FindRoute(normal)
	if err != nil {
		return
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: normal, PathParams: params, Route: route},
		Status:                 resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(body)),
	})
	require.NoError(t, err, "%s %s answered %d what openapi.yaml does not say: %s", req.Method, req.URL.Path, resp.StatusCode, body)
}

var spec = sync.OnceValues(func() (*openapi3.T, error) {
	data, err := os.ReadFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
})

var specRouter = sync.OnceValue(func() routers.Router {
	doc, err := spec()
	if err != nil {
		panic(err)
	}
	r, err := gorillamux.NewRouter(doc)
	if err != nil {
		panic(err)
	}
	return r
})

// A host is an agent reduced to what it sends.
type host struct {
	director *directorapitest.Server
	key      crypto.Signer
	guid     dcvix.AgentID
	name     string
	token    string
	cert     *tls.Certificate
}

func newHost(t *testing.T, s *directorapitest.Server, name string) *host {
	t.Helper()
	return &host{director: s, key: newKey(t), guid: dcvix.AgentID(uuid.NewString()), name: name}
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return key
}

func (h *host) csr(t *testing.T, dnsNames ...string) []byte {
	t.Helper()
	der, err := ca.NewCSR(h.key, ca.Identity{CommonName: dcvix.AgentCommonName + string(h.guid), DNSNames: dnsNames})
	require.NoError(t, err)
	return der
}

// register asks for a certificate and keeps it when there is one.
func (h *host) register(t *testing.T, dnsNames ...string) reply {
	t.Helper()
	r := anybody(h.director).post(t, dcvix.PathAgentRegister, dcvix.RegisterRequest{
		CSR: h.csr(t, dnsNames...), GUID: h.guid, Hostname: h.name, RegistrationToken: h.token,
	})
	if r.status == http.StatusOK {
		var answer dcvix.RegisterResponse
		r.json(t, &answer)
		h.keep(t, answer.Certificate)
	}
	return r
}

func (h *host) keep(t *testing.T, certificate string) {
	t.Helper()
	chain, err := ca.ParseCerts([]byte(certificate))
	require.NoError(t, err)
	h.cert = &tls.Certificate{Certificate: [][]byte{chain[0].Raw}, PrivateKey: h.key, Leaf: chain[0]}
}

// caller returns a caller that shows the host's certificate.
func (h *host) caller() *caller {
	c := anybody(h.director)
	cfg := h.director.TLS()
	cfg.Certificates = []tls.Certificate{*h.cert}
	c.http.Transport = &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}
	return c
}

func (h *host) report(t *testing.T, sessions ...dcvix.Session) reply {
	t.Helper()
	if sessions == nil {
		sessions = []dcvix.Session{}
	}
	return h.caller().post(t, dcvix.PathAgentUpdate, dcvix.AgentUpdate{
		Sessions: sessions, Stats: dcvix.Stats{Hostname: h.name, Cores: 8}, Tags: []string{"gpu"},
	})
}

// approved registers a host and lets an admin approve it.
func approved(t *testing.T, s *directorapitest.Server, name string) *host {
	t.Helper()
	h := newHost(t, s, name)
	require.Equal(t, http.StatusForbidden, h.register(t).status)
	require.NoError(t, s.AdminClient().Approve(t.Context(), h.guid, dcvix.ApproveRequest{}))
	r := h.register(t)
	require.Equal(t, http.StatusOK, r.status, r.body)
	return h
}

func agentOf(t *testing.T, s *directorapitest.Server, id dcvix.AgentID) dcvix.Agent {
	t.Helper()
	all, err := s.AdminClient().Agents(t.Context(), "")
	require.NoError(t, err)
	for _, a := range all {
		if a.GUID == id {
			return a
		}
	}
	t.Fatalf("agent %s is not in the register", id)
	return dcvix.Agent{}
}
