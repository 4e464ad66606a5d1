package directorapi_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

func exported(t *testing.T, s *directorapitest.Server, q dcvix.AuditQuery, format dcvix.AuditFormat) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, s.AdminClient().ExportAudit(t.Context(), q, format, &text))
	return text.String()
}

func TestTheAuditIsExportedAsJSONLines(t *testing.T) {
	s, audit, _ := audited(t)
	past(t, audit, 3000)
	text := exported(t, s, dcvix.AuditQuery{Action: "session.", Limit: 7}, dcvix.AuditJSONLines)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	require.Len(t, lines, 3000, "all, whatever the limit")
	for i, line := range lines {
		var r dcvix.AuditRecord
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		require.Equal(t, strconv.Itoa(i), r.Target, "the oldest first")
	}
	all := records(t, audit)
	last := all[len(all)-1]
	assert.Equal(t, "audit.export ok by admin root", said(last))
	assert.Equal(t, "jsonl action=session.&format=jsonl", last.New)
	assert.Empty(t, exported(t, s, dcvix.AuditQuery{Actor: "nobody"}, dcvix.AuditJSONLines))
}

func TestFormulasInAnExportAreText(t *testing.T) {
	s, audit, _ := audited(t)
	at := time.Date(2020, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	hostile := []string{
		`=HYPERLINK("http://evil.example","click")`, "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "a,b\"c", "a\r\nb", "\x1b[2J", "\u202ecod.exe", "plain", "",
	}
	for _, actor := range hostile {
		require.NoError(t, audit.Append(t.Context(), session.AuditRecord{Time: at, Action: session.AuditLogin, Outcome: session.AuditRefused, Actor: actor, Reason: actor}))
	}
	text := exported(t, s, dcvix.AuditQuery{Before: dcvix.Time{Time: at.Add(time.Hour)}}, dcvix.AuditCSV)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, "time,action,outcome,role,actor,address,requestId,target,reason,old,new,count", strings.Join(rows[0], ","))
	assert.Equal(t, "2020-01-02T03:04:05.006Z,login,refused,,plain,,,,plain,,,1", strings.Join(rows[13], ","))
	require.Len(t, rows, 1+len(hostile))
	for i, row := range rows[1:] {
		for _, cell := range row {
			assert.NotRegexp(t, `^[=+\-@\t\r\n＝＋－＠]`, cell)
		}
		assert.NotRegexp(t, `[[:cntrl:]\x{202e}]`, row[4], "%q", hostile[i])
	}
	assert.Equal(t, "'"+hostile[0], rows[1][4])
	assert.Equal(t, `a,b"c`, rows[9][4])
	assert.Equal(t, `\u202ecod.exe`, rows[12][4])
	assert.NotContains(t, strings.ReplaceAll(text, "\r\n", ""), "\n")
	lines := exported(t, s, dcvix.AuditQuery{Before: dcvix.Time{Time: at.Add(time.Hour)}}, dcvix.AuditJSONLines)
	assert.NotContains(t, lines, "\u202e")
	assert.Equal(t, len(hostile), strings.Count(lines, "\n"))
}

func TestTheAuditIsSearchedByTextAndOutcome(t *testing.T) {
	s, audit, _ := audited(t)
	past(t, audit, 30)
	require.NoError(t, audit.Append(t.Context(), session.AuditRecord{
		Time: time.Date(2020, 1, 2, 3, 4, 6, 0, time.UTC), Action: session.AuditHostDrain, Outcome: session.AuditFailed, Actor: "root", Target: "WS7", New: "new disk",
	}))
	count := func(q dcvix.AuditQuery) int {
		q.Before = dcvix.Time{Time: time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)}
		page, err := s.AdminClient().Audit(t.Context(), q)
		require.NoError(t, err)
		return len(page.Records)
	}
	assert.Equal(t, 1, count(dcvix.AuditQuery{Text: "ws7"}))
	assert.Equal(t, 1, count(dcvix.AuditQuery{Text: "NEW D"}))
	assert.Equal(t, 1, count(dcvix.AuditQuery{Outcome: "failed"}))
	assert.Equal(t, 30, count(dcvix.AuditQuery{Action: "session."}))
	assert.Equal(t, 15, count(dcvix.AuditQuery{Action: "session.", Text: "USER1"}))
	assert.Equal(t, 0, count(dcvix.AuditQuery{Action: "session"}), "only a dot stands for more")
}

func TestAnExportThatCannotBeIsRefused(t *testing.T) {
	s, audit, _ := audited(t)
	root := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	for query, says := range map[string]string{
		"":                       `The format is "jsonl" or "csv".`,
		"?format=xlsx":           `The format is "jsonl" or "csv".`,
		"?format=csv&since=then": "A time in the request is not RFC 3339: write one such as 2026-11-22T17:03:00Z.",
	} {
		r := root.get(t, dcvix.PathAdminAuditExport+query)
		assert.Equal(t, http.StatusBadRequest, r.status)
		assert.Equal(t, says, r.body)
	}
	r := root.get(t, dcvix.PathAdminAuditExport+"?format=csv")
	assert.Equal(t, http.StatusOK, r.status)
	assert.Regexp(t, `^attachment; filename="audit-\d{8}-\d{6}\.csv"$`, r.header.Get("Content-Disposition"))
	assert.Equal(t, "no-store", r.header.Get("Cache-Control"))
	audit.Fail(errors.New("disk full"))
	assert.Equal(t, http.StatusInternalServerError, root.get(t, dcvix.PathAdminAuditExport+"?format=csv").status, "an export that is not on record is none")
	none := loggedIn(t, directorapitest.NewServer(t), dcvix.PathAdminLogin, directorapitest.Root).get(t, dcvix.PathAdminAuditExport+"?format=csv")
	assert.Equal(t, "This director keeps no audit.", none.body)
}

// brokenDisk is an audit that cannot be read to its end.
type brokenDisk struct{ sessiontest.AuditLog }

func (d *brokenDisk) Scan(ctx context.Context, q session.AuditQuery, f func(session.AuditRecord) error) error {
	return errors.Join(d.AuditLog.Scan(ctx, q, f), errors.New("disk gone"))
}

func TestAnExportThatBreaksOffIsNotTakenForTheWhole(t *testing.T) {
	audit := new(brokenDisk)
	s := directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) { c.Audit = audit }))
	past(t, &audit.AuditLog, 3000)
	var text bytes.Buffer
	err := s.AdminClient().ExportAudit(t.Context(), dcvix.AuditQuery{}, dcvix.AuditJSONLines, &text)
	require.Error(t, err)
}

func TestWhoLeavesAnExportGivesBackItsPlace(t *testing.T) {
	s, audit, _ := audited(t)
	past(t, audit, 20_000)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	done := make(chan error, 2)
	for range 2 { // as many as there may be
		stuck := &stopsReading{begun: make(chan struct{}), until: ctx.Done()}
		admin := s.AdminClient()
		go func() { done <- admin.ExportAudit(ctx, dcvix.AuditQuery{}, dcvix.AuditJSONLines, stuck) }()
		<-stuck.begun
	}
	leave()
	for range 2 {
		require.Error(t, <-done)
	}
	assert.NotEmpty(t, exported(t, s, dcvix.AuditQuery{}, dcvix.AuditCSV))
}

// stopsReading is a reader that takes nothing after the first part.
type stopsReading struct {
	begun chan struct{}
	once  sync.Once
	until <-chan struct{}
}

func (r *stopsReading) Write(p []byte) (int, error) {
	r.once.Do(func() { close(r.begun) })
	<-r.until
	return len(p), nil
}
