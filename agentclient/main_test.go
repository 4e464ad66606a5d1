// The tests make tens of thousands of handshakes. The key exchange that withstands
// quantum computers is a good part of each under the race detector, and nothing
// here is about it.
//
//go:debug tlsmlkem=0

package agentclient_test

import (
	"context"
	"net"
	"testing"
)

// TestMain looks up a name before any test does: package net makes its channels
// at the first look-up, and those made in a bubble of virtual time cannot be
// used outside.
func TestMain(m *testing.M) {
	_, _ = net.DefaultResolver.LookupCNAME(context.Background(), "localhost") // only that it was tried counts
	m.Run()
}
