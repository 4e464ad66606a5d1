//go:build unix

package doctor

import (
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// closed returns how to close a folder in which others may write, or "".
func closed(path string, info fs.FileInfo) string {
	if info.Mode().Perm()&0o022 != 0 {
		return "chmod 700 " + path
	}
	return ""
}

// hiddenFrom returns the first part of a path that keeps an account from reading
// the file, or "". An account that this machine does not have is like anybody.
func hiddenFrom(account, path string) string {
	uid := -1
	groups := map[int]bool{}
	if u, err := user.Lookup(account); err == nil {
		uid, _ = strconv.Atoi(u.Uid)
		ids, _ := u.GroupIds()
		for _, id := range ids {
			gid, _ := strconv.Atoi(id)
			groups[gid] = true
		}
	}
	may := func(path string, bit fs.FileMode) bool {
		info, err := os.Stat(path)
		if err != nil {
			return false
		}
		owner, known := info.Sys().(*syscall.Stat_t)
		switch {
		case known && int(owner.Uid) == uid:
			bit <<= 6
		case known && groups[int(owner.Gid)]:
			bit <<= 3
		}
		return info.Mode().Perm()&bit != 0
	}
	for folder := filepath.Dir(path); ; folder = filepath.Dir(folder) {
		if !may(folder, 0o1) {
			return folder
		}
		if folder == filepath.Dir(folder) {
			break
		}
	}
	if !may(path, 0o4) {
		return path
	}
	return ""
}

// notAdmin returns the name of the account of this process when it is not root.
func notAdmin() string {
	if os.Geteuid() == 0 {
		return ""
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "user " + strconv.Itoa(os.Geteuid())
}
