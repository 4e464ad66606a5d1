package directorcmd

import (
	"bytes"
	"io"
	"net/http"
	"os/user"

	"github.com/dcvix/dcvix/directorapi"
)

// A local transport hands requests to a handler in this process, as of its
// operator.
type local struct {
	handler  http.Handler
	operator string
}

var _ http.RoundTripper = (*local)(nil)

// RoundTrip implements [http.RoundTripper].
func (l *local) RoundTrip(r *http.Request) (*http.Response, error) {
	served := r.Clone(directorapi.WithOperator(r.Context(), l.operator))
	if served.Body == nil {
		served.Body = http.NoBody
	}
	defer served.Body.Close() //nolint:errcheck // it was only read
	w := &answer{status: http.StatusOK, header: make(http.Header)}
	l.handler.ServeHTTP(w, served)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// An answer collects what a handler writes.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

var _ http.ResponseWriter = (*answer)(nil)

// Header implements [http.ResponseWriter].
func (a *answer) Header() http.Header { return a.header }

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) { a.status = status }

// userName is who runs this process, for the record.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}
