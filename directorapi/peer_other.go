//go:build !linux

package directorapi

import "net"

// peerName has no portable source.
func peerName(*net.UnixConn) (string, error) { return "", nil }
