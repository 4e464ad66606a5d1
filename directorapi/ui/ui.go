// Package ui is the director's web pages.
package ui

import "io/fs"

// FS returns the pages.
func FS() fs.FS { return nil }
