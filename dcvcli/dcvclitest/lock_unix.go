//go:build unix

package dcvclitest

import (
	"os"
	"syscall"
)

// lockFile waits until this process alone has the lock. It ends with the file.
func lockFile(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			return err
		}
	}
}
