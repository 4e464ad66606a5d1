package inifile

import (
	"os"
	"path/filepath"
	"strings"
)

func systemFolder(component string) string {
	return filepath.Join(os.Getenv("ProgramData"), "dcvix", strings.ToUpper(component[:1])+component[1:])
}

// isNotDir reports whether a part of the path is a file, which Windows reports
// as a path that does not exist.
func isNotDir(error) bool { return false }
