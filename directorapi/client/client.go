// Package client calls the HTTP API of a director, for launchers and scripts.
//
// A [Client] keeps the session cookie of one login and sends it on every call.
// It takes nothing but status 200 for success, follows no redirect and reads no
// answer without a limit; what a director refuses comes back as [*dcvix.Error],
// and what is no director at all as [ErrNotDirector]. It works with directors
// of the 0.1 generation, which say what they cannot do with
// [errors.ErrUnsupported].
//
// It decides nothing: it starts no viewer and asks nobody for a password.
package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
)

// Config says which director to call and whom to trust. URL is required.
type Config struct {
	URL string // https://host[:port][/prefix]

	CAFingerprint string      // SHA-256 of the director's CA certificate in hexadecimal, with or without colons; empty means TLS decides
	TLS           *tls.Config // nil means the system's roots and TLS 1.2 or later

	Proxy     func(*http.Request) (*url.URL, error) // nil means no proxy
	Transport http.RoundTripper                     // nil means one made of the three fields above, which must be empty otherwise
	Timeout   time.Duration                         // of one call; 0 means 60 seconds, as a director waits for agents
	MaxAnswer int64                                 // bytes of an answer; 0 means 8 MiB, where a list of 10,000 hosts has about 4 MiB
}

// A Client calls one director. It is safe for concurrent use.
type Client struct {
	base    string // without a final slash
	http    *http.Client
	timeout time.Duration
	most    int64 // bytes of an answer

	mu     sync.Mutex // guards cookie
	cookie string
}

// New returns a Client that is not logged in. It calls nothing yet.
func New(cfg Config) (*Client, error) {
	u, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	transport := cfg.Transport
	if transport == nil {
		conf, err := tlsConfig(cfg, u.Hostname())
		if err != nil {
			return nil, err
		}
		transport = &http.Transport{
			TLSClientConfig:     conf,
			Proxy:               cfg.Proxy,
			ForceAttemptHTTP2:   true,
			TLSHandshakeTimeout: 10 * time.Second,
			IdleConnTimeout:     90 * time.Second,
		}
	} else if cfg.TLS != nil || cfg.CAFingerprint != "" || cfg.Proxy != nil {
		return nil, errors.New("client: Config has a Transport besides TLS, CAFingerprint or Proxy: the transport would ignore them")
	}
	return &Client{
		base: u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/"),
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		timeout: cmp.Or(cfg.Timeout, time.Minute),
		most:    cmp.Or(cfg.MaxAnswer, 8<<20),
	}, nil
}

// Close forgets the login and closes connections that are not in use. The
// director is not told; see [Client.Logout].
func (c *Client) Close() {
	c.setCookie("")
	c.http.CloseIdleConnections()
}

// URL returns the address of the director without a final slash.
func (c *Client) URL() string { return c.base }

// LoggedIn reports whether the client holds the cookie of a login. The director
// may have ended it meanwhile.
func (c *Client) LoggedIn() bool { return c.cookieValue() != "" }

// parseURL refuses everything but https, because passwords travel over it.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return nil, errors.New("the director's URL is empty: write https://host:8445")
	case err != nil:
		return nil, fmt.Errorf("the director's URL %.200q cannot be read: write https://host:8445", raw)
	case u.Scheme != "https":
		return nil, fmt.Errorf("the director's URL %.200q is not https: write https://host:8445", u.Redacted())
	case u.Hostname() == "":
		return nil, fmt.Errorf("the director's URL %.200q names no host: write https://host:8445", u.Redacted())
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return nil, fmt.Errorf("the director's URL %.200q has more than host, port and path: write https://host:8445", u.Redacted())
	}
	return u, nil
}

// A call is one request. The answer is read into out, which may be nil.
type call struct {
	method string
	path   string // with its query
	body   any    // any, because it goes to encoding/json; nil means none
	out    any    // likewise, a pointer; *string takes the text as it is, nil drops it
	new    bool   // directors of the 0.1 generation do not know it
	things bool   // a 404 means the thing and not the path, also to a GET
}

// do sends a call and returns the header of a successful answer.
func (c *Client) do(ctx context.Context, call call) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := c.request(ctx, call)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.transportError(ctx, err)
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(io.LimitReader(res.Body, c.most+1))
	switch {
	case err != nil:
		return nil, c.transportError(ctx, err)
	case int64(len(body)) > c.most:
		return nil, c.notDirector(fmt.Sprintf("its answer is larger than %d bytes", c.most))
	}
	if err := c.check(call, res, body); err != nil {
		return nil, err
	}
	return res.Header, c.decode(call, body)
}

func (c *Client) request(ctx context.Context, call call) (*http.Request, error) {
	var body io.Reader
	if call.body != nil {
		encoded, err := json.Marshal(call.body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, call.method, c.base+call.path, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept", "application/problem+json, application/json")
	req.Header.Set("User-Agent", "dcvix/"+dcvix.Version)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if cookie := c.cookieValue(); cookie != "" {
		req.AddCookie(&http.Cookie{Name: dcvix.CookieName, Value: cookie}) //nolint:gosec // attributes belong to answers
	}
	return req, nil
}

// check turns everything but an answer of a director with status 200 into an
// error.
func (c *Client) check(call call, res *http.Response, body []byte) error {
	html := isHTML(res.Header, body)
	switch {
	case call.new && unknownPath(call, res.StatusCode, html):
		return fmt.Errorf("the director is too old for this: %w", errors.ErrUnsupported)
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return c.notDirector("it redirects to another address")
	case res.StatusCode != http.StatusOK:
		return answerError(res, body, html)
	case html:
		return c.notDirector("it answers with a web page")
	}
	return nil
}

// unknownPath reports whether the director does not know the path: one of the
// 0.1 generation answers with its web page. A 404 to anything but GET may mean
// the thing and not the path.
func unknownPath(call call, status int, html bool) bool {
	switch status {
	case http.StatusOK:
		return html
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return call.method == http.MethodGet && (!call.things || status != http.StatusNotFound)
	default:
		return false
	}
}

func (c *Client) decode(call call, body []byte) error {
	switch out := call.out.(type) {
	case nil:
		return nil
	case *string:
		*out = string(body)
		return nil
	default:
		if err := json.Unmarshal(body, out); err != nil {
			return c.notDirector("its answer cannot be read")
		}
		return nil
	}
}

func (c *Client) cookieValue() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cookie
}

func (c *Client) setCookie(value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cookie = value
}

// checkSegment refuses an id that would name another path than that of a thing.
func checkSegment(id string) error {
	if id == "" || id == "." || id == ".." {
		return &dcvix.Error{Code: dcvix.CodeBadRequest, Status: http.StatusBadRequest, Message: fmt.Sprintf("%q is no id", id)}
	}
	return nil
}

// query appends the parameters that are not empty.
func query(path string, params ...[2]string) string {
	values := url.Values{}
	for _, p := range params {
		if p[1] != "" {
			values.Add(p[0], p[1])
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}
