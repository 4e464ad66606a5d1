package logging

import "io"

// OpenFile opens a log file that is full at the given size.
func OpenFile(path string, keep int, full int64) (io.WriteCloser, error) {
	f, err := openFile(path, keep)
	if err == nil {
		f.full = full
	}
	return f, err
}
