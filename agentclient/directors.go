package agentclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A director is one address of the director, with connections of its own: its
// certificate must name the host that is dialled.
type director struct {
	url    *url.URL // without a slash at its end
	host   string   // of url
	client *http.Client
}

func (a *Agent) newDirector(raw string) (*director, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("the director's URL is %q: give it as https://host:port", raw)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), strconv.Itoa(DefaultDirectorPort))
	}
	d := &director{url: u, host: u.Hostname()}
	d.client = &http.Client{
		CheckRedirect: noRedirect,
		Transport: &http.Transport{ // no proxy: the director is near, and the trust is between the two
			DialContext:            a.cfg.Dial,
			TLSClientConfig:        a.clientTLS(d, a.verifyDirector(d)),
			TLSHandshakeTimeout:    callLimit,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: maxAnswer,
			DisableCompression:     true,
		},
	}
	return d, nil
}

// ask makes a call to the directors one after the other, beginning with the one
// that answered last, until one of them answers. Its error is then the call's.
func (a *Agent) ask(ctx context.Context, call func(context.Context, *director) error) error {
	first := int(a.current.Load())
	var failed noAnswerError
	for i := range a.directors {
		at := (first + i) % len(a.directors)
		err := call(ctx, a.directors[at])
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case answered(err):
			a.prefer(ctx, at)
			return err
		}
		// The next try is to see what the director shows by then.
		a.directors[at].client.CloseIdleConnections()
		if len(a.directors) == 1 {
			return err
		}
		failed = append(failed, fmt.Sprintf("%s: %s", a.directors[at].host, reason(err)))
	}
	return failed
}

// answered says whether another director need not be asked: the call went well,
// or was refused in a way that they share.
func answered(err error) bool {
	if refused, ok := errors.AsType[*refusal](err); ok {
		switch refused.status {
		case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
			return true
		}
	}
	return err == nil || errors.Is(err, errPending)
}

// prefer makes a director the first to be asked.
func (a *Agent) prefer(ctx context.Context, at int) {
	if before := a.current.Swap(int64(at)); int(before) != at {
		a.cfg.Logger.WarnContext(ctx, "another director answers and is asked from now on",
			slog.String("director", a.directors[at].host), slog.String("before", a.directors[before].host))
	}
}

// closeIdle makes later calls open new connections.
func (a *Agent) closeIdle() {
	for _, d := range a.directors {
		d.client.CloseIdleConnections()
	}
}

// noAnswerError says of each of several directors why it did not answer.
type noAnswerError []string

func (e noAnswerError) Error() string { return "no director answers: " + strings.Join(e, "; ") }
