package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMain lets this test binary be the program when it is started under one of
// its names. A program built aside would hide changes from the cache of tests.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "fakehost", "dcv", "dcvviewer":
		main()
	default:
		m.Run()
	}
}
