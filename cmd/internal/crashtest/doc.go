// Package crashtest finds out what a program leaves on the disk when it is killed
// or the power is cut, at every single change it makes.
//
// A [Recording] runs programs under strace and keeps what they did to a folder:
// every name made, moved and removed, every write, every synchronisation. Its
// [Recording.States] go along that and give, after each operation, what a kill at
// that moment leaves, and what a power cut may leave: with everything that was not
// synchronised yet, without it, and with parts of it. A test opens each state with
// the code under test and looks for what must not be lost.
//
// The disk that is assumed keeps what fsync was called for: data and size of a
// file, and the names in a folder. A name is changed as one step, in whole. Apart
// from that whatever was not synchronised may be lost, also the earlier while the
// later lasts, save that a change of a name waits for the ones of the same name
// before it. Sectors that were synchronised do not rot, and permissions last at
// once.
package crashtest
