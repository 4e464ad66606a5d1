package directorapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
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

// past fills an audit with records of a long time ago: each moment has three, and
// some were added a little out of the order of time.
func past(t *testing.T, audit *sessiontest.AuditLog, n int) {
	t.Helper()
	begin := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range n {
		at := begin.Add(time.Duration(i/3) * time.Millisecond)
		if i%7 == 0 {
			at = at.Add(20 * time.Millisecond)
		}
		require.NoError(t, audit.Append(t.Context(), session.AuditRecord{
			Time: at, Action: session.AuditSessionOpen, Outcome: session.AuditOK, Actor: fmt.Sprintf("user%d", i%2), Target: strconv.Itoa(i),
		}))
	}
}

func TestThePagesOfTheAuditHaveEachRecordOnceTheNewestFirst(t *testing.T) {
	s, audit, _ := audited(t)
	past(t, audit, 1500)
	admin := s.AdminClient()
	seen := make(map[string]bool)
	var before, previous time.Time
	for pages := 0; ; pages++ {
		require.Less(t, pages, 30)
		page, err := admin.Audit(t.Context(), dcvix.AuditQuery{Action: "session.open", Before: dcvix.Time{Time: before}, Limit: 100})
		require.NoError(t, err)
		for _, r := range page.Records {
			assert.False(t, seen[r.Target], "record %s is there again", r.Target)
			seen[r.Target] = true
			assert.False(t, !previous.IsZero() && r.Time.After(previous), "record %s is too late", r.Target)
			previous = r.Time.Time
		}
		if before = page.Next.Time; before.IsZero() {
			break
		}
		assert.InDelta(t, 100, len(page.Records), 10)
	}
	assert.Len(t, seen, 1500)
}

func TestTheAuditIsReadByActorActionTargetAndTime(t *testing.T) {
	s, audit, _ := audited(t)
	past(t, audit, 30)
	count := func(q dcvix.AuditQuery) int {
		page, err := s.AdminClient().Audit(t.Context(), q)
		require.NoError(t, err)
		return len(page.Records)
	}
	assert.Equal(t, 15, count(dcvix.AuditQuery{Actor: "user1"}))
	assert.Equal(t, 1, count(dcvix.AuditQuery{Target: "7"}))
	assert.Equal(t, 30, count(dcvix.AuditQuery{Action: "session.open"}))
	recent, err := s.AdminClient().Audit(t.Context(), dcvix.AuditQuery{Since: dcvix.Time{Time: time.Now().Add(-time.Minute)}})
	require.NoError(t, err)
	assert.NotEmpty(t, recent.Records)
	for _, r := range recent.Records {
		assert.Equal(t, "login", r.Action)
		assert.NotEmpty(t, r.RequestID)
	}
}

func TestADirectorWithoutAnAuditSaysSo(t *testing.T) {
	r := loggedIn(t, directorapitest.NewServer(t), dcvix.PathAdminLogin, directorapitest.Root).get(t, dcvix.PathAdminAudit)
	assert.Equal(t, http.StatusNotFound, r.status)
	assert.Equal(t, "This director keeps no audit.", r.body)
}

func TestAQueryOfTheAuditThatIsNoneIsRefused(t *testing.T) {
	s, _, _ := audited(t)
	root := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root)
	for query, says := range map[string]string{
		"limit=0":           "The limit is a number from 1 to 500.",
		"limit=501":         "The limit is a number from 1 to 500.",
		"limit=x":           "The limit is a number from 1 to 500.",
		"before=yesterday":  "A time in the request is not RFC 3339: write one such as 2026-11-22T17:03:00Z.",
		"since=%00":         "A time in the request is not RFC 3339: write one such as 2026-11-22T17:03:00Z.",
		"since=2026-11-22T": "A time in the request is not RFC 3339: write one such as 2026-11-22T17:03:00Z.",
	} {
		r := root.get(t, dcvix.PathAdminAudit+"?"+query)
		assert.Equal(t, http.StatusBadRequest, r.status, query)
		assert.Equal(t, says, r.body, query)
	}
}

// slowAudit is an audit whose readers wait.
type slowAudit struct {
	sessiontest.AuditLog
	reading chan struct{}
	goOn    chan struct{}
}

func (l *slowAudit) Read(ctx context.Context, _ session.AuditQuery) ([]session.AuditRecord, error) {
	l.reading <- struct{}{}
	select {
	case <-l.goOn:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestFewReadTheAuditAtOnce(t *testing.T) {
	slow := &slowAudit{reading: make(chan struct{}, 10), goOn: make(chan struct{})}
	s := directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) { c.Audit = slow }))
	admin := s.AdminClient()
	done := make(chan error, 5)
	for range 5 {
		go func() {
			_, err := admin.Audit(t.Context(), dcvix.AuditQuery{})
			done <- err
		}()
	}
	<-slow.reading
	<-slow.reading
	select {
	case <-slow.reading:
		t.Error("a third one reads")
	case <-time.After(200 * time.Millisecond):
	}
	close(slow.goOn)
	for range 5 {
		assert.NoError(t, <-done)
	}
}

func FuzzAuditQuery(f *testing.F) {
	for _, seed := range []string{"", "limit=7&actor=alice", "before=2026-11-22T17:03:00Z&since=0001-01-01T00:00:00Z", "limit=-1", "limit=%zz", "since=9999-12-31T23:59:59.999999999%2B23:59"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		params, _ := url.ParseQuery(raw)
		q, err := directorapi.AuditQuery(params)
		if err != nil {
			return
		}
		if q.Limit < 1 || q.Limit > 500 {
			t.Errorf("limit %d", q.Limit)
		}
	})
}
