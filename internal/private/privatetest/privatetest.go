// Package privatetest makes files that are not private, for tests of what refuses
// them.
package privatetest

import "testing"

// OpenToOthers gives everybody the right to read a file.
func OpenToOthers(tb testing.TB, path string) {
	tb.Helper()
	if err := openToOthers(path); err != nil {
		tb.Fatal(err)
	}
}
