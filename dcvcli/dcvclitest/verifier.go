package dcvclitest

import (
	"bufio"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// A verifier asks the external authenticator who a token belongs to
// (Administrator Guide, "Using external authentication").
type verifier struct {
	url      *url.URL // nil means none is configured
	timeout  time.Duration
	roots    *x509.CertPool
	caFile   string
	insecure bool
	now      func() time.Time
}

// A question is what the verifier is asked.
type question struct {
	session   string
	token     string
	client    string // ip:port
	userAgent string
}

// verify returns the user that the verifier names. Whatever is not a plain yes
// is an error, and none of its errors has the token in it.
func (v verifier) verify(ctx context.Context, q question) (string, error) {
	if v.url == nil {
		return "", errors.New("no verifier is configured: set its URL")
	}
	limited, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	conn, err := v.dial(limited)
	if err != nil {
		return "", fmt.Errorf("verifier %s: %w", v.url.Redacted(), err)
	}
	// A connection of which nothing is kept has nothing to say when it is closed.
	defer conn.Close() //nolint:errcheck // see above
	defer context.AfterFunc(limited, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	user, err := v.ask(conn, q)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		err = fmt.Errorf("no answer within %s", v.timeout)
	}
	if err != nil {
		return "", fmt.Errorf("verifier %s: %w", v.url.Redacted(), err)
	}
	return user, nil
}

func (v verifier) dial(ctx context.Context) (net.Conn, error) {
	port := v.url.Port()
	if port == "" {
		port = v.url.Scheme // a service name
	}
	if v.url.Scheme == "http" {
		return dialHost(ctx, "tcp", net.JoinHostPort(v.url.Hostname(), port))
	}
	roots, err := v.trusted()
	if err != nil {
		return nil, err
	}
	conn, err := dialHost(ctx, "tcp", net.JoinHostPort(v.url.Hostname(), port))
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, &tls.Config{
		ServerName:         v.url.Hostname(),
		RootCAs:            roots,
		InsecureSkipVerify: v.insecure, //nolint:gosec // no-tls-strict of dcv.conf means exactly this
		MinVersion:         tls.VersionTLS12,
		Time:               v.now,
	})
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}

// trusted returns the roots that may have signed the verifier's certificate; nil
// means those of the system.
func (v verifier) trusted() (*x509.CertPool, error) {
	if v.insecure || v.roots != nil || v.caFile == "" {
		return v.roots, nil
	}
	pem, err := os.ReadFile(v.caFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("ca-file %s is not there yet: nobody gets in until the director's CA is copied to it", v.caFile)
	}
	if err != nil {
		return nil, fmt.Errorf("ca-file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca-file %s has no certificate in PEM: copy the director's CA to it", v.caFile)
	}
	return roots, nil
}

// ask writes the request as a capture of a real server shows it, headers in that
// order, and reads the answer. net/http would choose an order of its own.
func (v verifier) ask(conn net.Conn, q question) (string, error) {
	form := "sessionId=" + url.QueryEscape(q.session) +
		"&authenticationToken=" + url.QueryEscape(q.token) +
		"&clientAddress=" + url.QueryEscape(q.client)
	_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept-Encoding: gzip, deflate\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		v.url.RequestURI(), v.url.Host, q.userAgent, len(form), form)
	if err != nil {
		return "", err
	}
	const limit = 64 << 10 // bytes of an answer
	response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, limit)), &http.Request{Method: http.MethodPost})
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // read as far as it is wanted
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("answered with status %d", response.StatusCode)
	}
	body, err := plain(response)
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	return readVerdict(io.LimitReader(body, limit))
}

// plain undoes the compressions that the request allows.
func plain(response *http.Response) (io.Reader, error) {
	switch strings.ToLower(response.Header.Get("Content-Encoding")) {
	case "", "identity":
		return response.Body, nil
	case "gzip":
		return gzip.NewReader(response.Body)
	case "deflate":
		return zlib.NewReader(response.Body)
	default:
		return nil, errors.New("it has an encoding that was not asked for")
	}
}

// readVerdict reads an answer without regard to its content type and to what
// else is in it. The documented ones are
//
//	<auth result="yes"><username>U</username></auth>
//	<auth result="no"><message>WHY</message></auth>
func readVerdict(body io.Reader) (string, error) {
	var verdict struct {
		XMLName  xml.Name `xml:"auth"`
		Result   string   `xml:"result,attr"`
		Username string   `xml:"username"`
		Message  string   `xml:"message"`
	}
	if err := xml.NewDecoder(body).Decode(&verdict); err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	if verdict.Result != "yes" {
		return "", fmt.Errorf("answered %q: %q", cut(verdict.Result), cut(verdict.Message))
	}
	if verdict.Username == "" {
		return "", errors.New("answered yes without a user name")
	}
	return verdict.Username, nil
}
