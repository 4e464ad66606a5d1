// Package durable writes files and folders that outlast a kill and a power cut:
// whole or not at all, and there once the call has returned.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dcvix/dcvix/internal/private"
)

// MakeFolder makes a folder for keys, certificates or what else must not be lost,
// and those above it that are absent, as [os.MkdirAll] does. It sees that the
// folder and the names in it outlast a power cut, also those that a process made
// which was killed before it could.
func MakeFolder(path string) error {
	if err := private.MkdirAll(path); err != nil {
		return err
	}
	if err := SyncFolder(path); err != nil {
		return err
	}
	above, err := filepath.Abs(path)
	for err == nil && above != filepath.Dir(above) {
		above = filepath.Dir(above)
		_ = SyncFolder(above) // may be closed to us; who made it sees to it then
	}
	return err
}

// SyncFolder sees that the names in a folder outlast a power cut.
func SyncFolder(path string) error {
	root, err := os.OpenRoot(path)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer root.Close() //nolint:errcheck // nothing was written through it
	return syncDir(root)
}

// WriteFile writes data to path in one step: whoever reads the file, even after
// a power cut, finds the old content or the new one, whole. The file never has
// more permissions than perm, not even while it is written; on Windows, a file
// whose perm leaves nothing to others gets an access list of its own that does so,
// and any other has that of its folder. Writers of the same path must not run at
// the same time.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer root.Close() //nolint:errcheck // nothing was written through it
	name := filepath.Base(path)
	temp := "." + name + ".tmp"
	if err := writeTemp(root, temp, data, perm); err != nil {
		_ = root.Remove(temp)
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := replace(root, temp, name); err != nil {
		_ = root.Remove(temp)
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDir(root)
}

func writeTemp(root *os.Root, name string, data []byte, perm fs.FileMode) error {
	// A temporary file may be left from a process that was killed here.
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := create(root, name, perm)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

// create makes a new file.
func create(root *os.Root, name string, perm fs.FileMode) (*os.File, error) {
	const flag = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if perm&0o077 != 0 {
		return root.OpenFile(name, flag, perm)
	}
	f, err := private.OpenFile(filepath.Join(root.Name(), name), flag)
	if err != nil || perm == 0o600 {
		return f, err
	}
	return f, f.Chmod(perm) // a program's owner may run it
}

// RemoveFile removes the file at path, if there is one, and sees that a power cut
// does not bring it back after what is written next.
func RemoveFile(path string) error {
	if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(path))
}
