package standalone

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sqlite"
)

// openStore opens the register, after it took over one of the 0.1 generation.
func (s *Server) openStore(ctx context.Context, path string) (*sqlite.Store, error) {
	err := sqlite.Import01(ctx, sqlite.ImportConfig{
		Path: path, Reserved: s.reserved(), Tell: func(r sqlite.Report) error { return s.tellImport(ctx, r) },
	})
	if err != nil {
		return nil, err
	}
	return sqlite.Open(ctx, path, s.logger)
}

// tellImport says in the log what became of each agent that is not as it was, and
// puts the import on record: it lets agents in without an admin.
func (s *Server) tellImport(ctx context.Context, r sqlite.Report) error {
	keyless := 0
	for _, a := range r.Agents {
		if a.Reason == "" {
			continue
		}
		if a.Reason == sqlite.ReasonNoKey {
			keyless++
		}
		s.logger.WarnContext(ctx, "agent not imported as it was", slog.String("guid", a.GUID), slog.String("hostname", a.Hostname),
			slog.String("was", string(a.Was)), slog.String("now", orDefault(string(a.Now), "not imported")), slog.String("reason", a.Reason))
	}
	if keyless > 0 {
		s.logger.WarnContext(ctx, "agents without a known key were not imported: they ask again by themselves and wait for one approval each", slog.Int("agents", keyless))
	}
	if r.Lost != "" {
		s.logger.WarnContext(ctx, "the register of an older director cannot be read and counts as lost: its agents ask again by themselves and wait for one approval each",
			slog.String("path", r.Path), slog.String("reason", r.Lost), slog.String("kept_as", r.Aside))
	} else {
		s.logger.InfoContext(ctx, "register of an older director imported", slog.String("path", r.Path), slog.String("kept_as", r.Aside),
			slog.Int("registered", r.Count(dcvix.AgentRegistered)), slog.Int("pending", r.Count(dcvix.AgentPending)),
			slog.Int("revoked", r.Count(dcvix.AgentRevoked)), slog.Int("not_imported", r.Count("")))
	}
	record := session.AuditRecord{
		Time: s.now(), Action: session.AuditStoreImport, Outcome: session.AuditOK, Role: session.AuditDirector, Target: r.Path, Old: r.Aside,
		New: fmt.Sprintf("%d registered, %d pending, %d revoked, %d not imported",
			r.Count(dcvix.AgentRegistered), r.Count(dcvix.AgentPending), r.Count(dcvix.AgentRevoked), r.Count("")),
	}
	if r.Lost != "" {
		record.Outcome, record.Reason = session.AuditFailed, r.Lost
	}
	return s.audit.Append(ctx, record)
}
