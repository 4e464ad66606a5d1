package private_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/internal/private"
)

// isPrivate fails the test when others have rights to the file.
func isPrivate(t *testing.T, path string) {
	t.Helper()
	remedy, err := private.Remedy(path)
	require.NoError(t, err)
	assert.Empty(t, remedy, path)
}

func TestAFileOpensAsWithPackageOS(t *testing.T) {
	tests := map[string]struct {
		before string // "" means that there is no file
		flag   int
		write  string
		after  string
		want   error
	}{
		"a new one":                             {"", os.O_WRONLY | os.O_CREATE, "new", "new", nil},
		"a new one, nobody else's":              {"", os.O_WRONLY | os.O_CREATE | os.O_EXCL, "new", "new", nil},
		"one that is there, nobody else's":      {"old", os.O_WRONLY | os.O_CREATE | os.O_EXCL, "", "old", fs.ErrExist},
		"one that is there, written over":       {"older", os.O_RDWR | os.O_CREATE, "new", "newer", nil},
		"one that is there, emptied":            {"older", os.O_WRONLY | os.O_CREATE | os.O_TRUNC, "new", "new", nil},
		"one that is there, emptied, not made":  {"older", os.O_WRONLY | os.O_TRUNC, "new", "new", nil},
		"one that is there, added to":           {"old", os.O_WRONLY | os.O_CREATE | os.O_APPEND, "new", "oldnew", nil},
		"one that is not there and is not made": {"", os.O_RDWR, "", "", fs.ErrNotExist},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if tt.before != "" {
				require.NoError(t, os.WriteFile(path, []byte(tt.before), 0o600))
			}
			f, err := private.OpenFile(path, tt.flag)
			require.ErrorIs(t, err, tt.want)
			if err == nil {
				_, err := f.WriteString(tt.write)
				require.NoError(t, err)
				require.NoError(t, f.Sync())
				assert.Equal(t, path, f.Name())
				require.NoError(t, f.Close())
			}
			if tt.after == "" {
				assert.NoFileExists(t, path)
				return
			}
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, tt.after, string(got))
			if tt.before == "" {
				isPrivate(t, path)
			}
		})
	}
}

func TestAFileIsReadAsWithPackageOS(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("text"), 0o600))
	f, err := private.OpenFile(path, os.O_RDONLY)
	require.NoError(t, err)
	defer func() { assert.NoError(t, f.Close()) }()
	got := make([]byte, 4)
	_, err = f.ReadAt(got, 0)
	require.NoError(t, err)
	assert.Equal(t, "text", string(got))
	_, err = f.WriteString("x")
	assert.Error(t, err, "it was opened to be read")
}

func TestFoldersAreMadeToTheLast(t *testing.T) {
	top := filepath.Join(t.TempDir(), "a")
	deep := filepath.Join(top, "b", "c")
	require.NoError(t, private.MkdirAll(deep))
	require.NoError(t, private.MkdirAll(deep), "once more")
	for _, dir := range []string{top, filepath.Join(top, "b"), deep} {
		isPrivate(t, dir)
	}
	file := filepath.Join(deep, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.ErrorIs(t, private.MkdirAll(file), syscall.ENOTDIR, "a file is no folder")
	require.ErrorIs(t, private.MkdirAll(filepath.Join(file, "below")), syscall.ENOTDIR)
}

func TestAFileThatIsNotThere(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "absent")
	_, err := private.Remedy(absent)
	require.ErrorIs(t, err, fs.ErrNotExist)
	tightened, err := private.Tighten(absent)
	require.NoError(t, err, "nobody has rights to it")
	assert.False(t, tightened)
	_, err = private.OpenFile("nul\x00inside", os.O_CREATE)
	assert.Error(t, err)
	assert.Error(t, private.MkdirAll("nul\x00inside"))
}
