package session_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

func BenchmarkVerify(b *testing.B) {
	d := newDirector(b, func(c *session.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	for i := range 1000 {
		a := sessiontest.Join(b, d.Broker, dcvix.Hostname(fmt.Sprintf("ws%d", i)))
		d.agents.SetSessions(a.ID, desktop("s"), desktop("t"))
		d.report(b, a)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !d.Verify(b.Context(), "alice", "t", "ws500") {
			b.Fatal("refused")
		}
	}
}
