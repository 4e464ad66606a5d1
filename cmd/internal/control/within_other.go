//go:build unix && !linux

package control

// within calls f with the folder's path. One that is too long for a socket is the
// system's error.
func within(dir string, f func(short string) error) error { return f(dir) }
