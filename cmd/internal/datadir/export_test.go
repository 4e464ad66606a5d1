package datadir

// ErrFull is what this system says when a disk has no space left.
const ErrFull = errFull
