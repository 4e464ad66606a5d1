package datadir

import (
	"os"

	"golang.org/x/sys/windows"
)

// errHeld is what lock returns when another process has the lock.
const errHeld = windows.ERROR_LOCK_VIOLATION

func lock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
}

// lockShared is for a look: any number of processes may have it at once.
func lockShared(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
}
