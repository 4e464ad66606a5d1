// Package datadir prepares the folder in which a program keeps its keys and
// databases: it is there, it can be written, and no other process uses it.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrInUse says that another process holds the folder.
var ErrInUse = errors.New("in use")

// lockFile is what the process that uses a folder holds locked.
const lockFile = "lock"

// A Dir is a folder that this process alone uses.
type Dir struct {
	lock *os.File
}

// Open makes the folder (0700) when it does not exist, sees that it can be
// written and takes its lock, which ends with the process. The key is the
// configuration key that names the folder: errors say it. An error wraps
// [ErrInUse] when another process holds the lock.
func Open(path, key string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, Explain(fmt.Errorf("%s = %s cannot be made: %w", key, path, err))
	}
	f, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, Explain(fmt.Errorf("%s = %s cannot be written: %w", key, path, err))
	}
	if err := lock(f); err != nil {
		err = fmt.Errorf("%s = %s is %w by another process: stop that one, or give this one a folder of its own", key, path, ErrInUse)
		return nil, errors.Join(err, f.Close())
	}
	return &Dir{lock: f}, nil
}

// Close gives the folder free.
func (d *Dir) Close() error {
	if err := d.lock.Close(); err != nil {
		return fmt.Errorf("give the data folder free: %w", err)
	}
	return nil
}

// Explain adds the remedy to an error of the file system, when there is one that
// an operator can use.
func Explain(err error) error {
	remedy := ""
	switch {
	case errors.Is(err, syscall.ENOSPC), full(err):
		remedy = "the disk is full: free some space on it"
	case errors.Is(err, fs.ErrPermission):
		remedy = fmt.Sprintf("give the user with id %d the right to write there (chown), or choose another folder", os.Getuid())
	case errors.Is(err, syscall.ENOTDIR):
		remedy = "a part of this path is a file: choose another folder"
	case errors.Is(err, syscall.EROFS):
		remedy = "the file system is mounted read-only: choose another folder"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, remedy)
}

// full recognises SQLite's own words for a full disk.
func full(err error) bool {
	return strings.Contains(err.Error(), "database or disk is full")
}
