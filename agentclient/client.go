package agentclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

const (
	callLimit = 15 * time.Second // for one call to the director, from dialling to the last byte
	maxAnswer = 1 << 20          // bytes of an answer's header, and of its body
	maxShown  = 300              // bytes of foreign text in a log line
)

// errEnrolAgain says that the director takes our certificate no longer.
var errEnrolAgain = errors.New("the certificate is not accepted any more")

// A refusal is an answer other than the one hoped for.
type refusal struct {
	status int
	text   string // the body, in a form that is safe in a log
}

func (r *refusal) Error() string {
	if r.text == "" {
		return fmt.Sprintf("the director answers with status %d", r.status)
	}
	return fmt.Sprintf("the director answers with status %d: %s", r.status, r.text)
}

// refusedWith says whether err is an answer of the director with that status.
func refusedWith(err error, status int) bool {
	refused, ok := errors.AsType[*refusal](err)
	return ok && refused.status == status
}

type reply struct {
	status int
	body   []byte
	tls    *tls.ConnectionState
}

// refusal returns the error for an answer other than 200.
func (r reply) refusal() error { return &refusal{status: r.status, text: clean(string(r.body))} }

// noRedirect keeps an answer from sending a registration token elsewhere.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// post sends JSON to the director and reads the whole answer, whatever its
// status.
func (d *director) post(ctx context.Context, path string, body []byte) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url.String()+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	// All our calls may be repeated: net/http then tries again by itself when a
	// kept connection turns out to be closed. An empty key is not sent.
	req.Header["Idempotency-Key"] = nil
	got, err := do(d.client, req)
	if err != nil && ctx.Err() != nil {
		return reply{}, ctx.Err() // the cause, whatever broke for it
	}
	return got, err
}

// get is post without a body, over a client of its own.
func (d *director) get(ctx context.Context, client *http.Client, path string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url.String()+path, http.NoBody)
	if err != nil {
		return reply{}, err
	}
	return do(client, req)
}

func do(client *http.Client, req *http.Request) (reply, error) {
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end, or given up
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return reply{}, err
	}
	if len(answer) > maxAnswer {
		return reply{}, fmt.Errorf("the answer to %s is longer than %d bytes: is this a director?", req.URL.Path, maxAnswer)
	}
	return reply{status: resp.StatusCode, body: answer, tls: resp.TLS}, nil
}

// reason puts an error into words that stay the same while its cause does: no
// ports and no addresses of single connections.
func reason(err error) string {
	var (
		nobody  noAnswerError
		trust   *trustError
		refused *refusal
		dns     *net.DNSError
		op      *net.OpError
		call    *url.Error
		timeout interface{ Timeout() bool }
	)
	switch {
	case errors.As(err, &nobody):
		return nobody.Error()
	case errors.As(err, &trust):
		return trust.Error()
	case errors.As(err, &refused):
		return refused.Error()
	case errors.As(err, &dns):
		return fmt.Sprintf("the name of the director, %.80q, does not resolve", dns.Name)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "the director does not answer in time"
	case errors.As(err, &op):
		return clean(fmt.Sprintf("the director cannot be reached: %s: %v", op.Op, op.Err))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the director closed the connection"
	case errors.As(err, &call):
		return clean(call.Err.Error())
	default:
		return clean(err.Error())
	}
}

// clean returns the beginning of foreign text on one line, without anything that
// is not printable.
func clean(s string) string {
	if len(s) > maxShown {
		s = s[:maxShown]
	}
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}
