package radius_test

import (
	"bytes"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/radius"
)

// An attack is what somebody on the way sends in place of a server's answer.
type attack struct {
	datagrams script
	says      string // in the log, when nothing better comes
}

// attacks let nobody in, with AllowUnsigned or without.
func attacks() map[string]attack {
	broken := func(change func(packet []byte) []byte) script {
		return func(request []byte) [][]byte { return [][]byte{change(reply{code: accept}.to(request))} }
	}
	other := []attribute{{signature, "sixteen letters."}}
	return map[string]attack{
		"two signatures, the first of them right": {always(reply{code: accept, attributes: other}), "wrong Message-Authenticator"},
		"two signatures, the last of them right":  {always(reply{code: accept, attributes: other, last: true}), "wrong Message-Authenticator"},
		"signed with another secret":              {always(reply{code: accept, signing: wrongSecret}), "wrong Message-Authenticator"},
		"all made with another secret":            {always(reply{code: accept, secret: "guessed"}), "not made with our secret"},
		"one signature, twice":                    {always(reply{code: accept, signing: twice}), "wrong Message-Authenticator"},
		"signed over the answer's authenticator":  {always(reply{code: accept, signing: overItself}), "wrong Message-Authenticator"},
		"a signature of 15 bytes":                 {always(reply{code: accept, signing: short}), "wrong Message-Authenticator"},
		"a signature of 17 bytes":                 {always(reply{code: accept, signing: long}), "wrong Message-Authenticator"},
		"one bit of the signature":                {always(reply{code: accept, signing: flipped}), "wrong Message-Authenticator"},
		"one bit of the response authenticator":   {broken(func(p []byte) []byte { p[4] ^= 1; return p }), "not made with our secret"},
		"a refusal whose code was changed":        {flippedRefusal, "not made with our secret"},
		"another identifier":                      {broken(func(p []byte) []byte { p[1]++; return p }), "no RADIUS"},
		"the answer to another identifier": {func(request []byte) [][]byte {
			other := bytes.Clone(request)
			other[1]++
			return [][]byte{reply{code: accept}.to(other)}
		}, "no RADIUS"},
		"a code that answers no login":             {always(reply{code: 5}), "no RADIUS"},
		"a length beyond the datagram":             {broken(func(p []byte) []byte { p[2] = 0x0f; return p }), "no RADIUS"},
		"a length below the header":                {broken(func(p []byte) []byte { p[2], p[3] = 0, 19; return p }), "no RADIUS"},
		"an attribute without length":              {broken(func(p []byte) []byte { p[21] = 0; return p }), "no RADIUS"},
		"an attribute beyond the packet":           {broken(func(p []byte) []byte { p[21] = 255; return p }), "no RADIUS"},
		"cut off":                                  {broken(func(p []byte) []byte { return p[:len(p)-1] }), "no RADIUS"},
		"cut to the header":                        {broken(func(p []byte) []byte { return p[:19] }), "no RADIUS"},
		"nothing in it":                            {func([]byte) [][]byte { return [][]byte{{}} }, "does not answer|no RADIUS"},
		"noise":                                    {func([]byte) [][]byte { return [][]byte{bytes.Repeat([]byte{0xa5}, 4096)} }, "no RADIUS"},
		"larger than a packet":                     {func([]byte) [][]byte { return [][]byte{bytes.Repeat([]byte{2}, 4096)} }, "no RADIUS|not made with our secret"},
		"the request sent back":                    {func(request []byte) [][]byte { return [][]byte{request} }, "no RADIUS"},
		"the request sent back with another code":  {func(request []byte) [][]byte { r := bytes.Clone(request); r[0] = accept; return [][]byte{r} }, "not made with our secret"},
		"a challenge signed with another secret":   {always(reply{code: challenge, signing: wrongSecret}), "wrong Message-Authenticator"},
		"a refusal signed with another secret":     {always(reply{code: reject, signing: wrongSecret}), "wrong Message-Authenticator"},
		"a signature hidden behind other things":   {always(reply{code: accept, signing: wrongSecret, last: true, attributes: []attribute{{33, "proxy"}}}), "wrong Message-Authenticator"},
		"a thousand forgeries before the deadline": {func(r []byte) [][]byte { return slices.Repeat(always(reply{code: accept, signing: twice})(r), 1000) }, "wrong Message-Authenticator"},
	}
}

// unsigned are those of CVE-2024-3596: somebody who can make MD5 collide turns a
// refusal into this without the secret.
func unsigned() map[string]attack {
	return map[string]attack{
		"no signature": {always(reply{code: accept, signing: absent}), "no Message-Authenticator"},
		"no signature and a Proxy-State of 240 bytes": {always(reply{code: accept, signing: absent, attributes: []attribute{
			{33, string(bytes.Repeat([]byte{0xd1}, 240))},
		}}), "no Message-Authenticator"},
		"a signature inside a Proxy-State": {always(reply{code: accept, signing: absent, attributes: []attribute{
			{33, string(append([]byte{signature, 18}, make([]byte, 16)...))},
		}}), "no Message-Authenticator"},
		"a challenge without signature": {always(reply{code: challenge, signing: absent}), "no Message-Authenticator"},
		"a refusal without signature":   {always(reply{code: reject, signing: absent}), "no Message-Authenticator"},
	}
}

func flippedRefusal(request []byte) [][]byte {
	p := reply{code: reject}.to(request)
	p[0] = accept
	return [][]byte{p}
}

// TestAForgedAnswerIsPassedOver has each attack before the real answer, over UDP.
func TestAForgedAnswerIsPassedOver(t *testing.T) {
	check := func(t *testing.T, cfg radius.Config, forged script) {
		var answer atomic.Pointer[reply]
		cfg.Servers = []string{serve(t, func(request []byte) [][]byte { return append(forged(request), answer.Load().to(request)) })}
		answer.Store(&reply{code: reject})
		_, err := open(t, cfg).Authenticate(t.Context(), alice)
		require.ErrorIs(t, err, auth.ErrInvalidCredentials, "a refusal stays one")
		answer.Store(&reply{code: accept, last: true})
		_, err = open(t, cfg).Authenticate(t.Context(), alice)
		require.NoError(t, err, "an acceptance too")
	}
	for name, a := range unsigned() {
		t.Run(name, func(t *testing.T) { check(t, radius.Config{}, a.datagrams) })
	}
	for name, a := range attacks() {
		t.Run(name, func(t *testing.T) {
			if name != "a thousand forgeries before the deadline" { // more than a socket keeps
				check(t, radius.Config{}, a.datagrams)
				check(t, radius.Config{AllowUnsigned: true}, a.datagrams)
			}
		})
	}
}

// TestAForgedAnswerAloneLetsNobodyIn has nothing else come, in virtual time.
func TestAForgedAnswerAloneLetsNobodyIn(t *testing.T) {
	check := func(t *testing.T, cfg radius.Config, a attack) {
		synctest.Test(t, func(t *testing.T) {
			log := &logged{}
			cfg.Servers, cfg.Logger = []string{"radius"}, log.logger()
			cfg.Dial = network{"radius:1812": a.datagrams}.dial
			_, err := open(t, cfg).Authenticate(t.Context(), alice)
			require.ErrorIs(t, err, auth.ErrUnavailable)
			require.NotErrorIs(t, err, auth.ErrInvalidCredentials)
			assert.Regexp(t, a.says, log.String())
		})
	}
	for name, a := range unsigned() {
		t.Run(name, func(t *testing.T) { check(t, radius.Config{}, a) })
	}
	for name, a := range attacks() {
		t.Run(name, func(t *testing.T) {
			check(t, radius.Config{}, a)
			check(t, radius.Config{AllowUnsigned: true}, a)
		})
	}
}

func TestAnUnsignedAnswerCountsWhereThatIsConfigured(t *testing.T) {
	for name, tt := range map[string]struct {
		code byte
		want error
	}{"accepted": {code: accept}, "refused": {code: reject, want: auth.ErrInvalidCredentials}} {
		t.Run(name, func(t *testing.T) {
			b := open(t, radius.Config{Servers: []string{serve(t, always(reply{code: tt.code, signing: absent}))}, AllowUnsigned: true})
			_, err := b.Authenticate(t.Context(), alice)
			require.ErrorIs(t, err, tt.want)
		})
	}
}

// TestAServerThatSignsNothingIsNotAskedAgain: it would answer the same.
func TestAServerThatSignsNothingIsNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		n := network{"radius:1812": func(request []byte) [][]byte {
			asked++
			return always(reply{code: accept, signing: absent})(request)
		}}
		start := time.Now()
		_, err := open(t, radius.Config{Servers: []string{"radius"}, Timeout: time.Second, Dial: n.dial}).Authenticate(t.Context(), alice)
		require.ErrorIs(t, err, auth.ErrUnavailable)
		assert.Equal(t, 1, asked)
		assert.LessOrEqual(t, time.Since(start), time.Second)
	})
}

func TestPaddingBehindAnAnswerIsIgnored(t *testing.T) {
	b := open(t, radius.Config{Servers: []string{serve(t, func(request []byte) [][]byte {
		return [][]byte{append(reply{code: accept}.to(request), "padding"...)}
	})}})
	_, err := b.Authenticate(t.Context(), alice)
	require.NoError(t, err)
}

// TestAnAnswerFromAnotherAddressIsNotHeard: the acceptance is perfect but for
// where it comes from.
func TestAnAnswerFromAnotherAddressIsNotHeard(t *testing.T) {
	other, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer other.Close() //nolint:errcheck // a test
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer server.Close() //nolint:errcheck // a test
	go func() {
		buf := make([]byte, 4096)
		n, from, err := server.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = other.WriteTo(reply{code: accept}.to(buf[:n]), from)
		_, _ = server.WriteTo(reply{code: reject}.to(buf[:n]), from)
	}()
	_, err = open(t, radius.Config{Servers: []string{server.LocalAddr().String()}}).Authenticate(t.Context(), alice)
	require.ErrorIs(t, err, auth.ErrInvalidCredentials)
}

// TestAnOldAnswerIsNoAnswer replays the acceptance of a login at later ones.
func TestAnOldAnswerIsNoAnswer(t *testing.T) {
	var old []byte
	b := open(t, radius.Config{Servers: []string{serve(t, func(request []byte) [][]byte {
		if old == nil {
			old = reply{code: accept}.to(request)
			return [][]byte{old}
		}
		fitted := bytes.Clone(old)
		fitted[1] = request[1]
		return [][]byte{old, fitted, reply{code: reject}.to(request)}
	})}})
	_, err := b.Authenticate(t.Context(), alice)
	require.NoError(t, err)
	for range 20 {
		_, err = b.Authenticate(t.Context(), auth.Credentials{User: "alice", Password: "guess"})
		require.ErrorIs(t, err, auth.ErrInvalidCredentials)
	}
}

// TestALateAnswerCounts: it is the answer to the first try, when the second is
// already sent; what comes a second time is nobody's.
func TestALateAnswerCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first []byte
		n := network{"radius:1812": func(request []byte) [][]byte {
			if first == nil {
				first = request
				return nil
			}
			return [][]byte{reply{code: accept}.to(first), reply{code: reject}.to(first)}
		}}
		b := open(t, radius.Config{Servers: []string{"radius"}, Timeout: time.Second, Dial: n.dial})
		_, err := b.Authenticate(t.Context(), alice)
		require.NoError(t, err)
	})
}
