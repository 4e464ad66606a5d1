package dcvcli_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// BenchmarkParseFiftySessions is the reading alone of a list of a full host, in
// the form of the newest release.
func BenchmarkParseFiftySessions(b *testing.B) {
	entries := bytes.TrimSpace(capture(b, "2025.0/list-sessions.json"))
	entries = entries[1 : len(entries)-1] // two of them
	out := append([]byte("["), bytes.Repeat(append(entries, ','), 25)...)
	out[len(out)-1] = ']'
	cli := newCLI(b, "linux", printing(out))
	b.SetBytes(int64(len(out)))
	b.ReportAllocs()
	for b.Loop() {
		sessions, err := cli.List(b.Context())
		require.NoError(b, err)
		assert.Len(b, sessions, 50)
	}
}
