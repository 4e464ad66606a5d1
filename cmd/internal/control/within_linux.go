package control

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxPath is the longest path of a socket, in bytes (unix(7), sun_path with its
// final NUL).
const maxPath = 107

// within calls f with a name of the folder that is short enough for a socket in it:
// its path, or when that is too long the one by which /proc knows it once it is
// open (proc_pid_fd(5)).
func within(dir string, f func(short string) error) error {
	if len(filepath.Join(dir, SocketFile)) <= maxPath {
		return f(dir)
	}
	folder, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0) // O_PATH needs no right to list it
	if err != nil {
		return err
	}
	defer folder.Close() //nolint:errcheck // nothing was written
	return f(fmt.Sprintf("/proc/self/fd/%d", folder.Fd()))
}
