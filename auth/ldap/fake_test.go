package ldap_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth/ldap"
)

// Operations of RFC 4511, by the tags of their requests and responses.
const (
	opBind, opBindDone           = 0, 1
	opSearch                     = 3
	opEntry, opDone, opReference = 4, 5, 19
	opExtended, opExtendedDone   = 23, 24
)

// A fake is a server that does what no healthy directory does. Its fields are
// set before it is served.
type fake struct {
	// answer decides what to do with a request; nil, and a nil reply, take the
	// usual answer.
	answer func(r request) *reply
	dn     string              // of the entry that a search finds; "-" finds none
	attrs  map[string][]string // of that entry
	tls    *tls.Config         // after StartTLS, or from the start of serveTLS
	wrap   func(net.Conn) net.Conn

	mu    sync.Mutex
	seen  []string // "bind DN", "search for N at most", "starttls", in order
	conns int
	open  map[net.Conn]bool
}

// A request is what a client sent.
type request struct {
	op           ber.Tag
	n            int    // which of this connection, from 1
	dn, password string // of a bind
	limit        int64  // of a search
	bound        string // as whom this connection was bound before
}

// A reply replaces the usual answer.
type reply struct {
	hang  bool   // answer nothing more, after raw, and keep the connection
	close bool   // close the connection, after raw
	raw   []byte // send this
	code  int64  // send this result
	text  string // with this diagnostic message
}

func newFake() *fake {
	return &fake{dn: "cn=Alice," + baseDN, attrs: map[string][]string{"uid": {"alice"}}, open: make(map[net.Conn]bool)}
}

// serve listens on a free port until the test ends, and returns host and port.
func (f *fake) serve(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { f.handle(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		f.hangUp()
		wg.Wait()
	})
	return l.Addr().String()
}

// pipe is a Dial for bubbles: the other end of each connection is served here.
func (f *fake) pipe(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	go f.handle(far)
	return near, nil
}

// hangUp closes all connections from the server's side.
func (f *fake) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.open {
		_ = c.Close()
	}
}

func (f *fake) saw() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

func (f *fake) connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conns
}

func (f *fake) openConnections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.open)
}

func (f *fake) handle(c net.Conn) {
	f.mu.Lock()
	f.conns++
	f.open[c] = true
	f.mu.Unlock()
	inner := c
	defer func() {
		f.mu.Lock()
		delete(f.open, inner)
		f.mu.Unlock()
		_ = inner.Close()
	}()
	if f.wrap != nil {
		c = f.wrap(c)
	}
	bound := ""
	for n := 1; ; n++ {
		p, err := ber.ReadPacket(c)
		if err != nil || len(p.Children) < 2 {
			return
		}
		id, op := p.Children[0].Value.(int64), p.Children[1]
		r := request{op: op.Tag, n: n, bound: bound}
		if op.Tag == opBind {
			r.dn, r.password = op.Children[1].Value.(string), op.Children[2].Data.String()
			bound = r.dn
		}
		if op.Tag == opSearch {
			r.limit = op.Children[3].Value.(int64)
		}
		if c = f.respond(c, id, r); c == nil {
			return
		}
	}
}

// respond answers one request and returns the connection to go on with.
func (f *fake) respond(c net.Conn, id int64, r request) net.Conn {
	names := map[ber.Tag]string{opBind: "bind " + r.dn, opSearch: fmt.Sprintf("search for %d at most", r.limit), opExtended: "starttls"}
	f.mu.Lock()
	f.seen = append(f.seen, names[r.op])
	f.mu.Unlock()
	var out *reply
	if f.answer != nil {
		out = f.answer(r)
	}
	done := map[ber.Tag]ber.Tag{opBind: opBindDone, opSearch: opDone, opExtended: opExtendedDone}[r.op]
	switch {
	case out == nil && r.op == opSearch && f.dn != "-":
		_, _ = c.Write(append(entry(id, f.dn, f.attrs), result(id, opDone, 0, "")...))
	case out == nil:
		_, _ = c.Write(result(id, done, 0, ""))
	case out.hang:
		_, _ = c.Write(out.raw)
		_, _ = io.Copy(io.Discard, c) // until the client goes
		return nil
	case out.raw != nil || out.close:
		_, _ = c.Write(out.raw)
	default:
		_, _ = c.Write(result(id, done, out.code, out.text))
	}
	if out != nil && out.close {
		return nil
	}
	if r.op == opExtended && f.tls != nil && (out == nil || out.code == 0) {
		return tls.Server(c, f.tls)
	}
	return c
}

func message(id int64, op *ber.Packet) []byte {
	p := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	p.AppendChild(op)
	return p.Bytes()
}

func result(id int64, tag ber.Tag, code int64, text string) []byte {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	op.AppendChild(octets(""))
	op.AppendChild(octets(text))
	return message(id, op)
}

func entry(id int64, dn string, attrs map[string][]string) []byte {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, opEntry, nil, "")
	op.AppendChild(octets(dn))
	list := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	for name, values := range attrs {
		attr := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
		attr.AppendChild(octets(name))
		set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for _, v := range values {
			set.AppendChild(octets(v))
		}
		attr.AppendChild(set)
		list.AppendChild(attr)
	}
	op.AppendChild(list)
	return message(id, op)
}

// reference points a search to another server (RFC 4511, 4.5.3).
func reference(id int64, url string) []byte {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, opReference, nil, "")
	op.AppendChild(octets(url))
	return message(id, op)
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

// isUser reports whether a bind is that of a person, not of the service account.
func (r request) isUser() bool { return r.op == opBind && r.dn != serviceDN }

func fakeConfig(t testing.TB, addresses ...string) ldap.Config {
	cfg := ldap.Config{
		BaseDN: baseDN, BindUser: serviceDN, BindPassword: servicePass, Filter: "(uid=%s)", GroupAttribute: "memberOf", Logger: logTo(t, nil),
	}
	for _, a := range addresses {
		cfg.Addresses = append(cfg.Addresses, "ldap://"+a)
	}
	return cfg
}
