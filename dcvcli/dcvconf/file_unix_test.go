//go:build unix

package dcvconf_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli/dcvconf"
)

func TestModeAndOwnerStay(t *testing.T) {
	path := write(t, shipped)
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 4711, 4712
		require.NoError(t, os.Chown(path, uid, gid))
	}
	require.NoError(t, os.Chmod(path, 0o664))
	change(t, path)
	for _, name := range []string{path, path + ".dcvix-backup"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o664), info.Mode().Perm(), name)
		owner := info.Sys().(*syscall.Stat_t)
		assert.Equal(t, [2]int{uid, gid}, [2]int{int(owner.Uid), int(owner.Gid)}, name)
	}
}

func TestALinkIsFollowedAndStays(t *testing.T) {
	path := write(t, shipped)
	link := filepath.Join(t.TempDir(), "dcv.conf")
	require.NoError(t, os.Symlink(path, link))
	change(t, link)
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.Equal(t, os.ModeSymlink, info.Mode().Type())
	got, ok := open(t, path).Get("security", "no-tls-strict")
	assert.True(t, ok)
	assert.Equal(t, dcvconf.Bool(false), got)
	assert.Len(t, others(t, path), 2, "the copy is beside the file itself")
	undo(t, link)
	assert.Equal(t, shipped, content(t, path))
}
