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
