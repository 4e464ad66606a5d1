package launchercmd_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/dcvix/dcvix/cmd/launchercmd"
)

// fullDisk is a folder on a disk without space. Only root can mount one.
func fullDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=0700")
	if errors.Is(err, unix.EPERM) {
		t.Skip("only root can mount a small disk")
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600))
	require.ErrorIs(t, os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 128<<10), 0o600), unix.ENOSPC)
	return dir
}

func TestAFullDiskIsSaidInWords(t *testing.T) {
	disk := fullDisk(t)
	d := newDesk(t, "")
	engine, _ := d.engine(t, "")
	require.NoError(t, engine.Login(t.Context(), login))

	e := home(t, disk)
	err := e.SetPreferences(launchercmd.Preferences{FullScreen: true})
	require.ErrorContains(t, err, "this cannot be remembered beyond today: ")
	require.ErrorContains(t, err, "the disk is full: free some space on it")
	assert.True(t, e.Preferences().FullScreen)
	assert.Equal(t, "lock", names(t, disk, "ballast", "folder"), "nothing half written stays")

	t.Setenv("XDG_RUNTIME_DIR", disk)
	r := d.launch(t, "--connect", "ws1")
	assert.Equal(t, launchercmd.ExitFailure, r.code)
	assert.Contains(t, r.stderr, "the connection file cannot be written: ")
	assert.Contains(t, r.stderr, "free some space")
	entries, err := os.ReadDir(filepath.Join(disk, "dcvix-launcher"))
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// names are those of the files in a folder but some.
func names(t *testing.T, dir string, but ...string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var all []string
	for _, entry := range entries {
		if !slices.Contains(but, entry.Name()) {
			all = append(all, entry.Name())
		}
	}
	return strings.Join(all, " ")
}
