package directorapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/session"
)

const (
	streamBeat     = 15 * time.Second // a comment, so that a dead connection is noticed on both ends
	streamLook     = 2 * time.Second  // how often a stream looks whether its login is still good
	streamPatience = 10 * time.Second // for a reader that takes nothing
)

// streamEvents sends what changes as server-sent events (the section of that name in
// the HTML standard): to an admin what to ask for again, to a user the desktops.
func (s *Server) streamEvents(c echo.Context) error {
	claims, _ := c.Get(keyClaims).(token.Claims)
	line, err := s.streams.begin(s.cfg.Broker, string(claims.User))
	if err != nil {
		return err
	}
	defer s.streams.end(line)
	out := newEventWriter(c, s.streams.patience)
	st := &stream{s: s, claims: claims, admin: s.isAdmin(claims), line: line, out: out}
	if !st.admin {
		st.desk = &desk{s: s, who: session.Actor{User: claims.User, Groups: claims.Groups}}
	}
	if err := out.begin(); err != nil {
		return fmt.Errorf("begin a stream of events: %w", err)
	}
	_ = st.run(c.Request().Context()) // the reader is gone, and who it was is in the log
	return nil
}

// A stream is one answer that goes on.
type stream struct {
	s      *Server
	claims token.Claims
	admin  bool
	desk   *desk // nil for an admin
	line   *line
	out    *eventWriter
}

// run sends until the reader leaves, the login ends or the server stops.
func (st *stream) run(ctx context.Context) error {
	look := time.NewTicker(streamLook)
	defer look.Stop()
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	if err := st.resync(); err != nil {
		return err
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-stopping(ctx):
			return nil
		case b := <-st.line.batches:
			err = st.pass(b)
		case <-look.C:
			if !st.good() {
				return nil
			}
			if st.line.missed.Load() {
				err = st.resync()
			}
		case <-beat.C:
			err = st.beat()
		}
		if err != nil {
			return err
		}
	}
}

// good says whether the login may still have this stream.
func (st *stream) good() bool {
	return st.s.cfg.Now().Before(st.claims.ExpiresAt) && !st.s.cfg.Broker.TokenRevoked(st.claims.ID) &&
		(!st.admin || st.s.isAdmin(st.claims))
}

// pass sends what came of a batch.
func (st *stream) pass(b *batch) error {
	switch {
	case !st.good():
		return errNoLogin
	case b.resync || st.line.missed.Load():
		return st.resync()
	case st.admin:
		return st.out.send(b.id, dcvix.EventChanges, b.changes())
	case st.desk.concerns(b):
		return st.sendDesktops()
	}
	return nil
}

// resync lets the reader look at everything again.
func (st *stream) resync() error {
	st.line.missed.Store(false)
	for len(st.line.batches) > 0 {
		<-st.line.batches
	}
	if err := st.out.send(st.s.streams.last(), dcvix.EventResync, []byte("{}")); err != nil || st.admin {
		return err
	}
	st.desk.forget()
	return st.sendDesktops()
}

func (st *stream) sendDesktops() error {
	data, changed := st.desk.look()
	if !changed {
		return nil
	}
	return st.out.send(st.s.streams.last(), dcvix.EventDesktops, data)
}

func (st *stream) beat() error {
	if !st.admin { // time alone may have changed something
		if err := st.sendDesktops(); err != nil {
			return err
		}
	}
	return st.out.comment()
}

// A desk is what a user sees of the fleet.
type desk struct {
	s      *Server
	who    session.Actor
	agents map[dcvix.AgentID]struct{} // of the hosts that the policy gives; nil means to be found out
	shown  []byte
}

func (d *desk) forget() { d.agents, d.shown = nil, nil }

// concerns says whether a batch may have changed what the user sees.
func (d *desk) concerns(b *batch) bool {
	if b.renewed {
		d.agents = nil
		return true
	}
	if _, mine := b.owners[ownerKey(d.who.User)]; mine {
		return true
	}
	if d.agents == nil {
		d.agents = make(map[dcvix.AgentID]struct{})
		for _, name := range d.s.cfg.Broker.Access(d.who.User, d.who.Groups).Hosts {
			if a, known := d.s.cfg.Broker.AgentOf(dcvix.Hostname(name)); known {
				d.agents[a.ID] = struct{}{}
			}
		}
	}
	for id := range b.hosts {
		if _, mine := d.agents[id]; mine {
			return true
		}
	}
	return false
}

// look returns the user's desktops in JSON, and whether they look different from the
// last time. When a session was seen is left out: it changes with every report.
func (d *desk) look() (data []byte, changed bool) {
	answer := d.s.desktops(d.who)
	for _, one := range answer.Desktops {
		for i := range one.Sessions {
			one.Sessions[i].LastSeen = dcvix.Time{}
		}
	}
	data, err := json.Marshal(answer)
	if err != nil || bytes.Equal(data, d.shown) { // a time that has no form is not worth the stream
		return nil, false
	}
	d.shown = data
	return data, true
}

// ownerKey is the same for names that may be of one user.
func ownerKey(user dcvix.Username) string { return strings.ToLower(strings.ToUpper(string(user))) }

// An eventWriter writes events to one reader, who does not make it wait for ever.
type eventWriter struct {
	out      http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration // for a reader that takes nothing
	text     bytes.Buffer
}

func newEventWriter(c echo.Context, patience time.Duration) *eventWriter {
	return &eventWriter{out: c.Response(), control: http.NewResponseController(c.Response()), patience: patience}
}

// begin sends the header. The limit that the server has for answers ends here.
func (w *eventWriter) begin() error {
	header := w.out.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store, no-transform") // a proxy that compresses would hold events back
	header.Set("X-Accel-Buffering", "no")                 // so would nginx
	w.out.WriteHeader(http.StatusOK)
	return w.flush()
}

func (w *eventWriter) send(id uint64, kind dcvix.EventKind, data []byte) error {
	fmt.Fprintf(&w.text, "id: %d\nevent: %s\ndata: %s\n\n", id, kind, data)
	return w.flush()
}

func (w *eventWriter) comment() error {
	w.text.WriteString(": all is well\n\n")
	return w.flush()
}

// flush sends what was written. The time limit is for this alone: over HTTP/2 it
// would end a stream that has nothing to say.
func (w *eventWriter) flush() error {
	defer w.text.Reset()
	if err := w.control.SetWriteDeadline(time.Now().Add(w.patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := w.out.Write(w.text.Bytes()); err != nil {
		return err
	}
	if err := w.control.Flush(); err != nil {
		return err
	}
	if err := w.control.SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
