package logging

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/dcvix/dcvix/internal/private"
)

// maxFile is the size in bytes at which a log file is full.
const maxFile = 100 << 20

// A file is a log file that moves aside when it is full: x.log, x.log.1 (the
// youngest), x.log.2 and so on. It owns no goroutine, unlike the usual library
// for this, whose goroutine outlives Close.
type file struct {
	path string
	keep int
	full int64

	mu      sync.Mutex // guards the rest
	current *os.File   // nil when it could not be opened again, or closed
	size    int64
	closed  bool
}

var _ io.WriteCloser = (*file)(nil)

func openFile(path string, keep int) (*file, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	f := &file{path: path, keep: keep, full: maxFile}
	return f, f.open()
}

// Write appends p. It never splits p over two files. When a full file cannot be
// moved aside it goes on in it: a long log is better than none.
func (f *file) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, os.ErrClosed
	}
	if f.current == nil {
		if err := f.open(); err != nil {
			return 0, err
		}
	}
	if f.size > 0 && f.size+int64(len(p)) > f.full {
		if err := f.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := f.current.Write(p)
	f.size += int64(n)
	return n, err
}

// Close closes the file. Writes after it fail.
func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.current == nil {
		return nil
	}
	err := f.current.Close()
	f.current = nil
	return err
}

func (f *file) open() error {
	current, err := private.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY)
	if err != nil {
		return err
	}
	info, err := current.Stat()
	if err == nil {
		_, err = private.Tighten(f.path) // a file of an older version
	}
	if err != nil {
		_ = current.Close()
		return err
	}
	f.current, f.size = current, info.Size()
	return nil
}

// rotate closes the file first, because Windows moves no open file.
func (f *file) rotate() error {
	_ = f.current.Close()
	f.current = nil
	for i := f.keep; i > 0; i-- {
		from := f.path
		if i > 1 {
			from = fmt.Sprintf("%s.%d", f.path, i-1)
		}
		_ = os.Rename(from, fmt.Sprintf("%s.%d", f.path, i))
	}
	if f.keep == 0 {
		_ = os.Remove(f.path)
	}
	return f.open()
}
