package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/client"
)

func Example() {
	// A stand-in for a director, so that the example runs.
	director := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/user/login" {
			http.SetCookie(w, &http.Cookie{Name: dcvix.CookieName, Value: "token"})
		}
		_, _ = fmt.Fprint(w, `{"servers":["ws1","ws2"]}`)
	}))
	defer director.Close()

	c, err := client.New(client.Config{URL: director.URL, Transport: director.Client().Transport})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := c.Login(ctx, dcvix.LoginRequest{UserID: "alice", Password: "secret"}); err != nil {
		fmt.Println(err)
		return
	}
	servers, err := c.Servers(ctx)
	fmt.Println(servers, err)
	// Output: [ws1 ws2] <nil>
}

var alice = dcvix.LoginRequest{UserID: "alice", Password: "good"}

func TestBothGenerationsOfDirectorsServeAUser(t *testing.T) {
	for name, old := range map[string]bool{"0.1": true, "new": false} {
		t.Run(name, func(t *testing.T) {
			c := director(t, wire(t, old))
			ctx := t.Context()

			health, err := c.Health(ctx)
			require.NoError(t, err)
			assert.Equal(t, old, health.Protocol == 0)

			_, err = c.Servers(ctx)
			assertCode(t, err, dcvix.CodeUnauthenticated, 401, "Log in first.")
			assert.False(t, c.LoggedIn())

			require.NoError(t, c.Login(ctx, alice))
			assert.True(t, c.LoggedIn())
			servers, err := c.Servers(ctx)
			require.NoError(t, err)
			assert.Equal(t, []string{"ws1", "ws2"}, servers)

			created, err := c.CreateSession(ctx, dcvix.CreateSessionRequest{ServerID: "ws1", SessionType: "console"})
			require.NoError(t, err)
			assert.Equal(t, dcvix.SessionID("dcvix_ws1"), created.SessionID)
			_, err = c.CreateSession(ctx, dcvix.CreateSessionRequest{ServerID: "ws9"})
			assertCode(t, err, dcvix.CodeConflict, 409, "ws9 already has a console session of another user.")

			token, err := c.ConnectionToken(ctx, "dcvix_ws1", "ws1")
			require.NoError(t, err)
			assert.Equal(t, "tok-dcvix_ws1-ws1", token.Token)
			assert.Equal(t, old, token.Host == "")

			require.NoError(t, c.CloseSession(ctx, "a/b c", "w&s"), "ids are escaped")
			err = c.CloseSession(ctx, "x", "")
			assertCode(t, err, dcvix.CodeAgentFailed, 502, "agent said no")
			require.Error(t, c.CloseSession(ctx, "..", ""))

			require.NoError(t, c.Logout(ctx))
			assert.False(t, c.LoggedIn())
			_, err = c.Servers(ctx)
			assertCode(t, err, dcvix.CodeUnauthenticated, 401, "Log in first.")
		})
	}
}

func TestWhatAnOldDirectorCannotDoIsUnsupported(t *testing.T) {
	c := director(t, wire(t, true))
	require.NoError(t, c.Login(t.Context(), alice))
	_, err := c.UserSessions(t.Context())
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = c.LoginOptions(t.Context())
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = c.CA(t.Context())
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, c.Reactivate(t.Context(), goodGUID), errors.ErrUnsupported)
	_, err = c.ApproveMany(t.Context(), []dcvix.AgentID{goodGUID})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = c.Denials(t.Context())
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = c.PolicyAccess(t.Context(), "alice", nil)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, c.ForgetDenial(t.Context(), goodGUID), errors.ErrUnsupported)
	assert.NotContains(t, err.Error(), "<")
}

func TestWhatOnlyANewDirectorCanDo(t *testing.T) {
	c := director(t, wire(t, false))
	require.NoError(t, c.Login(t.Context(), alice))
	sessions, err := c.UserSessions(t.Context())
	require.NoError(t, err)
	assert.Equal(t, dcvix.Hostname("ws1"), sessions[0].ServerID)
	options, err := c.LoginOptions(t.Context())
	require.NoError(t, err)
	assert.Equal(t, dcvix.OTPOptional, options.OTP)
	pem, err := c.CA(t.Context())
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(pem, "-----BEGIN"))
	assertCode(t, c.Reactivate(t.Context(), goodGUID), dcvix.CodeNotFound, 404, "No such agent.")
}

func TestAdminCalls(t *testing.T) {
	c := director(t, wire(t, false))
	ctx := t.Context()
	require.NoError(t, c.AdminLogin(ctx, alice))
	sessions, err := c.Sessions(ctx)
	require.NoError(t, err)
	assert.Len(t, sessions, 1)
	hosts, err := c.Hosts(ctx)
	require.NoError(t, err)
	assert.Equal(t, "ws1", hosts[0].Hostname)
	agents, err := c.Agents(ctx, dcvix.AgentPending)
	require.NoError(t, err)
	assert.Equal(t, dcvix.AgentPending, agents[0].State)
	created, err := c.AdminCreateSession(ctx, dcvix.CreateSessionRequest{ServerID: "ws1", UserID: "bob", SessionType: "virtual"})
	require.NoError(t, err)
	assert.NotEmpty(t, created.SessionID)

	assertCode(t, c.Approve(ctx, goodGUID, dcvix.ApproveRequest{}), dcvix.CodeConflict, 409, "Another agent holds the name.")
	require.NoError(t, c.Approve(ctx, goodGUID, dcvix.ApproveRequest{Replace: true}))
	require.NoError(t, c.Deny(ctx, goodGUID))
	require.NoError(t, c.Revoke(ctx, goodGUID))
	require.Error(t, c.Revoke(ctx, ".."))
}

func TestALoginThatIsRefusedSaysTheSentenceOfTheDirector(t *testing.T) {
	c := director(t, wire(t, false))
	err := c.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: "hunter2"})
	assertCode(t, err, dcvix.CodeUnauthenticated, 401, "User, password or code is wrong.")
	var refusal *dcvix.Error
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, "req-1", refusal.RequestID)
	assert.NotContains(t, err.Error(), "hunter2")
	require.NoError(t, c.Login(t.Context(), alice))
	require.Error(t, c.Login(t.Context(), dcvix.LoginRequest{UserID: "alice"}))
	assert.True(t, c.LoggedIn(), "an earlier login stays")
}

func TestASecondStepIsAChallenge(t *testing.T) {
	c := director(t, wire(t, false))
	err := c.Login(t.Context(), dcvix.LoginRequest{UserID: "otto", Password: "good"})
	var challenge *client.ChallengeError
	require.ErrorAs(t, err, &challenge)
	assert.Equal(t, "Code from your phone", challenge.Prompt, "control characters are gone")
	assertCode(t, err, dcvix.CodeOTPRequired, 401, "One more step.")
	require.NoError(t, c.Login(t.Context(), dcvix.LoginRequest{UserID: "otto", Password: "good", OTP: "123456", Challenge: challenge.Challenge}))
}

func TestAnswersThatAreNoSuccess(t *testing.T) {
	body := func(status int, contentType, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, text)
		}
	}
	tests := map[string]struct {
		handler     http.HandlerFunc
		notDirector bool
		code        dcvix.ErrorCode
		message     string
	}{
		"a page with 200":            {handler: body(200, "text/html", "<p>welcome"), notDirector: true},
		"a page without a type":      {handler: body(200, "", " <!doctype html>"), notDirector: true},
		"JSON that is cut":           {handler: body(200, "application/json", `{"servers":["a"`), notDirector: true},
		"JSON of another shape":      {handler: body(200, "application/json", `[1]`), notDirector: true},
		"a redirect":                 {handler: body(302, "text/plain", "there"), notDirector: true},
		"201":                        {handler: body(201, "application/json", `{"servers":[]}`), code: "bad-request", message: "the director answered 201 Created"},
		"a page with 502":            {handler: body(502, "text/html", "<h1>nginx"), code: dcvix.CodeAgentFailed, message: "the director answered 502 Bad Gateway"},
		"an empty 500":               {handler: body(500, "text/plain", ""), code: dcvix.CodeInternal, message: "the director answered 500 Internal Server Error"},
		"plain text":                 {handler: body(403, "text/plain", "You may not use ws1.\n"), code: dcvix.CodeForbidden, message: "You may not use ws1."},
		"text with control signs":    {handler: body(403, "text/plain", "a\x1b[2J\r\nb\u202e\x00c"), code: dcvix.CodeForbidden, message: "a [2J b c"},
		"text without end":           {handler: body(400, "text/plain", strings.Repeat("x", 9000)), code: dcvix.CodeBadRequest, message: strings.Repeat("x", 1000) + "…"},
		"JSON of the 0.1 generation": {handler: body(503, "application/json", `{"message":"backend away"}`), code: dcvix.CodeUnavailable, message: "backend away"},
		"a problem of another house": {handler: body(429, "application/problem+json", `{"type":"about:blank","title":"Slow down"}`), code: dcvix.CodeTooMany, message: "Slow down"},
		"a broken problem":           {handler: body(504, "application/problem+json", `{"detail":`), code: dcvix.CodeAgentTimeout, message: "the director answered 504 Gateway Timeout"},
		"too much":                   {handler: body(200, "application/json", `{"servers":["`+strings.Repeat("x", 9<<20)+`"]}`), notDirector: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := director(t, tt.handler)
			_, err := c.Servers(t.Context())
			require.Error(t, err)
			assert.Equal(t, tt.notDirector, errors.Is(err, client.ErrNotDirector), "%v", err)
			assert.NotContains(t, err.Error(), "<", "no page is shown")
			if !tt.notDirector {
				var refusal *dcvix.Error
				require.ErrorAs(t, err, &refusal)
				assert.Equal(t, tt.code, refusal.Code)
				assert.Equal(t, tt.message, err.Error())
			}
		})
	}
}

func TestAnswersThatLackWhatTheyPromise(t *testing.T) {
	c := director(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, "{}")
	}))
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"a login without a cookie":    func() error { return c.Login(ctx, alice) },
		"a health without a status":   func() error { _, err := c.Health(ctx); return err },
		"a session without an id":     func() error { _, err := c.CreateSession(ctx, dcvix.CreateSessionRequest{}); return err },
		"a token that is empty":       func() error { _, err := c.ConnectionToken(ctx, "a", "b"); return err },
		"a CA that is no certificate": func() error { _, err := c.CA(ctx); return err },
	} {
		t.Run(name, func(t *testing.T) { assert.ErrorIs(t, call(), client.ErrNotDirector) })
	}
	assert.False(t, c.LoggedIn())
}

func TestThePrefixOfTheURLIsKept(t *testing.T) {
	ca := newAuthority(t, "test CA")
	srv := serve(t, ca.leaf(t, nil), http.StripPrefix("/remote/dcv", wire(t, false)))
	for _, suffix := range []string{"/remote/dcv", "/remote/dcv/"} {
		c, err := client.New(client.Config{URL: srv.URL + suffix, TLS: &tls.Config{RootCAs: ca.pool(), MinVersion: tls.VersionTLS12}})
		require.NoError(t, err)
		assert.Equal(t, srv.URL+"/remote/dcv", c.URL())
		_, err = c.Health(t.Context())
		require.NoError(t, err)
		c.Close()
	}
}

func TestURLsThatAreRefused(t *testing.T) {
	for name, url := range map[string]string{
		"nothing":          "",
		"plain http":       "http://director.example:8445",
		"no scheme":        "director.example:8445",
		"no host":          "https://",
		"a password in it": "https://alice:hunter2@director.example",
		"a query":          "https://director.example/?x=1",
		"a control sign":   "https://director.example/\x00",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.New(client.Config{URL: url})
			require.Error(t, err)
			assert.Contains(t, err.Error(), "write https://host:8445")
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
	_, err := client.New(client.Config{URL: "https://x", Transport: new(http.Transport), CAFingerprint: "AA"})
	require.Error(t, err)
	_, err = client.New(client.Config{URL: "https://x", CAFingerprint: "AA:BB"})
	require.ErrorContains(t, err, "no SHA-256 fingerprint")
}

func TestTrust(t *testing.T) {
	ours, other := newAuthority(t, "ours"), newAuthority(t, "other")
	sum := client.Fingerprint(ours.cert)
	loose := strings.ToLower(strings.ReplaceAll(sum, ":", ""))
	onlyLeaf := func(t *testing.T, a authority) tls.Certificate {
		cert := a.leaf(t, nil)
		cert.Certificate = cert.Certificate[:1]
		return cert
	}
	forged := func(t *testing.T) tls.Certificate { // a leaf of another CA beside the pinned one
		cert := other.leaf(t, nil)
		cert.Certificate = [][]byte{cert.Certificate[0], ours.cert.Raw}
		return cert
	}
	roots := client.Config{TLS: &tls.Config{RootCAs: ours.pool(), MinVersion: tls.VersionTLS12}}
	pinned := client.Config{CAFingerprint: sum}
	leaf := ours.leaf(t, nil)
	leafCert, err := x509.ParseCertificate(leaf.Certificate[0])
	require.NoError(t, err)
	tests := map[string]struct {
		cert    tls.Certificate
		cfg     client.Config
		trusted bool
		shows   string // fingerprint in the error
		says    string
	}{
		"a CA that is known":              {cert: ours.leaf(t, nil), cfg: roots, trusted: true},
		"a CA that is pinned":             {cert: ours.leaf(t, nil), cfg: pinned, trusted: true},
		"a pin without colons":            {cert: ours.leaf(t, nil), cfg: client.Config{CAFingerprint: loose}, trusted: true},
		"a CA that nobody knows":          {cert: ours.leaf(t, nil), shows: sum, says: "compare it"},
		"a known CA, another answers":     {cert: other.leaf(t, nil), cfg: roots, shows: client.Fingerprint(other.cert), says: "compare it"},
		"a pinned CA, another answers":    {cert: other.leaf(t, nil), cfg: pinned, shows: client.Fingerprint(other.cert), says: "compare it"},
		"a pinned CA that did not sign":   {cert: forged(t), cfg: pinned, shows: sum},
		"a leaf alone":                    {cert: onlyLeaf(t, ours), says: "does not send that CA"},
		"a leaf alone, pinned":            {cert: onlyLeaf(t, ours), cfg: pinned, says: "does not send that CA"},
		"a pin that nobody has":           {cert: ours.leaf(t, nil), cfg: client.Config{CAFingerprint: strings.Repeat("00", 32)}, shows: sum},
		"a leaf as the pin":               {cert: leaf, cfg: client.Config{CAFingerprint: client.Fingerprint(leafCert)}, shows: sum},
		"another name, pinned":            {cert: ours.leaf(t, wrongName), cfg: pinned, says: "not for the name 127.0.0.1"},
		"another name, known":             {cert: ours.leaf(t, wrongName), cfg: roots, says: "director.example"},
		"an old certificate":              {cert: ours.leaf(t, expired), cfg: pinned, says: "check the clocks"},
		"a client's certificate, pinned":  {cert: ours.leaf(t, clientOnly), cfg: pinned},
		"a pin beside roots of no matter": {cert: ours.leaf(t, nil), cfg: client.Config{CAFingerprint: sum, TLS: &tls.Config{RootCAs: other.pool(), MinVersion: tls.VersionTLS12}}, trusted: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, tt.cert, wire(t, false))
			cfg := tt.cfg
			cfg.URL = srv.URL
			c, err := client.New(cfg)
			require.NoError(t, err)
			defer c.Close()
			_, err = c.Health(t.Context())
			if tt.trusted {
				require.NoError(t, err)
				return
			}
			var untrusted *client.UntrustedError
			require.ErrorAs(t, err, &untrusted)
			assert.Contains(t, err.Error(), tt.says)
			if tt.shows != "" {
				assert.Equal(t, tt.shows, untrusted.Fingerprint)
			}
			assert.NotErrorIs(t, err, client.ErrUnreachable)
		})
	}
}

func wrongName(c *x509.Certificate) { c.IPAddresses = nil }
func expired(c *x509.Certificate)   { c.NotAfter = time.Now().Add(-time.Minute) }
func clientOnly(c *x509.Certificate) {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
}

func TestFingerprintIsTheFormThatAllPartsPrint(t *testing.T) {
	ca := newAuthority(t, "x")
	assert.Regexp(t, `^([0-9A-F]{2}:){31}[0-9A-F]{2}$`, client.Fingerprint(ca.cert))
	require.NoError(t, client.CheckFingerprint(client.Fingerprint(ca.cert)))
	require.Error(t, client.CheckFingerprint("hello"))
}

func TestNoAnswerAtAll(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = silent.Close() }()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	gone := httptest.NewServer(nil)
	gone.Close()

	tests := map[string]struct {
		url  string
		want error
	}{
		"nobody listens":          {"https://" + gone.Listener.Addr().String(), client.ErrUnreachable},
		"nobody speaks":           {"https://" + silent.Addr().String(), client.ErrUnreachable},
		"a name that nobody has":  {"https://no-such-host.invalid", client.ErrUnreachable},
		"a server of plain HTTP":  {"https://" + plain.Listener.Addr().String(), client.ErrNotDirector},
		"a name and its deadline": {"https://" + silent.Addr().String(), context.DeadlineExceeded},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := client.New(client.Config{URL: tt.url, Timeout: 300 * time.Millisecond})
			require.NoError(t, err)
			defer c.Close()
			_, err = c.Health(t.Context())
			require.ErrorIs(t, err, tt.want)
			assert.Equal(t, 1, strings.Count(err.Error(), tt.url), "the address is said once: %v", err)
		})
	}
	t.Run("a caller who gives up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c, err := client.New(client.Config{URL: "https://" + silent.Addr().String()})
		require.NoError(t, err)
		_, err = c.Health(ctx)
		require.ErrorIs(t, err, context.Canceled)
		assert.NotErrorIs(t, err, client.ErrUnreachable)
	})
}

func TestOneClientServesManyAtOnce(t *testing.T) {
	c := director(t, wire(t, false))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			assert.NoError(t, c.Login(t.Context(), alice))
			_, err := c.Servers(t.Context())
			assert.NoError(t, err)
			_ = c.LoggedIn()
		})
	}
	wg.Wait()
}

func FuzzAnswers(f *testing.F) {
	f.Add(200, "application/json", []byte(`{"servers":["a"]}`))
	f.Add(401, "application/problem+json", []byte(`{"type":"urn:dcvix:otp-required","prompt":"p"}`))
	f.Add(500, "text/plain", []byte("\x1b[2J<html>"))
	f.Add(302, "", []byte(""))
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		transport := roundTrip(func(req *http.Request) (*http.Response, error) {
			rec := httptest.NewRecorder()
			rec.Header()["Content-Type"] = []string{contentType}
			rec.WriteHeader(100 + (status&0xffff)%900)
			_, _ = rec.Write(body)
			res := rec.Result()
			res.Request = req
			return res, nil
		})
		c, err := client.New(client.Config{URL: "https://d", Transport: transport})
		require.NoError(t, err)
		for _, call := range []func() error{
			func() error { _, err := c.Servers(t.Context()); return err },
			func() error { _, err := c.UserSessions(t.Context()); return err },
			func() error { return c.Login(t.Context(), alice) },
		} {
			if err := call(); err != nil && !json.Valid(body) {
				require.NotContains(t, err.Error(), "\x1b")
				require.NotContains(t, err.Error(), "\n")
				require.Less(t, len(err.Error()), 4*maxSentence)
			}
		}
	})
}

const maxSentence = 500

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func assertCode(t *testing.T, err error, code dcvix.ErrorCode, status int, message string) {
	t.Helper()
	var refusal *dcvix.Error
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, code, refusal.Code)
	assert.Equal(t, status, refusal.Status)
	assert.Equal(t, message, refusal.Message)
}
