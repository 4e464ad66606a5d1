package dcvclitest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// ErrRefused is what [Dial] wraps, with the server's sentence, when the server
// lets nobody in with that session and token.
var ErrRefused = errors.New("refused")

// A Target says where a client connects to. Host, Session and Token are
// required.
type Target struct {
	Host    string // a name or an address; names under localhost are this machine's
	Port    int    // 0 means 8443
	Session string
	Token   string      // a secret
	TLS     *tls.Config // nil means that any certificate is believed: DCV's is self-signed
}

// A Conn is a client's connection to a session of a [Server]. It is safe for
// concurrent use.
type Conn struct {
	User    string // as the verifier named it
	Session string
	Type    string // "console" or "virtual"
	Host    string // as the server calls itself

	cancel context.CancelFunc
	ended  chan struct{}
	reason string // written before ended is closed
}

// Dial connects to a session. ctx limits the time until the server has decided;
// afterwards the connection lasts until [Conn.Close] or until the server ends
// it. The error wraps [ErrRefused] when the server said no.
func Dial(ctx context.Context, to Target) (*Conn, error) {
	if to.Host == "" || to.Session == "" || to.Token == "" {
		return nil, errors.New("dial: Target needs Host, Session and Token")
	}
	if to.Port == 0 {
		to.Port = 8443
	}
	if to.TLS == nil {
		to.TLS = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // as its documentation says
	}
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	// failed prefers that ctx ended to what that led to: a server may refuse one
	// that has hung up before the hanging up is through here.
	failed := func(err error) (*Conn, error) {
		cancel()
		if !stop() {
			return nil, fmt.Errorf("dial %s: %w", to.Host, context.Cause(ctx))
		}
		return nil, err
	}
	response, err := post(lasting, to)
	if err != nil {
		return failed(err)
	}
	conn := &Conn{cancel: cancel, ended: make(chan struct{})}
	lines := json.NewDecoder(response.Body)
	var hello welcome
	if err := lines.Decode(&hello); err != nil {
		return failed(errors.Join(fmt.Errorf("dial %s: read the welcome: %w", to.Host, err), response.Body.Close()))
	}
	if !stop() {
		cancel()
		return nil, errors.Join(context.Cause(ctx), response.Body.Close())
	}
	conn.User, conn.Session, conn.Type, conn.Host = hello.User, hello.Session, hello.Type, hello.Host
	go conn.follow(lines, response.Body)
	return conn, nil
}

// post sends the request and returns the answer of a server that said yes.
func post(ctx context.Context, to Target) (*http.Response, error) {
	address := url.URL{Scheme: "https", Host: net.JoinHostPort(to.Host, strconv.Itoa(to.Port)), Path: connectPath}
	form := url.Values{"session": {to.Session}, "token": {to.Token}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("User-Agent", "dcvix-fake-viewer")
	client := http.Client{
		Transport:     &http.Transport{DialContext: dialHost, TLSClientConfig: to.TLS, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", to.Host, err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	sentence, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	return nil, errors.Join(fmt.Errorf("%w: %s", ErrRefused, strings.TrimSpace(string(sentence))), err, response.Body.Close())
}

// follow reads to the end of the connection.
func (c *Conn) follow(lines *json.Decoder, body io.Closer) {
	defer close(c.ended)
	defer body.Close() //nolint:errcheck // there is nothing more to lose
	var bye farewell
	if err := lines.Decode(&bye); err != nil {
		c.reason = "the connection was lost"
		return
	}
	c.reason = bye.Ended
}

// Done returns a channel that is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.ended }

// Reason returns why the connection ended, and "" while it lasts.
func (c *Conn) Reason() string {
	select {
	case <-c.ended:
		return c.reason
	default:
		return ""
	}
}

// Close leaves. It returns when the connection has ended on this side; the
// server notices a moment later. Closing again does nothing.
func (c *Conn) Close() {
	c.cancel()
	<-c.ended
}

// dialHost connects as a dialer does, but knows by itself that localhost and the
// names under it are this machine (RFC 6761, section 6.3): not every system's
// resolver does.
func dialHost(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name != "localhost" && !strings.HasSuffix(name, ".localhost") {
		return dialer.DialContext(ctx, network, address)
	}
	conn, err := dialer.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	if err == nil {
		return conn, nil
	}
	if conn, err6 := dialer.DialContext(ctx, network, net.JoinHostPort("::1", port)); err6 == nil {
		return conn, nil
	}
	return nil, err
}
