//go:build unix

package privatetest

import "os"

// Remedy is how the command begins that takes such a right away.
const Remedy = "chmod 600 "

func openToOthers(path string) error {
	return os.Chmod(path, 0o644) //nolint:gosec // that is the point
}
