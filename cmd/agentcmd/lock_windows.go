package agentcmd

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

const defaultDCVPath = "" // one of two folders: package dcvcli knows them

func defaultDataDir() string {
	return filepath.Join(os.Getenv("ProgramData"), "dcvix", "Agent")
}

// lock takes the lock of the folder until the function is called or the process
// ends, however it ends. The error is errLocked when another process has it.
func lock(dir string) (func(), error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = windows.LockFileEx(windows.Handle(file.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if err != nil {
		_ = file.Close()
		if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
			return nil, errLocked
		}
		return nil, err
	}
	return func() { _ = file.Close() }, nil
}
