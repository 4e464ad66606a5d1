//go:build no_ui

package ui

import "io/fs"

// FS returns nil: the program is built without the pages (build tag no_ui).
func FS() fs.FS { return nil }
