// Package auditfile keeps the audit in files: one JSON object a line, each with
// the SHA-256 of the line before, so that [Verify] finds a line that was changed,
// removed or moved.
//
// The newest lines are in the file itself (audit.jsonl), older ones in
// audit.jsonl.1, audit.jsonl.2 and so on, of which the highest number is the
// youngest. The first line of a file carries the hash of the last line of the
// file before. When all together would grow over the limit, the oldest file goes.
//
// A change of the very last line, lines taken off the very end, and whole files off
// the very beginning, leave a chain that is whole: who has to prove that too keeps
// copies elsewhere.
package auditfile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"time"

	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/internal/groupcommit"
)

// MinBytes is the least Config.MaxBytes: each file holds several of the longest
// lines.
const MinBytes = 256 << 10

// files is how many files MaxBytes is split over.
const files = 8

// maxWrite is the most that is written before a synchronisation, and so the most
// at the end of a file that a power cut can spoil.
const maxWrite = 256 << 10

// Config says where a [Log] writes. Path is required.
type Config struct {
	Path     string           // of the newest file; its folder must exist
	MaxBytes int64            // of all files together; 0 means 1 GiB, the least is 256 KiB
	Now      func() time.Time // nil means time.Now
	Logger   *slog.Logger     // nil means slog.Default()
}

var _ session.AuditLog = (*Log)(nil)

// A Log is a [session.AuditLog] in files. It is safe for concurrent use within
// one process; no two processes may write the same path.
type Log struct {
	cfg  Config
	full int64 // bytes at which a file is

	// queue is alone while files are written, moved or listed. It guards the rest.
	queue  groupcommit.Queue[*waiting]
	file   *os.File // nil when it has to be opened again
	size   int64    // of the lines that count
	tail   hash     // of the last line
	dirty  bool     // there is something behind size
	closed bool
}

type hash [sha256.Size]byte

// A waiting record is on its way to the disk.
type waiting struct {
	record []byte
	err    error
}

// Open opens the log, or makes an empty one, readable by its owner alone. If the
// last lines were cut off or spoiled by a crash, they are set aside in {path}.cut
// and a record of that takes their place.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 1 << 30
	}
	if cfg.Path == "" || cfg.MaxBytes < MinBytes {
		return nil, fmt.Errorf("auditfile: Config needs a Path, and MaxBytes of %d or more", MinBytes)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	l := &Log{cfg: cfg, full: cfg.MaxBytes / files}
	cut, err := l.recover(ctx)
	if err == nil && cut > 0 {
		cfg.Logger.WarnContext(ctx, "the last line of the audit was cut off and is set aside",
			slog.String("file", cfg.Path+".cut"), slog.Int64("bytes", cut))
		err = l.Append(ctx, session.AuditRecord{
			Time: cfg.Now(), Action: session.AuditCut, Outcome: session.AuditOK, Role: session.AuditDirector,
			New: fmt.Sprintf("%d bytes set aside", cut),
		})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the audit: %w", err), l.Close())
	}
	return l, nil
}

// Append implements [session.AuditLog]. Appends at the same time share one
// synchronisation. Once begun it is finished, whatever becomes of ctx.
func (l *Log) Append(ctx context.Context, r session.AuditRecord) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	record, err := encode(r.Bounded())
	if err != nil {
		return err
	}
	e := &waiting{record: record}
	l.queue.Do(e, func(batch []*waiting) {
		err := l.write(ctx, batch)
		for _, e := range batch {
			e.err = err
		}
	})
	if e.err != nil {
		return fmt.Errorf("write the audit: %w", e.err)
	}
	return nil
}

// write adds lines to the file, and moves it aside when it is full.
func (l *Log) write(ctx context.Context, batch []*waiting) error {
	if l.closed {
		return os.ErrClosed
	}
	if l.dirty {
		if err := l.file.Truncate(l.size); err != nil {
			return err
		}
		l.dirty = false
	}
	var lines []byte
	tail := l.tail
	for _, e := range batch {
		line := chain(tail, e.record)
		at := l.size + int64(len(lines))
		full := at > 0 && at+int64(len(line)) > l.full
		if full || len(lines)+len(line) > maxWrite {
			if err := l.sync(ctx, lines, tail); err != nil {
				return err
			}
			lines = lines[:0]
		}
		if full {
			if err := l.rotate(ctx); err != nil {
				return err
			}
		}
		lines = append(lines, line...)
		tail = sha256.Sum256(line[:len(line)-1])
	}
	return l.sync(ctx, lines, tail)
}

// sync writes lines, of which the last has the hash tail, to stable storage. When
// that fails none of them counts.
func (l *Log) sync(ctx context.Context, lines []byte, tail hash) error {
	if len(lines) == 0 {
		return nil
	}
	if l.file == nil {
		if err := l.openFile(ctx); err != nil {
			return err
		}
	}
	_, err := l.file.WriteAt(lines, l.size)
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		l.dirty = true
		return err
	}
	l.size, l.tail = l.size+int64(len(lines)), tail
	return nil
}

// Close waits for what is being written and closes the file. Append fails after
// it; Read does not.
func (l *Log) Close() (err error) {
	l.queue.Alone(func() {
		l.closed = true
		if l.file == nil {
			return
		}
		if l.dirty {
			err = l.file.Truncate(l.size)
		}
		err = errors.Join(err, l.file.Close())
		l.file = nil
	})
	return err
}

// Read implements [session.AuditLog]. Lines that are no records are passed over:
// [Verify] finds them.
func (l *Log) Read(ctx context.Context, q session.AuditQuery) ([]session.AuditRecord, error) {
	open, err := l.snapshot()
	defer closeAll(open)
	if err != nil {
		return nil, fmt.Errorf("read the audit: %w", err)
	}
	var found []session.AuditRecord
	for i := len(open) - 1; i >= 0 && len(found) < q.Most(); i-- {
		here, err := newest(ctx, open[i], q)
		if err != nil {
			return nil, fmt.Errorf("read the audit: %w", err)
		}
		found = append(here, found...)
	}
	return found[max(0, len(found)-q.Most()):], nil
}

// Scan implements [session.AuditLog]. Lines that are no records are passed over, as
// by Read.
func (l *Log) Scan(ctx context.Context, q session.AuditQuery, f func(session.AuditRecord) error) error {
	open, err := l.snapshot()
	defer closeAll(open)
	if err != nil {
		return fmt.Errorf("read the audit: %w", err)
	}
	for _, file := range open {
		for r, err := range records(ctx, file, q) {
			if err != nil {
				return fmt.Errorf("read the audit: %w", err)
			}
			if err := f(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // it was only read
	}
}

// snapshot opens all files, the oldest first, while none of them moves.
func (l *Log) snapshot() (open []*os.File, err error) {
	l.queue.Alone(func() {
		var paths []string
		if paths, err = list(l.cfg.Path); err != nil {
			return
		}
		for _, path := range paths {
			var f *os.File
			if f, err = os.Open(path); err != nil {
				return
			}
			open = append(open, f)
		}
	})
	return open, err
}

// newest returns the last records of a file that the query asks for.
func newest(ctx context.Context, from io.Reader, q session.AuditQuery) ([]session.AuditRecord, error) {
	var found []session.AuditRecord
	for r, err := range records(ctx, from, q) {
		if err != nil {
			return nil, err
		}
		if found = append(found, r); len(found) >= 2*q.Most() {
			found = append(found[:0], found[len(found)-q.Most():]...)
		}
	}
	return found[max(0, len(found)-q.Most()):], nil
}

// records reads the records of a file that the query asks for. It ends after an
// error.
func records(ctx context.Context, from io.Reader, q session.AuditQuery) iter.Seq2[session.AuditRecord, error] {
	return func(yield func(session.AuditRecord, error) bool) {
		for line, err := range lines(from) {
			if err = errors.Join(err, ctx.Err()); err != nil {
				yield(session.AuditRecord{}, err)
				return
			}
			r, err := decode(line.text)
			if err != nil || line.cut || !q.Matches(r.AuditRecord) {
				continue
			}
			if !yield(r.AuditRecord, nil) {
				return
			}
		}
	}
}
