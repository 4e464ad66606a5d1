package auditfile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// A BrokenError names the first line at which an audit is not what was written.
type BrokenError struct {
	File   string
	Line   int // counted from 1
	Reason string
}

// Error names file, line and reason.
func (e *BrokenError) Error() string {
	return fmt.Sprintf("%s line %d: %s", e.File, e.Line, e.Reason)
}

// Verify reads the whole audit of which path is the newest file and returns how
// many records it has. It returns a [*BrokenError] for the first line that was
// changed, or before which something was removed, added or moved. It may run
// while the log is being written, unless a file moves aside meanwhile.
func Verify(path string) (records int64, err error) {
	paths, err := list(path)
	if err != nil {
		return 0, fmt.Errorf("verify the audit: %w", err)
	}
	if len(paths) == 0 {
		return 0, fmt.Errorf("verify the audit: %s: %w", path, fs.ErrNotExist)
	}
	// Before the oldest file there may have been others, unless it is the first.
	v := verifier{begun: paths[0] == path || paths[0] == numbered(path, 1)}
	for _, p := range paths {
		if err := v.file(p); err != nil {
			return v.records, err
		}
	}
	return v.records, nil
}

// A verifier goes along a chain. Its zero value begins anywhere in one.
type verifier struct {
	begun   bool // tail is known
	tail    hash
	records int64
}

func (v *verifier) file(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("verify the audit: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	line, reason, err := v.read(f)
	if err != nil {
		return fmt.Errorf("verify the audit: %s: %w", path, err)
	}
	if reason != "" {
		return &BrokenError{File: path, Line: line, Reason: reason}
	}
	return nil
}

// read goes along one file. It returns the first line that is not right and why.
func (v *verifier) read(from io.Reader) (line int, reason string, err error) {
	for raw, err := range lines(from) {
		if err != nil {
			return line, "", err
		}
		line++
		e, err := decode(raw.text)
		switch {
		case raw.cut:
			return line, "the line is cut off or far too long", nil
		case errors.Is(err, errNoRecord):
			return line, "the line is no record", nil
		case v.begun && e.Prev != hex.EncodeToString(v.tail[:]):
			return line, "the line before it is not the one that was written before it", nil
		}
		v.begun, v.tail = true, sha256.Sum256(raw.text)
		v.records++
	}
	return line, "", nil
}
