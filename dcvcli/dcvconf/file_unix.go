//go:build unix

package dcvconf

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// likeness gives a new file the mode and owner of another one. The owner comes
// first: to change it takes bits off the mode.
func likeness(f *os.File, other fs.FileInfo) error {
	if owner, ok := other.Sys().(*syscall.Stat_t); ok {
		if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
			return fmt.Errorf("keep its owner: %w", err)
		}
	}
	return f.Chmod(other.Mode())
}
