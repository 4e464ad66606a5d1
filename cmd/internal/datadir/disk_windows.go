package datadir

import "golang.org/x/sys/windows"

// errFull is what the system says when a disk has no space left.
const errFull = windows.ERROR_DISK_FULL
