//go:build unix

package datadir

import (
	"os"

	"golang.org/x/sys/unix"
)

// errHeld is what lock returns when another process has the lock.
const errHeld = unix.EWOULDBLOCK

func lock(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

// lockShared is for a look: any number of processes may have it at once.
func lockShared(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
}
