package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"github.com/dcvix/dcvix/internal/private"
)

// headerSize is that of a database file, and applicationAt where the application
// id stands in it (https://www.sqlite.org/fileformat2.html, section 1.3).
const (
	headerSize    = 100
	applicationAt = 68
	magic         = "SQLite format 3\x00"
)

// mayBeForeign says whether there is a SQLite database at path that does not say
// in its header that it is ours.
func mayBeForeign(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // nothing was written to it
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	header := make([]byte, headerSize)
	_, err = io.ReadFull(f, header)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil // no database, or an empty one
	}
	if err != nil {
		return false, err
	}
	ours := binary.BigEndian.Uint32(header[applicationAt:]) == applicationID
	return string(header[:len(magic)]) == magic && !ours, nil
}

// aside returns a name beside path that no database and no side file has.
func aside(path string) string {
	name := path + ".0.1"
	for n := 2; slices.ContainsFunc(sides(), func(side string) bool { return exists(name + side) }); n++ {
		name = path + ".0.1." + strconv.Itoa(n)
	}
	return name
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // nothing was written to it
	out, err := private.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}
