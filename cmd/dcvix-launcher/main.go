// Command dcvix-launcher logs a person in to a director and opens a desktop in
// the DCV viewer: in a window, or in a terminal when the command line says what to
// do.
//
// Its window is drawn by Fyne, which needs a C compiler and, on Linux, headers of
// X11, Wayland and OpenGL ES; there it is part of builds with -tags gles alone, so
// that any machine can build the rest. scripts/launcher builds it wherever it can be.
package main

import (
	"os"

	"github.com/dcvix/dcvix/cmd/launchercmd"
)

func main() { os.Exit(launchercmd.Main(launchercmd.Options{Window: window})) }
