package ldap_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/ldap"
)

// at answers one kind of request with r.
func at(op ber.Tag, user bool, out *reply) func(request) *reply {
	return func(r request) *reply {
		if r.op == op && (op != opBind || r.isUser() == user) {
			return out
		}
		return nil
	}
}

func TestAServerGoneWrongIsUnavailable(t *testing.T) {
	hang := &reply{hang: true}
	half := result(1, opBindDone, 0, "")
	tests := map[string]struct {
		answer   func(request) *reply
		startTLS bool
		want     string // in the log
	}{
		"hangs in the service's bind":    {answer: at(opBind, false, hang), want: "does not answer within 200ms"},
		"hangs in the search":            {answer: at(opSearch, false, hang), want: "does not answer within 200ms"},
		"hangs in the person's bind":     {answer: at(opBind, true, hang), want: "does not answer within 200ms"},
		"hangs in StartTLS":              {answer: at(opExtended, false, hang), startTLS: true, want: "does not answer within 200ms"},
		"hangs in the handshake":         {answer: at(opExtended, false, &reply{hang: true, raw: result(1, opExtendedDone, 0, "")}), startTLS: true, want: "does not answer within 200ms"},
		"closes in the service's bind":   {answer: at(opBind, false, &reply{close: true}), want: "broke off"},
		"closes in the search":           {answer: at(opSearch, false, &reply{close: true}), want: "broke off"},
		"closes in the person's bind":    {answer: at(opBind, true, &reply{close: true}), want: "broke off"},
		"closes in an answer":            {answer: at(opBind, true, &reply{close: true, raw: half[:len(half)-3]}), want: "broke off"},
		"closes in StartTLS":             {answer: at(opExtended, false, &reply{close: true}), startTLS: true, want: "cannot be reached"},
		"answers in HTTP":                {answer: at(opBind, false, &reply{raw: []byte("HTTP/1.1 400 Bad Request\r\n\r\n")}), want: "ldap://"},
		"answers with zeros":             {answer: at(opBind, false, &reply{raw: make([]byte, 4096)}), want: "ldap://"},
		"answers with a huge length":     {answer: at(opBind, true, &reply{raw: []byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x04, 0x84, 0x7f, 0xff, 0xff, 0xf0}}), want: "ldap://"},
		"answers in endless nesting":     {answer: at(opBind, true, &reply{raw: bytes.Repeat([]byte{0x30, 0x80}, 4000)}), want: "ldap://"},
		"answers another question":       {answer: at(opBind, true, &reply{raw: result(77, opBindDone, 0, "")}), want: "does not answer within"},
		"answers without a result":       {answer: at(opBind, true, &reply{raw: message(1, octets("yes"))}), want: "ldap://"},
		"answers nobody":                 {answer: at(opBind, true, &reply{raw: result(0, opExtendedDone, 52, "going down")}), want: "does not answer within"},
		"refuses StartTLS":               {answer: at(opExtended, false, &reply{code: 2, text: "unsupported"}), startTLS: true, want: "refuses StartTLS"},
		"finds an entry without a shape": {answer: at(opSearch, false, &reply{raw: message(2, ber.Encode(ber.ClassApplication, ber.TypeConstructed, opEntry, nil, ""))}), want: "ldap://"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			log, f := new(record), newFake()
			f.answer = tt.answer
			cfg := fakeConfig(t, f.serve(t))
			cfg.Logger, cfg.Timeout, cfg.StartTLS = logTo(t, log), 200*time.Millisecond, tt.startTLS

			_, err := open(t, cfg).Authenticate(t.Context(), good)

			assert.ErrorIs(t, err, auth.ErrUnavailable)
			assert.NotErrorIs(t, err, auth.ErrInvalidCredentials)
			assert.Contains(t, log.String(), "the directory cannot be asked")
			assert.Contains(t, log.String(), tt.want)
			if tt.startTLS {
				for _, saw := range f.saw() {
					assert.False(t, strings.HasPrefix(saw, "bind"), "a password went over a connection that is not encrypted")
				}
			}
		})
	}
}

func TestAnEndlessAnswerIsCutOff(t *testing.T) {
	tests := map[string][]byte{
		"one huge value":     append([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x04, 0x84, 0x7f, 0xff, 0xff, 0xf0}, make([]byte, 16<<20)...),
		"references":         bytes.Repeat(reference(2, "ldap://elsewhere/"+strings.Repeat("x", 1000)), 16<<10),
		"messages to nobody": bytes.Repeat(result(99, opDone, 0, strings.Repeat("x", 1000)), 16<<10),
	}
	for name, raw := range tests {
		t.Run(name, func(t *testing.T) {
			log, f := new(record), newFake()
			f.answer = at(opSearch, false, &reply{raw: raw})
			cfg := fakeConfig(t, f.serve(t))
			cfg.Logger, cfg.Timeout = logTo(t, log), 20*time.Second

			_, err := open(t, cfg).Authenticate(t.Context(), good)

			assert.ErrorIs(t, err, auth.ErrUnavailable)
			assert.Contains(t, log.String(), "the answer is longer than 4194304 bytes")
		})
	}
}

func TestMoreEntriesThanAskedForAreNoLogin(t *testing.T) {
	f := newFake()
	f.answer = at(opSearch, false, &reply{raw: append(bytes.Repeat(entry(2, f.dn, f.attrs), 3), result(2, opDone, 0, "")...)})
	b := open(t, fakeConfig(t, f.serve(t)))

	_, err := b.Authenticate(t.Context(), good)

	assert.Equal(t, auth.ErrInvalidCredentials, err)
	assert.NotContains(t, f.saw(), "bind "+f.dn)
	assert.Contains(t, f.saw(), "search for 2 at most")
}

func TestTheTimeOfALoginThatEndsFirstIsSaidToo(t *testing.T) {
	log, f := new(record), newFake()
	f.answer = at(opSearch, false, &reply{hang: true})
	cfg := fakeConfig(t, f.serve(t))
	cfg.Logger, cfg.Timeout = logTo(t, log), time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()

	_, err := open(t, cfg).Authenticate(ctx, good)

	assert.ErrorIs(t, err, auth.ErrUnavailable)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Contains(t, log.String(), "lower ldap_timeout")
}

func TestALoginThatIsCancelledReturnsAtOnce(t *testing.T) {
	hang := &reply{hang: true}
	tests := map[string]struct {
		answer   func(request) *reply
		startTLS bool
		dial     func(ctx context.Context, network, address string) (net.Conn, error)
	}{
		"while it connects": {dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}},
		"in StartTLS":           {answer: at(opExtended, false, hang), startTLS: true},
		"in the handshake":      {answer: at(opExtended, false, &reply{hang: true, raw: result(1, opExtendedDone, 0, "")}), startTLS: true},
		"in the service's bind": {answer: at(opBind, false, hang)},
		"in the search":         {answer: at(opSearch, false, hang)},
		"in the person's bind":  {answer: at(opBind, true, hang)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.answer = tt.answer
			cfg := fakeConfig(t, f.serve(t))
			cfg.Timeout, cfg.StartTLS, cfg.Dial = time.Minute, tt.startTLS, tt.dial
			b := open(t, cfg)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			start := time.Now()

			_, err := b.Authenticate(ctx, good)

			took := time.Since(start)
			assert.Less(t, took, 30*time.Second, "not after the minute of the timeout")
			assert.ErrorIs(t, err, auth.ErrUnavailable)
			assert.ErrorIs(t, err, context.Canceled)
			t.Logf("returned %s after the end of the context", took-100*time.Millisecond)
		})
	}
}

func TestALoginThatWaitsForItsTurnCanBeCancelled(t *testing.T) {
	f := newFake()
	f.answer = at(opSearch, false, &reply{hang: true})
	cfg := fakeConfig(t, f.serve(t))
	cfg.MaxConcurrent, cfg.Timeout = 1, time.Minute
	b := open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := b.Authenticate(ctx, good)
		first <- err
	}()
	require.Eventually(t, func() bool { return len(f.saw()) == 2 }, 10*time.Second, time.Millisecond)
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()

	_, err := b.Authenticate(short, good)

	assert.ErrorIs(t, err, auth.ErrUnavailable)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, 1, f.connections())
	cancel()
	assert.ErrorIs(t, <-first, auth.ErrUnavailable)
}

func TestAnAnswerSlippedInBeforeTheEncryptionIsNotHeard(t *testing.T) {
	f, ca := newFake(), newAuthority("ca")
	pair := ca.sign("localhost")
	f.tls = &tls.Config{Certificates: []tls.Certificate{pair}}
	var all []byte // what somebody in the middle adds to the answer in clear
	for id := range int64(5) {
		all = append(all, result(id+2, opBindDone, 0, "")...)
	}
	f.answer = func(r request) *reply {
		if r.op == opBind {
			return &reply{hang: true}
		}
		return &reply{raw: append(result(1, opExtendedDone, 0, ""), all...)}
	}
	_, port, err := net.SplitHostPort(f.serve(t))
	require.NoError(t, err)
	cfg := fakeConfig(t, "localhost:"+port)
	cfg.StartTLS, cfg.RootCAs, cfg.Timeout = true, ca.pool(), 300*time.Millisecond

	_, err = open(t, cfg).Authenticate(t.Context(), good)

	assert.ErrorIs(t, err, auth.ErrUnavailable)
	assert.Equal(t, []string{"starttls", "bind " + serviceDN}, f.saw(), "it went on, encrypted")
}

func TestOldTLSIsRefused(t *testing.T) {
	for name, version := range map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12} {
		t.Run(name, func(t *testing.T) {
			f, ca, log := newFake(), newAuthority("ca"), new(record)
			pair := ca.sign("localhost")
			server := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10, MaxVersion: version}
			f.wrap = func(c net.Conn) net.Conn { return tls.Server(c, server) }
			_, port, err := net.SplitHostPort(f.serve(t))
			require.NoError(t, err)
			cfg := fakeConfig(t)
			cfg.Addresses, cfg.RootCAs, cfg.Logger = []string{"ldaps://localhost:" + port}, ca.pool(), logTo(t, log)

			_, err = open(t, cfg).Authenticate(t.Context(), good)

			if version >= tls.VersionTLS12 {
				require.NoError(t, err)
				return
			}
			assert.ErrorIs(t, err, auth.ErrUnavailable)
			assert.Contains(t, log.String(), "TLS to be 1.2 or later")
			assert.Empty(t, f.saw())
		})
	}
}

func TestACertificateThatHasExpiredIsRefused(t *testing.T) {
	f, log := newFake(), new(record)
	ca := newAuthority("ca")
	pair := ca.signUntil("localhost", time.Now().Add(-time.Minute))
	f.wrap = func(c net.Conn) net.Conn {
		return tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	_, port, err := net.SplitHostPort(f.serve(t))
	require.NoError(t, err)
	cfg := fakeConfig(t)
	cfg.Addresses, cfg.RootCAs, cfg.Logger = []string{"ldaps://localhost:" + port}, ca.pool(), logTo(t, log)

	_, err = open(t, cfg).Authenticate(t.Context(), good)

	assert.ErrorIs(t, err, auth.ErrUnavailable)
	assert.Contains(t, log.String(), "mend its certificate")
	assert.Empty(t, f.saw())
}

func TestPasswordsDoNotCrossTheWireInClear(t *testing.T) {
	s := slapd(t)
	for name, cfg := range map[string]ldap.Config{
		"with StartTLS": {Addresses: []string{s.plain}, StartTLS: true},
		"over TLS":      {Addresses: []string{s.tls}},
	} {
		t.Run(name, func(t *testing.T) {
			wire := new(record)
			wire.t = t
			whole := s.config(t)
			whole.Addresses, whole.StartTLS = cfg.Addresses, cfg.StartTLS
			whole.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, network, address)
				return tap{c, &wire.text}, err
			}
			b := open(t, whole)

			_, err := b.Authenticate(t.Context(), good)

			require.NoError(t, err)
			assert.NotEmpty(t, wire.text.String())
			assert.NotContains(t, wire.text.String(), "tulip")
		})
	}
}

// A tap keeps what is written to a connection.
type tap struct {
	net.Conn

	w io.Writer
}

func (c tap) Write(p []byte) (int, error) {
	_, _ = c.w.Write(p)
	return c.Conn.Write(p)
}
