package directorapi

import (
	"encoding/json"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/session"
)

// OpenStreams returns how many streams of events are open.
func (s *Server) OpenStreams() int {
	s.streams.mu.Lock()
	defer s.streams.mu.Unlock()
	return len(s.streams.open)
}

// SetStreamPatience says how long a reader of events may take nothing.
func (s *Server) SetStreamPatience(d time.Duration) { s.streams.patience = d }

// FillStreams opens a stream for each of n users, and returns how many are let in.
func FillStreams(t testing.TB, broker *session.Broker, n int) int {
	t.Helper()
	var all streams
	var open []*line
	for i := range n {
		if l, err := all.begin(broker, "user"+strconv.Itoa(i)); err == nil {
			open = append(open, l)
		}
	}
	for _, l := range open {
		all.end(l)
	}
	if len(all.open)+len(all.ofUser) > 0 || all.stop != nil {
		t.Error("something is left of the streams")
	}
	return len(open)
}

func changesOf(data []byte) *batch { return &batch{changes: func() []byte { return data }} }

// Flood hands all streams batches of so many bytes in all, as far as they take them.
func Flood(t testing.TB, s *Server, n int) {
	t.Helper()
	const each = 1 << 20
	data, err := json.Marshal(strings.Repeat("x", each))
	if err != nil {
		t.Fatal(err)
	}
	for range n / each {
		s.streams.handOut(changesOf(data))
		time.Sleep(time.Millisecond)
	}
}

// SlowStream returns what an admin's stream sends that finds more batches than wait
// for it, and then one more.
func SlowStream(t testing.TB, s *Server) []dcvix.EventKind {
	t.Helper()
	l, err := s.streams.begin(s.cfg.Broker, "root")
	if err != nil {
		t.Fatal(err)
	}
	defer s.streams.end(l)
	answer := httptest.NewRecorder()
	st := &stream{
		s: s, admin: true, line: l, claims: token.Claims{User: "root", Category: token.Admin, ExpiresAt: time.Now().Add(time.Hour)},
		out: newEventWriter(echo.New().NewContext(httptest.NewRequestWithContext(t.Context(), "GET", "/", nil), answer), time.Second),
	}
	if err := st.resync(); err != nil {
		t.Fatal(err)
	}
	for range maxWaitingBatches + 1 {
		s.streams.handOut(changesOf([]byte("{}")))
	}
	if err := st.pass(<-l.batches); err != nil {
		t.Fatal(err)
	}
	if len(l.batches) > 0 {
		t.Error("what was missed in part is still to come")
	}
	s.streams.handOut(changesOf([]byte("{}")))
	if err := st.pass(<-l.batches); err != nil {
		t.Fatal(err)
	}
	var kinds []dcvix.EventKind
	for text := range strings.Lines(answer.Body.String()) {
		if kind, is := strings.CutPrefix(strings.TrimSpace(text), "event: "); is {
			kinds = append(kinds, dcvix.EventKind(kind))
		}
	}
	return kinds
}
