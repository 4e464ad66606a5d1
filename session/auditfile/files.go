package auditfile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dcvix/dcvix/internal/durable"
	"github.com/dcvix/dcvix/internal/private"
)

// Files returns the files of the audit of which path is the newest, the oldest first.
// The newest is left out when it is not there. They may move aside at any time while
// the log is open.
func Files(path string) ([]string, error) { return list(path) }

// list returns the files of a log, the oldest first. The newest, path itself, is
// left out when it is not there.
func list(path string) ([]string, error) {
	numbers, err := aside(path)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, n := range numbers {
		paths = append(paths, numbered(path, n))
	}
	if _, err := os.Stat(path); err == nil {
		paths = append(paths, path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return paths, nil
}

func numbered(path string, n int) string { return path + "." + strconv.Itoa(n) }

// aside returns the numbers of the files that were moved aside, in order.
func aside(path string) ([]int, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, e := range entries {
		suffix, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		if n, err := strconv.Atoi(suffix); ok && err == nil && n > 0 && strconv.Itoa(n) == suffix {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// openFile opens the newest file, or makes it, and sees that it stays.
func (l *Log) openFile(ctx context.Context) error {
	f, err := private.OpenFile(l.cfg.Path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file: move it away", l.cfg.Path)
	}
	if err == nil {
		err = l.tighten(ctx)
	}
	if err == nil {
		err = durable.SyncFolder(filepath.Dir(l.cfg.Path))
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.size = f, info.Size()
	return nil
}

// tighten takes a file that was there from others.
func (l *Log) tighten(ctx context.Context) error {
	tightened, err := private.Tighten(l.cfg.Path)
	if tightened {
		l.cfg.Logger.WarnContext(ctx, "audit was open to others, it is its owner's alone now", slog.String("file", l.cfg.Path))
	}
	return err
}

// rotate moves the file aside and lets the oldest go. When it cannot be moved the
// log goes on in it: a long audit is better than none.
func (l *Log) rotate(ctx context.Context) error {
	if l.file != nil {
		err := l.file.Close()
		l.file = nil
		if err != nil {
			return err
		}
	}
	if err := l.moveAside(); err != nil {
		l.cfg.Logger.ErrorContext(ctx, "full audit file not moved aside, it grows on", slog.Any("err", err))
	}
	return l.openFile(ctx)
}

func (l *Log) moveAside() error {
	numbers, err := aside(l.cfg.Path)
	if err != nil {
		return err
	}
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	if err := os.Rename(l.cfg.Path, numbered(l.cfg.Path, next)); err != nil {
		return err
	}
	for _, n := range numbers[:max(0, len(numbers)+1-(files-1))] {
		if err := os.Remove(numbered(l.cfg.Path, n)); err != nil {
			return err
		}
	}
	return nil
}

// recover opens the log where the process before left it. It returns how many
// bytes at the end were no whole line and have been set aside.
func (l *Log) recover(ctx context.Context) (cut int64, err error) {
	if err := l.openFile(ctx); err != nil {
		return 0, err
	}
	// What a process wrote that was killed before it synchronised counts from now on.
	if err := l.file.Sync(); err != nil {
		return 0, err
	}
	end, err := beforeZeroes(l.file, l.size)
	if err != nil {
		return 0, err
	}
	last, whole, err := lastLine(l.file, end)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", l.cfg.Path, err)
	}
	if cut = l.size - whole; cut > 0 {
		if err := l.setAside(whole); err != nil {
			return 0, err
		}
		l.size = whole
	}
	if whole > 0 {
		l.tail = sha256.Sum256(last)
		return cut, nil
	}
	return cut, l.tailOfOlder()
}

// beforeZeroes returns where the lines begin that a power cut spoiled: the first
// with a zero byte, among what one write may have brought. A file that has grown
// holds zeroes where a write was lost, and no record has one.
func beforeZeroes(f io.ReaderAt, size int64) (int64, error) {
	from := max(0, size-maxWrite)
	data := make([]byte, size-from)
	if _, err := f.ReadAt(data, from); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	good, _, spoiled := bytes.Cut(data, []byte{0})
	if !spoiled {
		return size, nil
	}
	return from + int64(bytes.LastIndexByte(good, '\n')) + 1, nil
}

// setAside moves what is behind the last whole line to a file of its own.
func (l *Log) setAside(whole int64) error {
	rest := make([]byte, l.size-whole)
	if _, err := l.file.ReadAt(rest, whole); err != nil {
		return err
	}
	f, err := private.OpenFile(l.cfg.Path+".cut", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(rest)
	if err := errors.Join(err, f.Sync(), f.Close(), durable.SyncFolder(filepath.Dir(l.cfg.Path))); err != nil {
		return err
	}
	return errors.Join(l.file.Truncate(whole), l.file.Sync())
}

// tailOfOlder takes up the chain of the youngest file that was moved aside.
func (l *Log) tailOfOlder() error {
	numbers, err := aside(l.cfg.Path)
	if err != nil || len(numbers) == 0 {
		return err
	}
	f, err := os.Open(numbered(l.cfg.Path, numbers[len(numbers)-1]))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	last, whole, err := lastLine(f, info.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	if whole > 0 {
		l.tail = sha256.Sum256(last)
	}
	return nil
}

// lastLine returns the last whole line of a file of that size, without its
// newline, and where it ends; 0 means that there is none.
func lastLine(f io.ReaderAt, size int64) (line []byte, end int64, err error) {
	from := max(0, size-2*maxLine) // a whole line, and one that was cut off
	data := make([]byte, size-from)
	if _, err := f.ReadAt(data, from); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	newline := bytes.LastIndexByte(data, '\n')
	if newline < 0 && from == 0 {
		return nil, 0, nil
	}
	if newline < 0 {
		return nil, 0, errors.New("it does not end like an audit: move it away")
	}
	begin := bytes.LastIndexByte(data[:newline], '\n') + 1
	if begin == 0 && from > 0 {
		return nil, 0, errors.New("it does not end like an audit: move it away")
	}
	return data[begin:newline], from + int64(newline) + 1, nil
}
