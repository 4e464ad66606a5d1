package directorcmd_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/directorcmd"
)

// smallDisk mounts a file system of that many KiB and returns its folder and what
// changes its size.
func smallDisk(t *testing.T, size int) (dir string, resize func(size int)) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk needs root")
	}
	dir = t.TempDir()
	mount := func(size int, flags uintptr) error {
		return syscall.Mount("tmpfs", dir, "tmpfs", flags, fmt.Sprintf("size=%dk,mode=700", size))
	}
	err := mount(size, 0)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skipf("root may not mount here, as in most containers: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir, func(size int) { t.Helper(); require.NoError(t, mount(size, syscall.MS_REMOUNT)) }
}

func TestFullDiskIsSaidAndLeavesNothingHalfWritten(t *testing.T) {
	for _, size := range []int{4, 8, 12, 16, 20, 24, 32, 48, 64} {
		t.Run(fmt.Sprintf("%d KiB", size), func(t *testing.T) {
			t.Parallel() // each waits seconds for SQLite to give up
			disk, resize := smallDisk(t, size)
			data := filepath.Join(disk, "data")
			path := conf(t, "data_dir = "+data+"\npolicydb_folder = "+filepath.Join(disk, "policydb")+"\ntoken_key_file = "+filepath.Join(disk, "token.key"), "")

			got := finish(t, process(t, "--conf", path))

			assert.Equal(t, directorcmd.ExitFailure, got.code, got.stderr)
			assert.Contains(t, got.sentence(t), disk)
			assert.Contains(t, got.sentence(t), "the disk is full: free some space on it")
			left, err := filepath.Glob(filepath.Join(disk, "*", ".*.tmp"))
			require.NoError(t, err)
			assert.Empty(t, left)

			resize(4096)
			r, _ := start(t, process(t, "--conf", path))
			assert.NotContains(t, r.said(), "level=ERROR", "with space it goes on where it was")
			require.NoError(t, r.cmd.Process.Signal(os.Interrupt))
			require.NoError(t, r.cmd.Wait())
		})
	}
}

func TestDefaultConfigurationIsNotWrittenInHalf(t *testing.T) {
	disk, _ := smallDisk(t, 4)
	require.NoError(t, os.WriteFile(filepath.Join(disk, "other"), []byte(strings.Repeat("x", 4096)), 0o600))
	got := finish(t, process(t, "--write-config", filepath.Join(disk, "new.conf")))
	assert.Equal(t, directorcmd.ExitFailure, got.code)
	assert.Contains(t, got.sentence(t), "the disk is full: free some space on it")
	assert.NoFileExists(t, filepath.Join(disk, "new.conf"))
}
