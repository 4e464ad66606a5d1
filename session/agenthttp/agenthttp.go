// Package agenthttp is a session.AgentCaller over HTTPS with client
// certificates: how the director speaks with its agents.
package agenthttp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/internal/links"
)

var (
	_ session.AgentCaller  = (*Caller)(nil)
	_ session.AgentDropper = (*Caller)(nil)
)

// errDropped is why a call ends whose agent is trusted no longer.
var errDropped = errors.New("the agent is no longer trusted")

const (
	defaultPort = 8446
	// maxBody bounds what an agent may answer: some thousand sessions fit.
	maxBody = 4 << 20
)

// Config says how a [Caller] reaches agents. TLS is required.
type Config struct {
	// TLS has the fleet's CA as RootCAs and presents the director's certificate.
	TLS *tls.Config

	Port int // of agents that do not say theirs; 0 means 8446
	// Dial opens connections; nil means a net.Dialer that waits 5 s.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Lookup resolves host names; nil means net.DefaultResolver.
	Lookup func(ctx context.Context, host string) ([]string, error)
}

// A Caller calls agents. It is safe for concurrent use.
type Caller struct {
	cfg       Config
	transport *http.Transport
	links     links.Set
}

// New returns a Caller.
func New(cfg Config) (*Caller, error) {
	if cfg.TLS == nil || cfg.TLS.RootCAs == nil {
		return nil, errors.New("agenthttp: Config needs TLS with RootCAs")
	}
	if cfg.Port == 0 {
		cfg.Port = defaultPort
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	if cfg.Lookup == nil {
		cfg.Lookup = net.DefaultResolver.LookupHost
	}
	c := &Caller{cfg: cfg}
	c.transport = &http.Transport{
		DialTLSContext:        c.dial,
		MaxIdleConnsPerHost:   2,
		IdleConnTimeout:       90 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
	}
	return c, nil
}

// Close closes the connections that are idle.
func (c *Caller) Close() { c.transport.CloseIdleConnections() }

// DropAgent implements [session.AgentDropper]: calls to the agent that are under
// way fail, and its connections are closed, idle or not.
func (c *Caller) DropAgent(id dcvix.AgentID) { c.links.Cut(id) }

// CreateSession implements [session.AgentCaller].
func (c *Caller) CreateSession(ctx context.Context, a session.Agent, req dcvix.AgentCreateSession) (dcvix.SessionID, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return "", fmt.Errorf("encode a request: %w", err)
	}
	var created dcvix.AgentCreatedSession
	if err := c.call(ctx, a, request{http.MethodPost, dcvix.PathSessions, body}, &created); err != nil {
		return "", err
	}
	if err := created.SessionID.Validate(); err != nil {
		return "", fmt.Errorf("%w: it created %w", session.ErrAgentFailed, err)
	}
	return created.SessionID, nil
}

// CloseSession implements [session.AgentCaller].
func (c *Caller) CloseSession(ctx context.Context, a session.Agent, owner dcvix.Username, id dcvix.SessionID) error {
	path := dcvix.Path(dcvix.PathSession, string(id)) + "?" + url.Values{"owner": {string(owner)}}.Encode()
	return c.call(ctx, a, request{http.MethodDelete, path, nil}, nil)
}

// SetConfig implements [session.AgentCaller].
func (c *Caller) SetConfig(ctx context.Context, a session.Agent, settings []dcvix.Setting) error {
	body, err := json.Marshal(dcvix.ConfigRequest{Config: settings})
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	return c.call(ctx, a, request{http.MethodPost, dcvix.PathConfig, body}, nil)
}

// Report implements [session.AgentCaller].
func (c *Caller) Report(ctx context.Context, a session.Agent) (dcvix.AgentUpdate, error) {
	var update dcvix.AgentUpdate
	err := c.call(ctx, a, request{http.MethodGet, dcvix.PathStats, nil}, &update)
	return update, err
}

type request struct {
	method, path string
	body         []byte
}

// call sends one request and decodes the answer into answer, unless that is nil.
func (c *Caller) call(ctx context.Context, a session.Agent, r request, answer any) error { // any: as encoding/json
	// The host of the URL is only a key in the transport's pool: connections of
	// one agent are never used for another, whatever name either has.
	url := "https://" + string(a.ID) + r.path
	calling, drop := context.WithCancelCause(withAgent(ctx, a))
	defer drop(nil)
	// A call is cut besides its connection, or the transport would try another one.
	defer c.links.Add(a.ID, func() { drop(errDropped) })()
	req, err := http.NewRequestWithContext(calling, r.method, url, bytes.NewReader(r.body))
	if err != nil {
		return fmt.Errorf("%w: %w", session.ErrAgentFailed, err)
	}
	req.Host = c.address(a, string(a.Hostname))
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return failure(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return failure(ctx, err)
	}
	switch {
	case resp.StatusCode == http.StatusNotFound && r.method == http.MethodDelete: // else it is no agent of ours
		return fmt.Errorf("%s: %w", r.path, session.ErrNotFound)
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated:
		return fmt.Errorf("%w: status %d: %.200q", session.ErrAgentFailed, resp.StatusCode, body)
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(body, answer); err != nil {
		if ctx.Err() != nil { // what an agent says to a caller that has left need not be whole
			return failure(ctx, ctx.Err())
		}
		return fmt.Errorf("%w: its answer is not understood: %w", session.ErrAgentFailed, err)
	}
	return nil
}

func failure(ctx context.Context, err error) error {
	var timeout net.Error
	if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("%w: %w", session.ErrAgentTimeout, err)
	}
	return fmt.Errorf("%w: %w", session.ErrAgentFailed, err)
}

type agentKey struct{}

func withAgent(ctx context.Context, a session.Agent) context.Context {
	return context.WithValue(ctx, agentKey{}, a)
}

// dial opens a connection to the agent in ctx and makes sure that it is that
// agent: the recorded name, an id of its own, and the pinned key.
func (c *Caller) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	a, ok := ctx.Value(agentKey{}).(session.Agent)
	if !ok {
		return nil, errors.New("agenthttp: dial without an agent")
	}
	ctx, drop := context.WithCancelCause(ctx)
	defer drop(nil)
	defer c.links.Add(a.ID, func() { drop(errDropped) })()
	raw, err := c.dialAny(ctx, network, a)
	if err != nil {
		return nil, err
	}
	conn := &linkedConn{Conn: raw}
	conn.forget = c.links.Add(a.ID, func() { _ = raw.Close() }) // its reader sees the end and closes conn
	if err := context.Cause(ctx); err != nil {                  // dropped before there was a connection to cut
		return nil, errors.Join(err, conn.Close())
	}
	cfg := c.cfg.TLS.Clone()
	cfg.ServerName = string(a.Hostname)
	cfg.MinVersion = tls.VersionTLS12
	cfg.InsecureSkipVerify, cfg.NextProtos = false, nil // whatever the config is used for elsewhere
	cfg.VerifyConnection = func(s tls.ConnectionState) error { return isAgent(s, a) }
	tlsConn := tls.Client(conn, cfg)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := tlsConn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("handshake with the agent of %s: %w", a.Hostname, err), conn.Close())
	}
	return tlsConn, nil
}

func isAgent(s tls.ConnectionState, a session.Agent) error {
	leaf := s.PeerCertificates[0] // verified by crypto/tls before we are asked
	if leaf.Subject.CommonName != dcvix.AgentCommonName+string(a.ID) {
		return fmt.Errorf("%.80q answers for the agent of %s", leaf.Subject.CommonName, a.Hostname)
	}
	if sha256.Sum256(leaf.RawSubjectPublicKeyInfo) != a.KeyHash {
		return fmt.Errorf("the agent of %s has another key than the pinned one", a.Hostname)
	}
	return nil
}

// dialAny tries the addresses of the agent in order.
func (c *Caller) dialAny(ctx context.Context, network string, a session.Agent) (net.Conn, error) {
	var errs []error
	for _, host := range c.addresses(ctx, a) {
		conn, err := c.cfg.Dial(ctx, network, c.address(a, host))
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	if errs == nil {
		return nil, fmt.Errorf("%s does not resolve and its agent has not been heard from", a.Hostname)
	}
	return nil, errors.Join(errs...)
}

// addresses are what the recorded name resolves to, else where the agent was
// last heard from. Names below localhost are this machine (RFC 6761, 6.3); not
// all resolvers know.
func (c *Caller) addresses(ctx context.Context, a session.Agent) []string {
	if strings.HasSuffix(string(a.Hostname), ".localhost") {
		return []string{"127.0.0.1", "::1"}
	}
	found, err := c.cfg.Lookup(ctx, string(a.Hostname))
	if err == nil && len(found) > 0 {
		return found
	}
	if a.Address != "" {
		return []string{a.Address}
	}
	return nil
}

func (c *Caller) address(a session.Agent, host string) string {
	port := a.Port
	if port == 0 {
		port = c.cfg.Port
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}
