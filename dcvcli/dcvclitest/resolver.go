package dcvclitest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The transports that a gateway asks for.
const (
	TransportHTTP = "HTTP"
	TransportQUIC = "QUIC"
)

// ErrUnresolved is what [Resolver.Resolve] wraps when the resolver knows no such
// session: it answered with 404.
var ErrUnresolved = errors.New("the resolver knows no such session")

// A Resolver asks a session resolver where a session is, as DCV Connection
// Gateway does (Connection Gateway Administrator Guide, "Session resolver"). URL
// is required. It is safe for concurrent use.
type Resolver struct {
	URL         string           // [resolver] url: https or http, a DNS name, with or without a path
	CA          *x509.CertPool   // ca-file: who may sign its certificate; nil means the system's
	Certificate *tls.Certificate // cert-file and cert-key-file, for a resolver that asks for one; nil means none
	NoTLSStrict bool             // the opposite of tls-strict: believe any certificate
	Timeout     time.Duration    // of one question; 0 means 10 s, the default of http-establish-timeout
}

// A Resolution is where a session is.
type Resolution struct {
	SessionID         string // may be another one than was asked for
	TransportProtocol string // the one that was asked for
	DcvServerEndpoint string // a name or an address
	Port              int
	WebURLPath        string // starts with "/"
}

// Resolve asks where a session is, for a transport and, unless it is the zero
// value, with the address of the client. It returns an error that wraps
// [ErrUnresolved] when the resolver knows no such session, and another when the
// answer is not exactly of the documented form: status 200, keys in PascalCase, a
// port that is a number, the same transport.
func (r *Resolver) Resolve(ctx context.Context, session, transport string, client netip.Addr) (Resolution, error) {
	if session == "" || transport != TransportHTTP && transport != TransportQUIC {
		return Resolution{}, errors.New("resolve: a session and the transport HTTP or QUIC are needed")
	}
	endpoint, err := r.endpoint()
	if err != nil {
		return Resolution{}, err
	}
	endpoint.RawQuery = "sessionId=" + url.QueryEscape(session) + "&transport=" + transport
	if client.IsValid() {
		endpoint.RawQuery += "&clientIpAddress=" + url.QueryEscape(client.Unmap().String())
	}
	timeout := r.Timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	found, err := r.ask(limited, endpoint, transport)
	if err != nil {
		return Resolution{}, fmt.Errorf("resolver %s: %w", endpoint.Host, err)
	}
	return found, nil
}

func (r *Resolver) endpoint() (*url.URL, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, fmt.Errorf("resolver URL: %w", err)
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("resolver URL %q is not an https or http URL", u.Redacted())
	}
	if net.ParseIP(u.Hostname()) != nil {
		return nil, fmt.Errorf("resolver URL %q: gateways take a DNS name, not an address", u.Redacted())
	}
	return u.JoinPath("resolveSession"), nil
}

func (r *Resolver) ask(ctx context.Context, endpoint *url.URL, wanted string) (Resolution, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint.String(), nil)
	if err != nil {
		return Resolution{}, err
	}
	request.Header["accept"] = []string{"application/json"} // in the documented case
	request.Header["User-Agent"] = nil                      // none is documented
	transport := &http.Transport{DialContext: dialHost, TLSClientConfig: r.tls(), DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return Resolution{}, err
	}
	defer response.Body.Close() //nolint:errcheck // read as far as it is wanted
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return Resolution{}, ErrUnresolved
	default:
		return Resolution{}, fmt.Errorf("answered with status %d", response.StatusCode)
	}
	const limit = 64 << 10 // bytes of an answer
	body, err := io.ReadAll(io.LimitReader(response.Body, limit))
	if err != nil {
		return Resolution{}, fmt.Errorf("read the answer: %w", err)
	}
	return parseResolution(body, wanted)
}

func (r *Resolver) tls() *tls.Config {
	cfg := &tls.Config{
		RootCAs:            r.CA,
		InsecureSkipVerify: r.NoTLSStrict, //nolint:gosec // tls-strict = false of the gateway means exactly this
		MinVersion:         tls.VersionTLS12,
	}
	if r.Certificate != nil {
		cfg.Certificates = []tls.Certificate{*r.Certificate}
	}
	return cfg
}

// parseResolution reads an answer. It tells keys apart by their case, which
// encoding/json alone does not.
func parseResolution(body []byte, transport string) (Resolution, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(body, &keys); err != nil {
		return Resolution{}, fmt.Errorf("read the answer: %w", err)
	}
	var found Resolution
	var err error
	text := func(key string) (value string) {
		if err == nil {
			err = need(keys, key, &value)
		}
		return value
	}
	found.SessionID = text("SessionId")
	found.TransportProtocol = text("TransportProtocol")
	found.DcvServerEndpoint = text("DcvServerEndpoint")
	found.WebURLPath = text("WebUrlPath")
	if err == nil {
		err = need(keys, "Port", &found.Port)
	}
	switch {
	case err != nil:
		return Resolution{}, err
	case found.SessionID == "" || found.DcvServerEndpoint == "":
		return Resolution{}, errors.New("the answer has an empty SessionId or DcvServerEndpoint")
	case found.TransportProtocol != transport:
		return Resolution{}, fmt.Errorf("the answer has the TransportProtocol %.40q, not %q", found.TransportProtocol, transport)
	case found.Port < 1 || found.Port > 65535:
		return Resolution{}, fmt.Errorf("the answer has the Port %d", found.Port)
	case !strings.HasPrefix(found.WebURLPath, "/"):
		return Resolution{}, fmt.Errorf("the answer has the WebUrlPath %.40q, which does not start with \"/\"", found.WebURLPath)
	case strings.ContainsAny(found.DcvServerEndpoint, "/?#@ \r\n"):
		return Resolution{}, fmt.Errorf("the answer has the DcvServerEndpoint %.40q, which is no host", found.DcvServerEndpoint)
	}
	return found, nil
}

// need reads the value of a key that has to be there.
func need(keys map[string]json.RawMessage, key string, value any) error { // any, as json.Unmarshal has it
	raw, ok := keys[key]
	if !ok {
		return fmt.Errorf("the answer has no %s but %.200q", key, slices.Sorted(maps.Keys(keys)))
	}
	if err := json.Unmarshal(raw, value); err != nil || string(raw) == "null" {
		return fmt.Errorf("the answer has the %s %.40s, which is of another type", key, raw)
	}
	return nil
}
