//go:build unix

package durable

import (
	"fmt"
	"os"
)

// replace renames a file to a name that may be taken.
func replace(root *os.Root, from, to string) error { return root.Rename(from, to) }

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
