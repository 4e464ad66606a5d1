//go:build unix

package backup

import (
	"io/fs"
	"os"
	"syscall"
)

// ownAs gives a file, which root may have made, the owner and the permissions of the
// one that it will replace, or the owner of the folder like when there is none.
func ownAs(path, replaces, like string) error {
	info, err := os.Stat(replaces)
	mode := fs.FileMode(0o600)
	if err == nil {
		mode = info.Mode().Perm()
	} else if info, err = os.Stat(like); err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if ok && os.Geteuid() == 0 {
		if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	return os.Chmod(path, mode)
}
