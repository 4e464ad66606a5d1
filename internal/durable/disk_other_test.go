//go:build !linux

package durable_test

import "testing"

func smallDisk(t *testing.T) string {
	t.Helper()
	t.Skip("only Linux has a small disk at hand")
	return ""
}
