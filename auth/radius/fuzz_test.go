package radius_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/radius"
)

// once is a connection on which one datagram answers the request.
type once struct {
	net.Conn
	answer  func(request []byte) []byte
	waiting []byte
}

func (c *once) Write(request []byte) (int, error) {
	c.waiting = c.answer(bytes.Clone(request))
	return len(request), nil
}

func (c *once) Read(p []byte) (int, error) {
	if c.waiting == nil {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p, c.waiting)
	c.waiting = nil
	return n, nil
}

func (*once) Close() error                    { return nil }
func (*once) LocalAddr() net.Addr             { return &net.UDPAddr{IP: net.IPv6loopback} }
func (*once) SetReadDeadline(time.Time) error { return nil }

func answering(f testing.TB, answer func(request []byte) []byte, allowUnsigned bool) *radius.Backend {
	return open(f, radius.Config{
		Servers: []string{"radius"}, AllowUnsigned: allowUnsigned, Logger: slog.New(slog.DiscardHandler),
		Dial: func(context.Context, string, string) (net.Conn, error) { return &once{answer: answer}, nil },
	})
}

// FuzzAnswer gives the backend foreign bytes as an answer: as they are, as the
// attributes of a packet that only a holder of the secret can seal, and signed.
// Only the last kind may let somebody in.
func FuzzAnswer(f *testing.F) {
	const raw, sealed, signed = 0, 1, 2
	f.Add(byte(accept), []byte("\x02\x00\x00\x14"), byte(raw))
	f.Add(byte(accept), []byte(nil), byte(sealed))
	f.Add(byte(accept), append([]byte{signature, 18}, make([]byte, 16)...), byte(sealed))
	f.Add(byte(accept), append([]byte{signature, 18}, make([]byte, 16)...), byte(signed))
	f.Add(byte(accept), []byte("\x01\x06root\x0b\x05cad"), byte(signed))
	f.Add(byte(challenge), []byte("\x18\x06abcd\x12\x06code"), byte(signed))
	f.Add(byte(reject), []byte("\x12\x00"), byte(signed))
	f.Fuzz(func(t *testing.T, code byte, body []byte, how byte) {
		body = body[:min(len(body), 4000)]
		build := func(request []byte) []byte {
			switch how % 3 {
			case raw:
				return body
			case sealed:
				return reply{secret: secret}.authenticated(request, header(code, request, body))
			default:
				return reply{code: code}.signedBody(request, body)
			}
		}
		who, err := answering(t, build, false).Authenticate(t.Context(), alice)
		if err == nil && (how%3 != signed || code != accept || slices.Contains(kindsOf(body), signature)) {
			t.Fatalf("let in as %v by %x", who, body)
		}
		if err == nil && (who.User.Validate() != nil || len(who.Groups) > 64) {
			t.Fatalf("identity %q", who)
		}
		asked := (*auth.Challenge)(nil)
		if errors.As(err, &asked) && (how%3 != signed || code != challenge || len(asked.Prompt) > 500 || len(asked.State) > 4<<10) {
			t.Fatalf("challenge %q", asked)
		}
		// A server that signs nothing must not panic us either.
		if _, err := answering(t, build, true).Authenticate(t.Context(), alice); err == nil && how%3 == raw {
			t.Fatal("let in without the secret")
		}
	})
}

// header returns a packet whose attributes are body, with a length that fits.
func header(code byte, request, body []byte) []byte {
	packet := append([]byte{code, request[1], byte((20 + len(body)) >> 8), byte(20 + len(body))}, request[4:20]...)
	return append(packet, body...)
}

// signedBody is a packet with a right signature before body.
func (r reply) signedBody(request, body []byte) []byte {
	packet := header(r.code, request, append(append([]byte{signature, 18}, make([]byte, 16)...), body...))
	copy(packet[22:], hmacMD5(packet))
	return reply{secret: secret}.authenticated(request, packet)
}

// kindsOf returns the types of attributes as far as they can be read.
func kindsOf(body []byte) (kinds []byte) {
	for len(body) >= 2 && body[1] >= 2 && int(body[1]) <= len(body) {
		kinds = append(kinds, body[0])
		body = body[body[1]:]
	}
	return kinds
}

// FuzzChallenge gives the backend foreign bytes as the State of a challenge.
func FuzzChallenge(f *testing.F) {
	f.Add("alice", "")
	f.Add("alice", "eyJ1c2VyIjoiYWxpY2UiLCJzZXJ2ZXIiOiJyYWRpdXM6MTgxMiIsInN0ZXBzIjoxfQ")
	f.Fuzz(func(t *testing.T, user, challenge string) {
		if challenge == "" {
			return
		}
		b := answering(t, func(request []byte) []byte {
			if got := valueOf(request, userName); got != user || len(valueOf(request, state)) > 253 || passwordOf(request) != "123456" {
				t.Fatalf("asked for %q", got)
			}
			return reply{code: accept}.to(request)
		}, false)
		_, _ = b.Authenticate(t.Context(), auth.Credentials{User: user, Password: "wonder", OTP: "123456", Challenge: challenge})
	})
}
