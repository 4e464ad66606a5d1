//go:build unix

package ca_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// remedy is how the command begins that takes a file from others.
const remedy = "chmod 600 "

func chmod(t testing.TB, dir, name string, perm fs.FileMode) {
	t.Helper()
	require.NoError(t, os.Chmod(filepath.Join(dir, name), perm))
}

func mode(t testing.TB, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, want, info.Mode().Perm(), path)
}

// cannotTakeAway skips what this system cannot do.
func cannotTakeAway(testing.TB) {}
