package radius_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/radius"
)

var alice = auth.Credentials{User: "alice", Password: "wonder"}

// Codes and attributes by their numbers (RFC 2865, RFC 3579).
const (
	accept    = 2
	reject    = 3
	challenge = 11

	userName     = 1
	userPassword = 2
	filterID     = 11
	replyMessage = 18
	state        = 24
	class        = 25
	signature    = 80
)

// open returns a backend that has patience, since the machine may be busy.
func open(t testing.TB, cfg radius.Config) *radius.Backend {
	t.Helper()
	if cfg.Secret == "" {
		cfg.Secret = secret
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 20 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	b, err := radius.New(cfg)
	require.NoError(t, err)
	return b
}

// logged is a log to look into.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// A script says which datagrams a server answers a request with.
type script func(request []byte) [][]byte

// serve answers on a UDP port of its own and returns its address.
func serve(t testing.TB, answers script) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { _ = conn.Close() })
	wg.Go(func() {
		for buf := make([]byte, 5000); ; {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			for _, datagram := range answers(bytes.Clone(buf[:n])) {
				_, _ = conn.WriteTo(datagram, from) // a client may be gone
			}
		}
	})
	return conn.LocalAddr().String()
}

// A network has servers without a socket, for virtual time.
type network map[string]script

// dial is the Dial of a Config. A server that the network lacks is silent.
func (n network) dial(_ context.Context, _, address string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close() //nolint:errcheck // a test
		for buf := make([]byte, 5000); ; {
			size, err := server.Read(buf)
			if err != nil {
				return
			}
			answers := n[address]
			if answers == nil {
				continue
			}
			for _, datagram := range answers(bytes.Clone(buf[:size])) {
				if _, err := server.Write(datagram); err != nil {
					return
				}
			}
		}
	}()
	return client, nil
}

// always answers every request with r.
func always(r reply) script {
	return func(request []byte) [][]byte { return [][]byte{r.to(request)} }
}

type attribute struct {
	kind  byte
	value string
}

// A signing says what is wrong with the Message-Authenticator of a reply.
type signing int

const (
	right signing = iota
	absent
	wrongSecret
	twice
	overItself // computed with the authenticator of the reply
	short
	long
	flipped
)

// A reply is what a server answers, and how it is forged.
type reply struct {
	code       byte
	attributes []attribute
	signing    signing
	last       bool // the signature is the last attribute, not the first
	secret     string
}

// to returns the reply to a request as a datagram. It shares no code with what
// it tests.
func (r reply) to(request []byte) []byte {
	if r.secret == "" {
		r.secret = secret
	}
	sum := make([]byte, 16)
	all := slices.Clone(r.attributes)
	sign := attribute{signature, string(sum)}
	switch r.signing {
	case absent:
		return r.seal(request, all)
	case short:
		sign.value = sign.value[:15]
	case long:
		sign.value += "\x00"
	default:
	}
	at := 20 + 2
	if r.last {
		at = len(r.seal(request, all)) + 2
		all = append(all, sign)
	} else {
		all = slices.Insert(all, 0, sign)
	}
	if r.signing == twice {
		all = append(all, sign)
	}
	packet := r.seal(request, all)
	key := r.secret
	if r.signing == wrongSecret {
		key += "?"
	}
	if r.signing != overItself {
		copy(packet[4:20], request[4:20])
	}
	h := hmac.New(md5.New, []byte(key))
	h.Write(packet)
	copy(packet[at:at+len(sign.value)], h.Sum(nil))
	if r.signing == twice {
		copy(packet[len(packet)-16:], h.Sum(nil))
	}
	if r.signing == flipped {
		packet[at] ^= 1
	}
	return r.authenticated(request, packet)
}

// seal returns the packet with a right response authenticator.
func (r reply) seal(request []byte, all []attribute) []byte {
	packet := append([]byte{r.code, request[1], 0, 0}, request[4:20]...)
	for _, a := range all {
		packet = append(append(packet, a.kind, byte(2+len(a.value))), a.value...)
	}
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	return r.authenticated(request, packet)
}

func (r reply) authenticated(request, packet []byte) []byte {
	copy(packet[4:20], request[4:20])
	sum := md5.Sum(append(bytes.Clone(packet), r.secret...))
	copy(packet[4:20], sum[:])
	return packet
}

// hmacMD5 is HMAC-MD5 with the secret of the tests.
func hmacMD5(packet []byte) []byte {
	h := hmac.New(md5.New, []byte(secret))
	h.Write(packet)
	return h.Sum(nil)
}

// attributesOf returns the attributes of a packet in their order.
func attributesOf(packet []byte) []attribute {
	var all []attribute
	for rest := packet[20:]; len(rest) > 0; rest = rest[rest[1]:] {
		all = append(all, attribute{rest[0], string(rest[2:rest[1]])})
	}
	return all
}

func valueOf(packet []byte, kind byte) string {
	for _, a := range attributesOf(packet) {
		if a.kind == kind {
			return a.value
		}
	}
	return ""
}

// passwordOf undoes what RFC 2865 section 5.2 does to a password.
func passwordOf(request []byte) string {
	hidden := []byte(valueOf(request, userPassword))
	var plain []byte
	before := request[4:20]
	for block := range slices.Chunk(hidden, 16) {
		mask := md5.Sum(append([]byte(secret), before...))
		for i := range block {
			plain = append(plain, block[i]^mask[i])
		}
		before = block
	}
	return string(bytes.TrimRight(plain, "\x00"))
}
