//go:build unix

package ca

import (
	"fmt"
	"io/fs"
	"os"
)

func checkPerm(path string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is %w: chmod 600 %s", path, ErrInsecureKey, path)
	}
	return nil
}

// syncDir makes a rename in the folder last.
func syncDir(root *os.Root) error {
	dir, err := root.Open(".")
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer dir.Close() //nolint:errcheck // nothing was written through it
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}
