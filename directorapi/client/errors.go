package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/dcvix/dcvix"
)

// Errors that a caller can act on, wrapped with the address and the remedy.
var (
	// ErrUnreachable: there is no answer at the address.
	ErrUnreachable = errors.New("the director cannot be reached")
	// ErrNotDirector: something else answers at the address.
	ErrNotDirector = errors.New("not a dcvix director")
)

// A ChallengeError asks for a second step of a login: show Prompt, then log in
// again with the same credentials, the answer as OTP, and Challenge.
type ChallengeError struct {
	Prompt    string // what to ask the person; never empty, without control characters
	Challenge string // opaque; may be empty
	Refusal   *dcvix.Error
}

// Error returns the prompt as a sentence.
func (e *ChallengeError) Error() string { return "the director asks for a second step: " + e.Prompt }

// Unwrap returns the answer, whose code is [dcvix.CodeOTPRequired].
func (e *ChallengeError) Unwrap() error { return e.Refusal }

// An UntrustedError says that the director's certificate does not prove that it
// is the one that was asked for.
type UntrustedError struct {
	URL         string
	Fingerprint string // of the CA that the director presents, see [Fingerprint]; empty when it presents none
	Reason      string // a clause: what is wrong and what to do
	Err         error  // of package crypto/x509
}

// Error returns one sentence with the fingerprint and the remedy.
func (e *UntrustedError) Error() string {
	return fmt.Sprintf("%s is not trusted: %s", e.URL, e.Reason)
}

// Unwrap returns what package crypto/x509 said.
func (e *UntrustedError) Unwrap() error { return e.Err }

func (c *Client) notDirector(why string) error {
	return fmt.Errorf("%s is %w (%s): check the address and its path", c.base, ErrNotDirector, why)
}

// transportError says in a person's words why there was no answer.
func (c *Client) transportError(ctx context.Context, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // its text repeats method and address
	}
	var untrusted *tls.CertificateVerificationError
	var dns *net.DNSError
	switch {
	case errors.As(err, &untrusted):
		return newUntrusted(c.base, untrusted)
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, new(tls.RecordHeaderError)):
		return c.notDirector("it does not speak TLS")
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("call to %s: %w", c.base, context.Canceled)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w in time (%w): try again, or check the network and that the director runs", c.base, ErrUnreachable, context.DeadlineExceeded)
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("%s: %w: there is no host %q: check the address", c.base, ErrUnreachable, dns.Name)
	default:
		return fmt.Errorf("%s: %w (%w): check the address, the network and that the director runs", c.base, ErrUnreachable, err)
	}
}

func newUntrusted(base string, err *tls.CertificateVerificationError) *UntrustedError {
	e := &UntrustedError{URL: base, Err: err.Err}
	chain := err.UnverifiedCertificates
	for _, cert := range chain {
		if cert.IsCA {
			e.Fingerprint = Fingerprint(cert)
		}
	}
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &name):
		e.Reason = "its certificate is not for the name " + name.Host + ": use a name that it is for"
		if len(chain) > 0 && len(chain[0].DNSNames) > 0 {
			e.Reason += " " + dcvix.OneLine("("+strings.Join(chain[0].DNSNames, ", ")+")", maxMessage)
		}
		e.Reason += ", or add the name to server_names of the director"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Reason = "its certificate has expired or is not valid yet: check the clocks of both machines"
	case e.Fingerprint == "":
		e.Reason = "its certificate is of a CA that is not known here, and it does not send that CA: trust the CA by its file"
	default:
		e.Reason = "its CA is not known here and has the fingerprint " + e.Fingerprint +
			": compare it with the one that the director shows, then trust it by that fingerprint or by its file"
	}
	return e
}

// answerError makes an error of an answer that is not 200. A web page is never
// shown: it is of a proxy, or of a director of the 0.1 generation.
func answerError(res *http.Response, body []byte, html bool) error {
	e := &dcvix.Error{
		Code:      codeOf(res.StatusCode),
		Status:    res.StatusCode,
		RequestID: dcvix.OneLine(res.Header.Get("X-Request-Id"), maxMessage),
	}
	var problem struct {
		dcvix.Problem

		Message string `json:"message"` // some answers of the 0.1 generation
		Error   string `json:"error"`
	}
	switch media := mediaType(res.Header); {
	case html:
	case media == "application/problem+json" || media == "application/json":
		if json.Unmarshal(body, &problem) == nil {
			e.Message = firstClean(problem.Detail, problem.Message, problem.Error, problem.Title)
			e.RequestID = firstClean(problem.Instance, e.RequestID)
			if code, ok := strings.CutPrefix(problem.Type, dcvix.ProblemTypePrefix); ok {
				e.Code = dcvix.ErrorCode(dcvix.OneLine(code, maxMessage))
			}
		}
	default:
		e.Message = dcvix.OneLine(string(body[:min(len(body), 4096)]), maxMessage)
	}
	if e.Message == "" {
		e.Message = fmt.Sprintf("the director answered %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	}
	if e.Code == dcvix.CodeOTPRequired {
		return &ChallengeError{Prompt: firstClean(problem.Prompt, "One-time password"), Challenge: problem.Challenge, Refusal: e}
	}
	return e
}

func codeOf(status int) dcvix.ErrorCode {
	switch status {
	case http.StatusUnauthorized:
		return dcvix.CodeUnauthenticated
	case http.StatusForbidden:
		return dcvix.CodeForbidden
	case http.StatusNotFound:
		return dcvix.CodeNotFound
	case http.StatusMethodNotAllowed:
		return dcvix.CodeMethodNotAllowed
	case http.StatusConflict:
		return dcvix.CodeConflict
	case http.StatusRequestEntityTooLarge:
		return dcvix.CodeTooLarge
	case http.StatusTooManyRequests:
		return dcvix.CodeTooMany
	case http.StatusBadGateway:
		return dcvix.CodeAgentFailed
	case http.StatusServiceUnavailable:
		return dcvix.CodeUnavailable
	case http.StatusGatewayTimeout:
		return dcvix.CodeAgentTimeout
	}
	if status < 500 {
		return dcvix.CodeBadRequest
	}
	return dcvix.CodeInternal
}

func mediaType(h http.Header) string {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return media
}

func isHTML(h http.Header, body []byte) bool {
	media := mediaType(h)
	return media == "text/html" || media == "application/xhtml+xml" ||
		media != "application/json" && bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// maxMessage bounds a sentence of a director, in characters. Control characters,
// line ends and invisible marks would let it write over a terminal, so they go.
const maxMessage = 1000

func firstClean(candidates ...string) string {
	for _, c := range candidates {
		if c = dcvix.OneLine(c, maxMessage); c != "" {
			return c
		}
	}
	return ""
}
