package auditfile_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/auditfile"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// appendEnv makes the test binary a child that appends for ever and says what is
// on record.
const appendEnv = "DCVIX_TEST_APPEND"

func TestMain(m *testing.M) {
	if path := os.Getenv(appendEnv); path != "" { //nolint:forbidigo // how the test speaks with its child
		appendForEver(path)
	}
	os.Exit(m.Run()) //nolint:forbidigo // TestMain has to
}

func appendForEver(path string) {
	l, err := auditfile.Open(context.Background(), auditfile.Config{Path: path})
	if err != nil {
		panic(err)
	}
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				if err := l.Append(context.Background(), record(name)); err != nil {
					panic(err)
				}
				_, _ = os.Stdout.WriteString(name + "\n")
			}
		}()
	}
	select {}
}

func record(actor string) session.AuditRecord {
	return session.AuditRecord{
		Time: time.UnixMilli(1_700_000_000_000).UTC(), Action: session.AuditLogin, Outcome: session.AuditOK, Actor: actor, Address: "192.0.2.7",
	}
}

func open(t testing.TB, path string, size int64) *auditfile.Log {
	t.Helper()
	l, err := auditfile.Open(t.Context(), auditfile.Config{Path: path, MaxBytes: size, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

// written returns the path of a closed log with n records.
func written(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, path, 0)
	for i := range n {
		require.NoError(t, l.Append(t.Context(), record(strconv.Itoa(i))))
	}
	require.NoError(t, l.Close())
	return path
}

func TestTheLogKeepsThePromises(t *testing.T) {
	sessiontest.TestAuditLog(t, func(t testing.TB) session.AuditLog {
		return open(t, filepath.Join(t.TempDir(), "audit.jsonl"), 0)
	})
}

func TestTheLogGoesOnWhereItWas(t *testing.T) {
	path := written(t, 3)
	require.NoError(t, open(t, path, 0).Append(t.Context(), record("later")))
	n, err := auditfile.Verify(path)
	require.NoError(t, err)
	assert.EqualValues(t, 4, n)
}

func TestTheFileIsItsOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	for name, before := range map[string]fs.FileMode{"new": 0, "there with more": 0o644} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.jsonl")
			if before != 0 {
				require.NoError(t, os.WriteFile(path, nil, before))
			}
			var log bytes.Buffer
			l, err := auditfile.Open(t.Context(), auditfile.Config{Path: path, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			require.NoError(t, err)
			require.NoError(t, l.Close())
			assert.Equal(t, before != 0, strings.Contains(log.String(), "audit was open to others"), &log)
			info, err := os.Stat(path)
			require.NoError(t, err)
			assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
		})
	}
}

func TestVerifyNamesTheFirstBrokenLine(t *testing.T) {
	tests := map[string]struct {
		change func(lines []string) []string
		want   int // line; 0 means none
	}{
		"as it was": {func(l []string) []string { return l }, 0},
		"changed":   {func(l []string) []string { l[3] = strings.Replace(l[3], `"3"`, `"8"`, 1); return l }, 5},
		"removed":   {func(l []string) []string { return append(l[:3:3], l[4:]...) }, 4},
		"reordered": {func(l []string) []string { l[3], l[4] = l[4], l[3]; return l }, 4},
		"repeated":  {func(l []string) []string { return append(l[:4:4], l[3:]...) }, 5},
		"the first": {func(l []string) []string { return l[1:] }, 1},
		"no record": {func(l []string) []string { l[3] = "{}}"; return l }, 4},
		"cut off":   {func(l []string) []string { return append(l[:9:9], l[9][:20]) }, 10},
		"endless":   {func(l []string) []string { l[3] = strings.Repeat("x", 200_000); return l }, 4},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := written(t, 10)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			lines := tt.change(strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"))
			end := "\n"
			if name == "cut off" {
				end = ""
			}
			require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+end), 0o600))

			_, err = auditfile.Verify(path)

			if tt.want == 0 {
				require.NoError(t, err)
				return
			}
			broken := (*auditfile.BrokenError)(nil)
			require.ErrorAs(t, err, &broken)
			assert.Equal(t, path, broken.File)
			assert.Equal(t, tt.want, broken.Line, "%v", err)
		})
	}
	_, err := auditfile.Verify(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestTheFilesAreBoundedAndTheChainGoesThroughAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	const size = auditfile.MinBytes
	r := record("somebody")
	r.New = strings.Repeat("x", 500)
	var last string
	for range 3 { // starts
		l := open(t, path, size)
		for i := range 300 {
			last = strconv.Itoa(i)
			r.Target = last
			require.NoError(t, l.Append(t.Context(), r))
		}
		require.NoError(t, l.Close())
	}
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	assert.Len(t, files, 8)
	var all int64
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(t, err)
		all += info.Size()
	}
	assert.LessOrEqual(t, all, int64(size))
	assert.Greater(t, all, int64(size)*3/4)
	n, err := auditfile.Verify(path)
	require.NoError(t, err)
	got, err := open(t, path, size).Read(t.Context(), session.AuditQuery{})
	require.NoError(t, err)
	require.Len(t, got, int(n))
	assert.Equal(t, last, got[n-1].Target)

	require.NoError(t, os.Remove(files[3]))
	_, err = auditfile.Verify(path)
	assert.ErrorContains(t, err, "line 1: ", "a file between is missing")
}

func TestALineThatWasCutOffIsSetAside(t *testing.T) {
	path := written(t, 3)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	rest := []byte(`{"prev":"00`)
	require.NoError(t, os.WriteFile(path, append(whole, rest...), 0o600))

	l := open(t, path, 0)

	got, err := l.Read(t.Context(), session.AuditQuery{Action: session.AuditCut})
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, "11 bytes set aside", got[0].New)
	aside, err := os.ReadFile(path + ".cut")
	require.NoError(t, err)
	assert.Equal(t, rest, aside)
	n, err := auditfile.Verify(path)
	require.NoError(t, err)
	assert.EqualValues(t, 4, n)
}

func TestLinesThatAPowerCutSpoiledAreSetAside(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	tests := map[string]struct {
		lost func(added []byte) []byte // what is on the disk of what was written last
		left int                       // of the two lines that were written last
	}{
		"all but the size":             {lost: func(b []byte) []byte { return make([]byte, len(b)) }},
		"the first bytes":              {lost: func(b []byte) []byte { return append(make([]byte, 10), b[10:]...) }},
		"the first of the second line": {lost: func(b []byte) []byte { at := bytes.IndexByte(b, '\n') + 1; b[at] = 0; return b }, left: 1},
		"the newline at the end":       {lost: func(b []byte) []byte { b[len(b)-1] = 0; return b }, left: 1},
		"all of the most":              {lost: func(b []byte) []byte { return make([]byte, 256<<10) }},
		"half of the most":             {lost: func(b []byte) []byte { return append(make([]byte, 156<<10), long...) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := written(t, 3)
			before, err := os.ReadFile(path)
			require.NoError(t, err)
			l := open(t, path, 0)
			require.NoError(t, l.Append(t.Context(), record("bob")))
			require.NoError(t, l.Append(t.Context(), record("carol")))
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			spoiled := append(slices.Clone(before), tt.lost(after[len(before):])...)
			require.NoError(t, os.WriteFile(path, spoiled, 0o600))

			l = open(t, path, 0)

			got, err := l.Read(t.Context(), session.AuditQuery{})
			require.NoError(t, err)
			assert.Len(t, got, 3+tt.left+1)
			assert.Equal(t, session.AuditCut, got[len(got)-1].Action)
			n, err := auditfile.Verify(path)
			require.NoError(t, err)
			assert.EqualValues(t, 3+tt.left+1, n)
			aside, err := os.ReadFile(path + ".cut")
			require.NoError(t, err)
			assert.True(t, bytes.HasSuffix(spoiled, aside))
			assert.Equal(t, fmt.Sprintf("%d bytes set aside", len(aside)), got[len(got)-1].New)
		})
	}
}

func TestWhatIsOnRecordSurvivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	var said []string
	for round := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		child := exec.CommandContext(ctx, os.Args[0])
		child.Env = append(os.Environ(), appendEnv+"="+path)
		var out bytes.Buffer
		child.Stdout, child.Stderr = &out, t.Output()
		require.NoError(t, child.Start())
		time.Sleep(time.Duration(150+70*round) * time.Millisecond) // a real process needs real time
		cancel()                                                   // kills it
		require.Error(t, child.Wait())
		whole := out.String()[:strings.LastIndex(out.String(), "\n")+1]
		said = append(said, strings.Fields(whole)...)
	}
	require.NotEmpty(t, said)
	l := open(t, path, 0)
	got, err := l.Read(t.Context(), session.AuditQuery{Limit: 1 << 30})
	require.NoError(t, err)
	kept := make(map[string]bool)
	for _, r := range got {
		kept[r.Actor] = true
	}
	for _, name := range said {
		require.True(t, kept[name], "%s was acknowledged and is lost", name)
	}
	_, err = auditfile.Verify(path)
	require.NoError(t, err)
}

func TestADiskErrorIsReturnedAndTheChainStaysWhole(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "audit.jsonl")
	l := open(t, path, 0)
	filler := filepath.Join(dir, "filler")
	require.NoError(t, os.WriteFile(filler, make([]byte, 48<<10), 0o600))
	var failed error
	kept := 0
	for range 1000 {
		if failed = l.Append(t.Context(), record(strings.Repeat("a", 400))); failed != nil {
			break
		}
		kept++
	}
	require.ErrorContains(t, failed, "no space left")
	require.NoError(t, os.Remove(filler))
	require.NoError(t, l.Append(t.Context(), record("with space again")))
	n, err := auditfile.Verify(path)
	require.NoError(t, err)
	assert.EqualValues(t, kept+1, n)
}

func TestAfterCloseNothingIsWritten(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "audit.jsonl"), 0)
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.Append(t.Context(), record("late")), os.ErrClosed)
}

func TestOpenRefusesAndSaysWhy(t *testing.T) {
	long := filepath.Join(t.TempDir(), "long")
	require.NoError(t, os.WriteFile(long, make([]byte, 1<<20), 0o600))
	tests := map[string]struct {
		cfg  auditfile.Config
		want string
	}{
		"no path":      {auditfile.Config{}, "needs a Path"},
		"too small":    {auditfile.Config{Path: "x", MaxBytes: 1}, "MaxBytes of 262144 or more"},
		"no folder":    {auditfile.Config{Path: filepath.Join(t.TempDir(), "none", "x")}, "none"},
		"not an audit": {auditfile.Config{Path: long}, "move it away"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := auditfile.Open(t.Context(), tt.cfg)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestHostileTextsMoveNoTerminal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	require.NoError(t, open(t, path, 0).Append(t.Context(), record("a\nb\x1b[2J\u007f\u009b\u202e\U000e0041")))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(text), `a\nb\u001b[2J\u007f\u009b\u202e\udb40\udc41`)
	assert.Equal(t, 1, bytes.Count(text, []byte("\n")))
}

func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 50} {
		b.Run(fmt.Sprintf("%d writers", writers), func(b *testing.B) {
			l := open(b, filepath.Join(b.TempDir(), "audit.jsonl"), 0)
			var group sync.WaitGroup
			b.ResetTimer()
			for w := range writers {
				group.Go(func() {
					for i := w; i < b.N; i += writers {
						if err := l.Append(b.Context(), record("alice")); err != nil {
							b.Error(err)
						}
					}
				})
			}
			group.Wait()
		})
	}
}

// FuzzVerify checks that no file makes the readers panic, and that what is
// appended to any file that opens is read back.
func FuzzVerify(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("\n\n"))
	f.Add([]byte(`{"prev":"0000000000000000000000000000000000000000000000000000000000000000","time":"2026-01-02T03:04:05Z","action":"login","outcome":"ok"}` + "\n{"))
	f.Add([]byte(`{"prev":1}` + "\n" + `null` + "\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		require.NoError(t, os.WriteFile(path, content, 0o600))
		_, _ = auditfile.Verify(path)
		l, err := auditfile.Open(t.Context(), auditfile.Config{Path: path, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return
		}
		defer func() { require.NoError(t, l.Close()) }()
		require.NoError(t, l.Append(t.Context(), record("fuzz")))
		got, err := l.Read(t.Context(), session.AuditQuery{Limit: 1})
		require.NoError(t, err)
		require.Equal(t, []session.AuditRecord{record("fuzz")}, got)
	})
}
