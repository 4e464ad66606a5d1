package durable

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// replace renames a file to a name that may be taken. Windows refuses that while
// somebody has either file open, as virus scanners, backups and readers do for a
// moment: then it is tried again, for up to two seconds.
func replace(root *os.Root, from, to string) error {
	const wait, most = 2 * time.Millisecond, 2 * time.Second
	for waited := time.Duration(0); ; waited += wait {
		err := root.Rename(from, to)
		busy := errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_SHARING_VIOLATION)
		if !busy || waited >= most {
			return err
		}
		time.Sleep(wait)
	}
}

// syncDir does nothing: NTFS journals renames.
func syncDir(*os.Root) error { return nil }
