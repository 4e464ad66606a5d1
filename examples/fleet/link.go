package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
)

// callLimit is how long one call to the director may take, as in a real agent.
const callLimit = 15 * time.Second

// A link is the connection that one agent keeps to the director. It is a small
// HTTP/1.1 client without goroutines or buffers of its own, so that ten thousand
// fit into a process.
type link struct {
	to      *url.URL
	tls     *tls.Config
	buffers *sync.Pool // of *bufio.Reader, used during a call
	conn    *tls.Conn  // nil: closed
}

// post sends JSON and returns the status. A kept connection that turns out to be
// closed is opened anew, once.
func (l *link) post(ctx context.Context, path string, body []byte) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	if l.conn != nil {
		if status, err = l.exchange(ctx, path, body); err == nil || ctx.Err() != nil {
			return status, err
		}
	}
	if err := l.dial(ctx); err != nil {
		return 0, err
	}
	return l.exchange(ctx, path, body)
}

func (l *link) dial(ctx context.Context) error {
	conn, err := (&tls.Dialer{Config: l.tls}).DialContext(ctx, "tcp", l.to.Host)
	if err != nil {
		return fmt.Errorf("call the director: %w", err)
	}
	l.conn = conn.(*tls.Conn) //nolint:forcetypeassert // what tls.Dialer promises
	return nil
}

// exchange sends one request and reads the whole answer.
func (l *link) exchange(ctx context.Context, path string, body []byte) (int, error) {
	conn := l.conn
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	status, keep, err := l.roundTrip(path, body)
	if err != nil || !keep {
		l.close()
	}
	return status, err
}

func (l *link) roundTrip(path string, body []byte) (status int, keep bool, err error) {
	var request bytes.Buffer
	fmt.Fprintf(&request, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: dcvix-fleet/%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		l.to.Path+path, l.to.Host, dcvix.Version, len(body))
	request.Write(body)
	if _, err := l.conn.Write(request.Bytes()); err != nil {
		return 0, false, err
	}
	buffer, ok := l.buffers.Get().(*bufio.Reader)
	if !ok {
		buffer = bufio.NewReaderSize(l.conn, 2<<10)
	}
	defer l.buffers.Put(buffer)
	buffer.Reset(l.conn)
	resp, err := http.ReadResponse(buffer, nil)
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = resp.Body.Close() }() // it is read to its end
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, false, err
	}
	return resp.StatusCode, !resp.Close, nil
}

// close closes the connection without a farewell, for which a director that does
// not read would make us wait.
func (l *link) close() {
	if l.conn != nil {
		_ = l.conn.NetConn().Close()
		l.conn = nil
	}
}
