package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/dcvix/dcvix/auth"
)

// maxAnswer bounds what a server may send in one step. An entry of Active
// Directory names at most 1,500 groups at once, about 200 kB.
const maxAnswer = 4 << 20

const noPolicyError = -1

var errTooMuch = fmt.Errorf("the answer is longer than %d bytes", maxAnswer)

// A conn is a connection to one server, on which one step runs at a time.
type conn struct {
	ldap    *goldap.Conn
	raw     *boundedConn
	timeout time.Duration
	opened  time.Time
	expiry  *time.Timer // closes it when it was idle for too long; nil while in use
}

// dial connects, and encrypts the connection as the server's address asks for.
func (b *Backend) dial(ctx context.Context, s *server) (*conn, error) {
	limited, cancel := context.WithTimeoutCause(ctx, b.cfg.Timeout, errTimeout)
	defer cancel()
	inner, err := b.cfg.Dial(limited, "tcp", net.JoinHostPort(s.host, s.port))
	if err != nil {
		return nil, causeOr(limited, err)
	}
	c := &conn{raw: &boundedConn{Conn: inner}, timeout: b.cfg.Timeout, opened: time.Now()}
	c.raw.left.Store(maxAnswer)
	if s.mode != overTLS {
		c.ldap = goldap.NewConn(c.raw, false)
		c.ldap.Start()
		if s.mode == startTLS {
			err = c.do(limited, func() error { return c.ldap.StartTLS(s.tls) })
		}
	} else {
		encrypted := tls.Client(c.raw, s.tls)
		if err = encrypted.HandshakeContext(limited); err == nil {
			c.ldap = goldap.NewConn(encrypted, true)
			c.ldap.Start()
		}
	}
	if err != nil {
		c.close()
		return nil, causeOr(limited, err)
	}
	return c, nil
}

// do runs one step. It returns within moments after ctx is done or the timeout
// is over; the connection is then closed.
func (c *conn) do(ctx context.Context, step func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errTimeout)
	defer cancel()
	c.raw.left.Store(maxAnswer)
	stop := context.AfterFunc(ctx, func() { _ = c.raw.Close() })
	err := step()
	if !stop() {
		return context.Cause(ctx)
	}
	if err != nil && c.raw.left.Load() <= 0 {
		return errTooMuch
	}
	return err
}

// bind binds with a password that is not empty. Directories that know password
// policies (draft-behera-ldap-password-policy) say more than the result does:
// policy is one of their errors, or noPolicyError.
func (c *conn) bind(ctx context.Context, name string, password auth.Secret) (policy int8, err error) {
	policy = noPolicyError
	req := goldap.NewSimpleBindRequest(name, string(password), []goldap.Control{goldap.NewControlBeheraPasswordPolicy()})
	err = c.do(ctx, func() error {
		result, err := c.ldap.SimpleBind(req)
		if result != nil {
			if said, ok := goldap.FindControl(result.Controls, goldap.ControlTypeBeheraPasswordPolicy).(*goldap.ControlBeheraPasswordPolicy); ok {
				policy = said.Error
			}
		}
		return err
	})
	return policy, err
}

// bindAnonymously tells the server that nobody is to be authenticated (RFC 4513,
// 5.1.1). It never has to do with a login.
func (c *conn) bindAnonymously(ctx context.Context) error {
	return c.do(ctx, func() error { return c.ldap.UnauthenticatedBind("") })
}

func (c *conn) search(ctx context.Context, req *goldap.SearchRequest) (entries []*goldap.Entry, err error) {
	err = c.do(ctx, func() error {
		result, err := c.ldap.Search(req)
		if result != nil {
			entries = result.Entries
		}
		return err
	})
	return entries, err
}

// close closes the connection. It does not wait for a server that no longer reads.
func (c *conn) close() {
	_ = c.raw.SetDeadline(time.Now().Add(time.Second))
	if c.ldap != nil {
		_ = c.ldap.Close()
	}
	_ = c.raw.Close()
}

// causeOr returns why ctx ended, or err when it did not.
func causeOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// A boundedConn stops reading when the answer to one step is too long: the
// library would take 2 GiB from a server that has gone wrong.
type boundedConn struct {
	net.Conn

	left atomic.Int64
}

// Read implements net.Conn.
func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left.Load() <= 0 {
		return 0, errTooMuch
	}
	n, err := c.Conn.Read(p)
	c.left.Add(-int64(n))
	return n, err
}

var errTimeout = errors.New("no answer in time")
