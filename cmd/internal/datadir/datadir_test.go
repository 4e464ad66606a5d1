package datadir_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/internal/datadir"
)

func TestOneProcessAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "data")
	first, err := datadir.Open(path, "x.conf:2: data_dir")
	require.NoError(t, err)

	_, err = datadir.Open(path, "x.conf:2: data_dir")
	require.ErrorIs(t, err, datadir.ErrInUse)
	assert.EqualError(t, err, "the data folder "+path+" is in use by another process: stop that one, or name another folder (x.conf:2: data_dir)")

	require.NoError(t, first.Close())
	again, err := datadir.Open(path, "x.conf:2: data_dir")
	require.NoError(t, err, "after the first has gone")
	require.NoError(t, again.Close())
}

func TestAPathBelowAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))

	_, err := datadir.Open(filepath.Join(file, "data"), "data_dir")

	assert.ErrorContains(t, err, "a part of this path is a file: choose another folder")
}

func TestExplainSaysTheRemedy(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"a full disk":                   {&os.PathError{Op: "write", Path: "ca.key", Err: datadir.ErrFull}, "free some space on it"},
		"a full disk below a database":  {errors.New("write: database or disk is full (13)"), "free some space on it"},
		"one that cannot take its log":  {errors.New("open: disk I/O error (4874)"), "free some space on it"},
		"a folder of somebody else":     {&os.PathError{Op: "open", Path: "ca.key", Err: syscall.EACCES}, "the right to write"},
		"a disk for readers":            {&os.PathError{Op: "open", Path: "ca.key", Err: syscall.EROFS}, "mounted read-only"},
		"a path through a regular file": {&os.PathError{Op: "open", Path: "ca.key", Err: syscall.ENOTDIR}, "choose another folder"},
	} {
		t.Run(name, func(t *testing.T) {
			got := datadir.Explain(tt.err)
			assert.ErrorContains(t, got, tt.want)
			assert.ErrorIs(t, got, tt.err, "it is said, not replaced")
		})
	}
	assert.Equal(t, os.ErrClosed, datadir.Explain(os.ErrClosed), "nothing to add")
}

func TestALookWhetherTheFolderIsInUseIsInNobodysWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	used, err := datadir.InUse(path)
	require.NoError(t, err)
	assert.False(t, used)
	assert.NoDirExists(t, path)

	dir, err := datadir.Open(path, "x")
	require.NoError(t, err)
	used, err = datadir.InUse(path)
	require.NoError(t, err)
	assert.True(t, used)
	require.NoError(t, dir.Close())
	used, err = datadir.InUse(path)
	require.NoError(t, err)
	assert.False(t, used)

	looked := make(chan struct{})
	go func() {
		defer close(looked)
		for range 100 {
			_, err := datadir.InUse(path)
			assert.NoError(t, err)
			time.Sleep(time.Millisecond) // as a person would, and faster
		}
	}()
	for range 20 {
		dir, err := datadir.Open(path, "x")
		require.NoError(t, err)
		require.NoError(t, dir.Close())
	}
	<-looked
}
