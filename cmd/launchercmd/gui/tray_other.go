//go:build !linux

package gui

// hasTray reports whether somebody shows icons: Windows and macOS do.
func hasTray() bool { return true }
