package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/dcvix/dcvix"
)

// quiet is how long a stream may say nothing: three times as long as a director is
// silent.
const quiet = 45 * time.Second

// Events follows what changes and calls f with each event, one at a time, until ctx
// is done, f returns an error, which Events returns, or the stream ends. The first
// event is [dcvix.EventResync]. A stream that the director ended, as it does when the
// login ends, and one that went dead is an [io.ErrUnexpectedEOF]: call again. A
// director of the 0.1 generation cannot do it: the error is [errors.ErrUnsupported].
func (c *Client) Events(ctx context.Context, f func(dcvix.Event) error) error {
	asked := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dead := time.AfterFunc(quiet, cancel)
	defer dead.Stop()
	stream := call{method: http.MethodGet, path: dcvix.PathEvents, new: true}
	req, err := c.request(ctx, stream)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream, application/problem+json")
	res, err := c.http.Do(req)
	if err != nil {
		return c.transportError(ctx, err)
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		body, _ := io.ReadAll(io.LimitReader(res.Body, c.most))
		if err := c.check(stream, res, body); err != nil {
			return err
		}
		return c.notDirector("it answers with no stream of events")
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, int(min(c.most, 1<<30)))
	err = c.follow(lines, dead, f)
	if asked.Err() != nil {
		return asked.Err()
	}
	return err
}

// follow reads events (the section on server-sent events in the HTML standard) as
// directors write them: each field in one line.
func (c *Client) follow(lines *bufio.Scanner, dead *time.Timer, f func(dcvix.Event) error) error {
	var e dcvix.Event
	var data string
	for lines.Scan() {
		dead.Reset(quiet)
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			e.ID = value
		case "event":
			e.Kind = dcvix.EventKind(value)
		case "data":
			data = value
		}
		if lines.Text() != "" || data == "" {
			continue
		}
		if err := fill(&e, data); err != nil {
			return c.notDirector("an event of it cannot be read")
		}
		dead.Stop() // f may take its time
		if err := f(e); err != nil {
			return err
		}
		dead.Reset(quiet)
		e, data = dcvix.Event{}, ""
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return c.notDirector("an event of it is too large")
	}
	return fmt.Errorf("the stream of events ended: %w", io.ErrUnexpectedEOF)
}

// fill reads the data of an event of a kind that it knows.
func fill(e *dcvix.Event, data string) error {
	switch e.Kind {
	case dcvix.EventChanges:
		e.Changes = new(dcvix.Changes)
		return json.Unmarshal([]byte(data), e.Changes)
	case dcvix.EventDesktops:
		e.Desktops = new(dcvix.DesktopsResponse)
		return json.Unmarshal([]byte(data), e.Desktops)
	default:
		return nil
	}
}
