package dcvix_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheReadmeShowsWhatIsTested looks for each piece of Go in the README in the
// examples, which are built and run. Its shell lines are run by the walk in
// examples/demo.
func TestTheReadmeShowsWhatIsTested(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	sources := []string{"example_test.go"}
	programs, err := filepath.Glob("examples/*/*.go")
	require.NoError(t, err)
	sources = append(sources, programs...)
	var all strings.Builder
	for _, path := range sources {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		all.WriteString(unindented(string(text)))
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.Len(t, blocks, 2)
	for _, block := range blocks {
		assert.Contains(t, all.String(), unindented(block[1]))
	}
}

func unindented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimLeft(line, "\t"))
	}
	return b.String()
}
