//go:build unix

package agentcmd

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

const defaultDCVPath = "/usr/bin/dcv"

func defaultDataDir() string { return "/var/lib/dcvix-agent" }

// lock takes the lock of the folder until the function is called or the process
// ends, however it ends. The error is errLocked when another process has it.
func lock(dir string) (func(), error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, err
	}
	return func() { _ = file.Close() }, nil
}
