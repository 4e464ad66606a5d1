package main_test

// The walk builds it, see walk_test.go. Without C, Fyne's widgets do not compile for
// macOS.
import _ "github.com/dcvix/dcvix/cmd/launchercmd/gui"
