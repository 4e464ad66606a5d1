package directorapi

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

const (
	usualAudit = 100
	maxAudit   = 500
	// auditSlack is how many records are read beyond a page: those of one moment stay
	// together, and those that were added together may be out of the order of time.
	auditSlack = 256
	// auditReaders is how many read the audit at once: each goes through its files.
	auditReaders = 2
)

// readAudit answers a page of the audit.
func (s *Server) readAudit(c echo.Context) error {
	q, err := auditQuery(c.QueryParams())
	if err != nil {
		return err
	}
	if s.cfg.Audit == nil {
		return errNoAudit
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), 30*time.Second)
	defer cancel()
	leave, err := enter(ctx, s.auditReaders)
	if err != nil {
		return err
	}
	defer leave()
	page := q.Limit
	q.Limit += auditSlack
	found, err := s.cfg.Audit.Read(ctx, q)
	if err != nil {
		return fmt.Errorf("read the audit: %w", err)
	}
	return ok(c, auditPage(found, page, len(found) == q.Limit))
}

// enter waits for a place in a room, which leave gives back.
func enter(ctx context.Context, room chan struct{}) (leave func(), err error) {
	select {
	case room <- struct{}{}:
		return func() { <-room }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// auditPage makes a page, the newest first, of records as the audit has them. more
// says whether there may be older ones than the records. The page ends between two
// moments, so that the next one goes on by time.
func auditPage(found []session.AuditRecord, size int, more bool) dcvix.AuditResponse {
	found = slices.Clone(found)
	slices.Reverse(found)
	slices.SortStableFunc(found, func(a, b session.AuditRecord) int { return b.Time.Compare(a.Time) })
	end := min(size, len(found))
	for end > 0 && end < len(found) && found[end].Time.Equal(found[end-1].Time) {
		end++
	}
	answer := dcvix.AuditResponse{Records: make([]dcvix.AuditRecord, end)}
	for i, r := range found[:end] {
		answer.Records[i] = recordForAdmin(r)
	}
	if end > 0 && (more || end < len(found)) {
		answer.Next = dcvix.Time{Time: found[end-1].Time}
	}
	return answer
}

func recordForAdmin(r session.AuditRecord) dcvix.AuditRecord {
	return dcvix.AuditRecord{
		Time: dcvix.Time{Time: r.Time}, Action: string(r.Action), Outcome: string(r.Outcome), Role: string(r.Role),
		Actor: r.Actor, Address: r.Address, RequestID: r.RequestID, Target: r.Target, Reason: r.Reason, Old: r.Old, New: r.New, Count: r.Count,
	}
}

// auditQuery reads the query of a request; its limit is that of the page.
func auditQuery(params url.Values) (session.AuditQuery, error) {
	q := session.AuditQuery{
		Action: session.AuditAction(params.Get("action")), Outcome: session.AuditOutcome(params.Get("outcome")),
		Actor: params.Get("actor"), Target: params.Get("target"), Text: params.Get("text"), Limit: usualAudit,
	}
	if text := params.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxAudit {
			return q, malformed("The limit is a number from 1 to %d.", maxAudit)
		}
		q.Limit = n
	}
	var err error
	if q.From, err = auditTime(params.Get("since")); err != nil {
		return q, err
	}
	q.Until, err = auditTime(params.Get("before"))
	return q, err
}

func auditTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, malformed("A time in the request is not RFC 3339: write one such as 2026-11-22T17:03:00Z.")
	}
	return t, nil
}
