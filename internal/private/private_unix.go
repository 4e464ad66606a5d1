//go:build unix

package private

import "os"

func openFile(path string, flag int) (*os.File, error) { return os.OpenFile(path, flag, 0o600) }

func mkdirAll(path string) error { return os.MkdirAll(path, 0o700) }

func remedy(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "chmod 600 " + path, nil
	}
	return "", nil
}

func tighten(path string) error { return os.Chmod(path, 0o600) }

func tightenFolder(path string) error { return os.Chmod(path, 0o700) } //nolint:gosec // a folder has to be entered
