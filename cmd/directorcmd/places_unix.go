//go:build unix

package directorcmd

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

func defaultDataDir() string { return "/var/lib/dcvix-director" }

// ownerOf returns who owns a file, if that can be seen.
func ownerOf(path string) (account, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return account{}, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return account{}, false
	}
	uid := strconv.FormatUint(uint64(stat.Uid), 10)
	name := "'#" + uid + "'" // as sudo takes it, behind a shell
	if u, err := user.LookupId(uid); err == nil {
		name = u.Username
	}
	return account{uid: int(stat.Uid), name: name}, true
}
