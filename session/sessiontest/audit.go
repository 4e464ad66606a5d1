package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dcvix/dcvix/session"
)

var _ session.AuditLog = (*AuditLog)(nil)

// AuditLog is a [session.AuditLog] in memory, for tests of whatever writes one.
// The zero value is empty and ready to use, and safe for concurrent use.
type AuditLog struct {
	mu      sync.Mutex
	records []session.AuditRecord
	err     error
}

// Fail makes Append return err from now on; nil lets it go on.
func (l *AuditLog) Fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// Append implements [session.AuditLog].
func (l *AuditLog) Append(ctx context.Context, r session.AuditRecord) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := errors.Join(ctx.Err(), l.err); err != nil {
		return err
	}
	l.records = append(l.records, r.Bounded())
	return nil
}

// Read implements [session.AuditLog].
func (l *AuditLog) Read(ctx context.Context, q session.AuditQuery) ([]session.AuditRecord, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []session.AuditRecord
	for _, r := range l.records {
		if q.Matches(r) {
			found = append(found, r)
		}
	}
	return found[max(0, len(found)-q.Most()):], ctx.Err()
}

// Scan implements [session.AuditLog].
func (l *AuditLog) Scan(ctx context.Context, q session.AuditQuery, f func(session.AuditRecord) error) error {
	l.mu.Lock()
	all := slices.Clone(l.records)
	l.mu.Unlock()
	for _, r := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !q.Matches(r) {
			continue
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// TestAuditLog checks that an AuditLog keeps its promises. open must return a
// new, empty log each time; TestAuditLog calls it once per subtest.
func TestAuditLog(t *testing.T, open func(testing.TB) session.AuditLog) {
	for name, test := range map[string]func(*testing.T, session.AuditLog){
		"RecordsComeBackAsTheyWere": testAuditRoundTrip,
		"HostileTextsAreKept":       testAuditHostile,
		"TextsAreBounded":           testAuditBounds,
		"QueriesChoose":             testAuditQueries,
		"AllAreScanned":             testAuditScan,
		"ManyWriters":               testAuditManyWriters,
		"AnEndedContextWritesNo":    testAuditContext,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func auditRecord(i int) session.AuditRecord {
	return session.AuditRecord{
		Time: time.UnixMilli(1_700_000_000_123 + int64(i)*1000).UTC(), Action: session.AuditLogin, Outcome: session.AuditRefused,
		Role: session.AuditUser, Actor: fmt.Sprintf("user%d", i), Address: "2001:db8::7", RequestID: "00ff", Target: "t",
		Reason: "because", Old: "before", New: "after", Count: i,
	}
}

func add(t *testing.T, l session.AuditLog, records ...session.AuditRecord) {
	t.Helper()
	for _, r := range records {
		if err := l.Append(t.Context(), r); err != nil {
			t.Fatalf("append: %v", err)
		}
	}
}

func expect(t *testing.T, l session.AuditLog, q session.AuditQuery, want ...session.AuditRecord) {
	t.Helper()
	got, err := l.Read(t.Context(), q)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records of %+v (-want +got):\n%s", q, diff)
	}
}

func testAuditRoundTrip(t *testing.T, l session.AuditLog) {
	expect(t, l, session.AuditQuery{})
	all := []session.AuditRecord{auditRecord(2), auditRecord(0), auditRecord(1), {Time: time.UnixMilli(5).UTC()}}
	add(t, l, all...)
	expect(t, l, session.AuditQuery{}, all...)
}

func testAuditHostile(t *testing.T, l session.AuditLog) {
	r := auditRecord(1)
	r.Actor, r.Target = "a\n{\"actor\":\"root\"}\r\x00", "\x1b[2J\u009b\u202e\u2028<&>"
	add(t, l, r)
	expect(t, l, session.AuditQuery{}, r)
}

func testAuditBounds(t *testing.T, l session.AuditLog) {
	r := auditRecord(1)
	r.Time = r.Time.Add(time.Microsecond)
	r.Actor, r.Target = strings.Repeat("é", 10_000)[1:], "\xff"
	add(t, l, r)
	expect(t, l, session.AuditQuery{}, r.Bounded())
}

func testAuditQueries(t *testing.T, l session.AuditLog) {
	all := []session.AuditRecord{auditRecord(0), auditRecord(1), auditRecord(2), auditRecord(3)}
	all[1].Action, all[2].Target = session.AuditLogout, "other"
	add(t, l, all...)
	expect(t, l, session.AuditQuery{Limit: 2}, all[2:]...)
	expect(t, l, session.AuditQuery{From: all[1].Time, Until: all[3].Time}, all[1:3]...)
	expect(t, l, session.AuditQuery{Action: session.AuditLogout}, all[1])
	expect(t, l, session.AuditQuery{Target: "other"}, all[2])
	expect(t, l, session.AuditQuery{Actor: "user3"}, all[3])
	expect(t, l, session.AuditQuery{Actor: "nobody"})
	expect(t, l, session.AuditQuery{Action: "log"})
	all = append(all, auditRecord(4), auditRecord(5), auditRecord(6))
	all[4].Action, all[5].Action, all[6].Outcome, all[6].New = session.AuditSessionOpen, session.AuditSessionClose, session.AuditOK, "Ünder"
	add(t, l, all[4:]...)
	expect(t, l, session.AuditQuery{Action: "session."}, all[4:6]...)
	expect(t, l, session.AuditQuery{Outcome: session.AuditOK}, all[6])
	expect(t, l, session.AuditQuery{Text: "üNDER"}, all[6])
	expect(t, l, session.AuditQuery{Text: "ser3"}, all[3])
	expect(t, l, session.AuditQuery{Text: "session.op"}, all[4])
	expect(t, l, session.AuditQuery{Text: "because", Limit: 1}, all[6])
	expect(t, l, session.AuditQuery{Text: "nowhere"})
}

func testAuditScan(t *testing.T, l session.AuditLog) {
	const many = 1100 // more than Read returns at once
	var all []session.AuditRecord
	for i := range many {
		all = append(all, auditRecord(i))
	}
	add(t, l, all...)
	var got []session.AuditRecord
	err := l.Scan(t.Context(), session.AuditQuery{From: all[10].Time, Limit: 3}, func(r session.AuditRecord) error {
		if got = append(got, r); len(got) > 1 {
			return nil
		}
		return l.Append(t.Context(), session.AuditRecord{}) // it does not wait for us
	})
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	if diff := cmp.Diff(all[10:], got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	enough := errors.New("enough")
	count := 0
	err = l.Scan(t.Context(), session.AuditQuery{}, func(session.AuditRecord) error {
		count++
		return enough
	})
	if err != enough || count != 1 { //nolint:errorlint,err113 // as it is
		t.Errorf("an error of f: %v after %d records", err, count)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Scan(ctx, session.AuditQuery{}, func(session.AuditRecord) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("scan: %v, want %v", err, context.Canceled)
	}
}

func testAuditManyWriters(t *testing.T, l session.AuditLog) {
	const writers, each = 50, 20
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				r := auditRecord(i)
				r.Actor = strconv.Itoa(w)
				if err := l.Append(t.Context(), r); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	group.Wait()
	for w := range writers {
		got, err := l.Read(t.Context(), session.AuditQuery{Actor: strconv.Itoa(w)})
		if err != nil || len(got) != each {
			t.Fatalf("writer %d: %d records, want %d (%v)", w, len(got), each, err)
		}
		for i, r := range got {
			if r.Count != i {
				t.Errorf("writer %d: record %d stands at %d", w, r.Count, i)
			}
		}
	}
}

func testAuditContext(t *testing.T, l session.AuditLog) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Append(ctx, auditRecord(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v, want %v", err, context.Canceled)
	}
	expect(t, l, session.AuditQuery{})
}
