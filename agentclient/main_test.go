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
