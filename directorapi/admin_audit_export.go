package directorapi

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

const (
	// auditExports is how many exports go on at once: a slow reader keeps its place.
	auditExports = 2
	// exportPart is how much of an export is sent at once, and exportPatience how long
	// a reader may take for it.
	exportPart     = 64 << 10
	exportPatience = 30 * time.Second
)

// exportAudit sends all records that are asked for, the oldest first. That somebody
// did is on record before the first goes out. When the audit cannot be read any
// further the connection is cut, so that nobody takes a part for the whole.
func (s *Server) exportAudit(c echo.Context) error {
	q, err := auditQuery(c.QueryParams())
	if err != nil {
		return err
	}
	format := dcvix.AuditFormat(c.QueryParam("format"))
	if format != dcvix.AuditCSV && format != dcvix.AuditJSONLines {
		return malformed("The format is \"jsonl\" or \"csv\".")
	}
	if s.cfg.Audit == nil {
		return errNoAudit
	}
	wait, cancel := context.WithTimeout(c.Request().Context(), exportPatience)
	defer cancel()
	leave, err := enter(wait, s.auditExports)
	if err != nil {
		return err
	}
	defer leave()
	record := s.act(c, session.AuditExport)
	record.New = fmt.Sprintf("%s %s", format, c.QueryParams().Encode())
	if err := s.onRecord(c, record, nil); err != nil {
		return err
	}
	out := newAuditExport(c, format, s.cfg.Now())
	err = s.cfg.Audit.Scan(c.Request().Context(), q, out.add)
	if err == nil {
		err = out.flush()
	}
	if err != nil {
		s.cfg.Logger.ErrorContext(c.Request().Context(), "export of the audit cut off", slog.Any("err", err))
		panic(http.ErrAbortHandler)
	}
	return nil
}

// An auditExport writes records to one reader.
type auditExport struct {
	out     http.ResponseWriter
	control *http.ResponseController
	text    bytes.Buffer
	csv     *csv.Writer // nil for JSON lines
}

func newAuditExport(c echo.Context, format dcvix.AuditFormat, now time.Time) *auditExport {
	e := &auditExport{out: c.Response(), control: http.NewResponseController(c.Response())}
	header := c.Response().Header()
	header.Set("Content-Type", "application/x-ndjson")
	header.Set("Content-Disposition", fmt.Sprintf("attachment; filename=\"audit-%s.%s\"", now.UTC().Format("20060102-150405"), format))
	header.Set("Cache-Control", "no-store")
	if format == dcvix.AuditCSV {
		header.Set("Content-Type", "text/csv; charset=utf-8; header=present") // RFC 7111
		e.csv = csv.NewWriter(&e.text)
		e.csv.UseCRLF = true
		_ = e.csv.Write([]string{"time", "action", "outcome", "role", "actor", "address", "requestId", "target", "reason", "old", "new", "count"}) // to memory
	}
	return e
}

func (e *auditExport) add(r session.AuditRecord) error {
	if e.csv != nil {
		_ = e.csv.Write(auditRow(r)) // to memory
		e.csv.Flush()
	} else {
		line, err := json.Marshal(recordForAdmin(r))
		if err != nil {
			return err
		}
		e.text.WriteString(dcvix.Visible(string(line)))
		e.text.WriteByte('\n')
	}
	if e.text.Len() < exportPart {
		return nil
	}
	return e.flush()
}

// flush sends what was written, to a reader that takes it in time.
func (e *auditExport) flush() error {
	if e.csv != nil {
		e.csv.Flush()
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(exportPatience)) // where it cannot be set the server's own limit holds
	_, err := e.out.Write(e.text.Bytes())
	e.text.Reset()
	return err
}

func auditRow(r session.AuditRecord) []string {
	row := []string{
		r.Time.UTC().Format(time.RFC3339Nano), string(r.Action), string(r.Outcome), string(r.Role), r.Actor, r.Address, r.RequestID,
		r.Target, r.Reason, r.Old, r.New, strconv.Itoa(max(r.Count, 1)),
	}
	for i, cell := range row {
		row[i] = cellText(dcvix.Visible(cell))
	}
	return row
}

// cellText keeps spreadsheets from taking text of strangers for a formula: what
// begins as one gets an apostrophe before it (OWASP, CSV Injection).
func cellText(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n|%＝＋－＠", []rune(text)[0]) {
		return "'" + text
	}
	return text
}
