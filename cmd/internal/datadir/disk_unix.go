//go:build unix

package datadir

import "golang.org/x/sys/unix"

// errFull is what the system says when a disk has no space left.
const errFull = unix.ENOSPC
