//go:build !windows

package inifile

import (
	"errors"
	"syscall"
)

func systemFolder(component string) string { return "/etc/dcvix-" + component }

// isNotDir reports whether a part of the path is a file.
func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }
