//go:build unix

package private_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/internal/private"
)

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}

func TestWhatIsMadeIsTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	require.NoError(t, private.MkdirAll(dir))
	f, err := private.OpenFile(filepath.Join(dir, "file"), os.O_WRONLY|os.O_CREATE)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	assert.Equal(t, fs.FileMode(0o700), mode(t, dir))
	assert.Equal(t, fs.FileMode(0o600), mode(t, filepath.Join(dir, "file")))
}

func TestRightsOfOthersAreFoundAndTakenAway(t *testing.T) {
	tests := map[string]struct {
		perm fs.FileMode
		wide bool
	}{
		"its owner's alone":        {0o600, false},
		"its owner's to read":      {0o400, false},
		"a program of its owner's": {0o700, false},
		"its group reads":          {0o640, true},
		"its group writes":         {0o620, true},
		"the world reads":          {0o604, true},
		"the world writes":         {0o602, true},
		"the world runs it":        {0o601, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			require.NoError(t, os.Chmod(path, tt.perm))

			remedy, err := private.Remedy(path)
			require.NoError(t, err)
			tightened, err := private.Tighten(path)
			require.NoError(t, err)

			assert.Equal(t, tt.wide, tightened)
			if tt.wide {
				assert.Equal(t, "chmod 600 "+path, remedy)
				assert.Equal(t, fs.FileMode(0o600), mode(t, path))
				return
			}
			assert.Empty(t, remedy)
			assert.Equal(t, tt.perm, mode(t, path), "what is right already stays")
		})
	}
}

func TestAFolderThatOthersMayEnterIsClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	closed, err := private.TightenFolder(path)
	require.NoError(t, err)
	assert.False(t, closed, "there is none")
	require.NoError(t, os.Mkdir(path, 0o700))
	require.NoError(t, os.Chmod(path, 0o755))
	closed, err = private.TightenFolder(path)
	require.NoError(t, err)
	assert.True(t, closed)
	assert.Equal(t, fs.FileMode(0o700), mode(t, path))
	closed, err = private.TightenFolder(path)
	require.NoError(t, err)
	assert.False(t, closed, "it was closed before")
}
