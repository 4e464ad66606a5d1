// Package private makes files and folders that nobody but their owner can read or
// write, in the way of each system.
//
// On Unix these are permission bits: 0600 and 0700. Windows knows none: there an
// access list of the file's own says it, which inherits nothing from the folder
// and lets in the account of the process, SYSTEM and the Administrators. SYSTEM
// and the Administrators are to Windows what root is to Unix: they can take every
// file anyway.
//
// The package decides nothing about what is a secret.
package private

import (
	"errors"
	"io/fs"
	"os"
)

// OpenFile opens a file as [os.OpenFile] does. A file that it makes is its owner's
// alone from the first instant; one that was there keeps the rights it has.
func OpenFile(path string, flag int) (*os.File, error) { return openFile(path, flag) }

// MkdirAll makes a folder, and those above it that are not there, as
// [os.MkdirAll] does. Those that it makes are their owner's alone. On Windows so
// is what is made in them later, unless its maker says otherwise.
func MkdirAll(path string) error { return mkdirAll(path) }

// Remedy returns the command that takes the rights of others to a file away, or
// "" when nobody but its owner can read or write it. When there is no file the
// error wraps [fs.ErrNotExist].
func Remedy(path string) (string, error) { return remedy(path) }

// Tighten takes the rights of others to a file away and says whether there were
// any. A file that is not there has none.
func Tighten(path string) (bool, error) {
	wide, err := open(path)
	if err != nil || !wide {
		return false, err
	}
	return true, tighten(path)
}

// TightenFolder takes the rights of others to a folder away, and to what is in it
// for as far as that has its rights from the folder. It says whether there were
// any. A folder that is not there has none.
func TightenFolder(path string) (bool, error) {
	wide, err := open(path)
	if err != nil || !wide {
		return false, err
	}
	return true, tightenFolder(path)
}

// open says whether others have rights to what is there.
func open(path string) (bool, error) {
	command, err := remedy(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && command != "", err
}
