package dcvconf

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dcvix/dcvix/internal/durable"
)

// What is written beside a dcv.conf.
const (
	backupSuffix = ".dcvix-backup"
	recordSuffix = ".dcvix-undo"
)

// maxFile bounds what is read as a dcv.conf, in bytes.
const maxFile = 1 << 20

// A file is a [store] on disk.
type file struct {
	path string // no link
	info fs.FileInfo
	read []byte // as it was opened
	doc  *document
}

func openFile(path string) (*file, error) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("read the settings of DCV: %w", err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return nil, fmt.Errorf("read the settings of DCV: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s is not a file of at most %d bytes: give the path of dcv.conf", path, maxFile)
	}
	text, err := os.ReadFile(target)
	if err != nil {
		return nil, fmt.Errorf("read the settings of DCV: %w", err)
	}
	return &file{path: target, info: info, read: text, doc: parse(string(text))}, nil
}

func (f *file) where() string                         { return f.path }
func (f *file) get(section, key string) (Value, bool) { return f.doc.get(section, key) }
func (f *file) set(section, key string, v Value)      { f.doc.set(section, key, v) }
func (f *file) unset(section, key string)             { f.doc.unset(section, key) }

func (f *file) prepare() error {
	_, err := os.Lstat(f.path + backupSuffix)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.write(f.path+backupSuffix, f.read)
}

func (f *file) save() error {
	now, err := os.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("write the settings of DCV: %w", err)
	}
	if !bytes.Equal(now, f.read) {
		return fmt.Errorf("%s is not written: %w: run this again", f.path, ErrChanged)
	}
	return f.write(f.path, []byte(f.doc.String()))
}

// write puts a file in place in one step, with the mode and owner of the settings.
func (f *file) write(path string, text []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".dcvix-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(temp.Name()) //nolint:errcheck // it is there only if something failed
	_, err = temp.Write(text)
	if err == nil {
		err = likeness(temp, f.info)
	}
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return durable.SyncFolder(filepath.Dir(path))
}

func (f *file) sum() (now, saved string) { return sum(f.read), sum([]byte(f.doc.String())) }

func sum(text []byte) string {
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:])
}

func (f *file) restore(before string) bool {
	text, err := os.ReadFile(f.path + backupSuffix)
	if err != nil || sum(text) != before {
		return false
	}
	f.doc = parse(string(text))
	return true
}

func (f *file) record() ([]byte, error) { return os.ReadFile(f.path + recordSuffix) }

func (f *file) keep(text []byte) error { return f.write(f.path+recordSuffix, text) }

func (f *file) forget() error {
	if err := durable.RemoveFile(f.path + recordSuffix); err != nil {
		return fmt.Errorf("forget the changes that were undone: %w", err)
	}
	if copied, err := os.ReadFile(f.path + backupSuffix); err == nil && string(copied) == f.doc.String() {
		return durable.RemoveFile(f.path + backupSuffix)
	}
	return nil
}
