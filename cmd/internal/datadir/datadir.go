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
	"time"

	"github.com/dcvix/dcvix/internal/durable"
	"github.com/dcvix/dcvix/internal/private"
)

// ErrInUse says that another process holds the folder.
var ErrInUse = errors.New("in use")

// lockFile is what the process that uses a folder holds locked.
const lockFile = "lock"

// A Dir is a folder that this process alone uses.
type Dir struct {
	lock *os.File
}

// Open makes the folder, its owner's alone, when it does not exist, sees that it can be
// written and takes its lock, which ends with the process however that ends. An
// error wraps [ErrInUse] when another process holds the lock. Where is the place
// in the configuration that names the folder: errors say it.
func Open(path, where string) (*Dir, error) {
	unusable := func(err error) error {
		return fmt.Errorf("the data folder cannot be used: %w (%s)", Explain(err), where)
	}
	if err := durable.MakeFolder(path); err != nil {
		return nil, unusable(err)
	}
	f, err := private.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, unusable(err)
	}
	err = lock(f)
	for tries := 0; errors.Is(err, errHeld) && tries < 3; tries++ {
		time.Sleep(20 * time.Millisecond) // InUse may be looking
		err = lock(f)
	}
	switch {
	case errors.Is(err, errHeld):
		err := fmt.Errorf("the data folder %s is %w by another process: stop that one, or name another folder (%s)", path, ErrInUse, where)
		return nil, errors.Join(err, f.Close())
	case err != nil:
		return nil, errors.Join(unusable(err), f.Close())
	}
	return &Dir{lock: f}, nil
}

// InUse says whether a process holds the folder. It makes nothing and does not keep
// another process from opening the folder. A folder that is not there is not in use.
func InUse(path string) (bool, error) {
	f, err := os.Open(filepath.Join(path, lockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look whether the data folder is in use: %w", err)
	}
	defer f.Close() //nolint:errcheck // only looked at; the lock ends with it
	switch err := lockShared(f); {
	case errors.Is(err, errHeld):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("look whether the data folder is in use: %w", err)
	}
	return false, nil
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
	var remedy string
	switch {
	case errors.Is(err, errFull), full(err):
		remedy = "the disk is full: free some space on it"
	case errors.Is(err, fs.ErrPermission):
		remedy = fmt.Sprintf("give %s the right to write there, or choose another folder", who())
	case errors.Is(err, syscall.ENOTDIR):
		remedy = "a part of this path is a file: choose another folder"
	case errors.Is(err, syscall.EROFS):
		remedy = "the file system is mounted read-only: choose another folder"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, remedy)
}

// who names the account of this process, which on Windows has no number.
func who() string {
	if uid := os.Getuid(); uid >= 0 {
		return fmt.Sprintf("the user with id %d (chown)", uid)
	}
	return "the account of this program"
}

// full recognises SQLite's own words for a full disk: SQLITE_FULL, and
// SQLITE_IOERR_SHMSIZE (4874) when the file with the index of its log cannot grow
// (sqlite.org/rescode.html).
func full(err error) bool {
	text := err.Error()
	return strings.Contains(text, "database or disk is full") || strings.Contains(text, "disk I/O error (4874)")
}
