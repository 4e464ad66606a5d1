//go:build !no_ui

package ui

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// FS returns the built pages, or nil when the program was built without them
// (build tag no_ui). The file system may be read concurrently.
func FS() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil // only an invalid folder name is an error, and "dist" is none
	}
	return sub
}
