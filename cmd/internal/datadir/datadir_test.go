package datadir_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

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
	for want, err := range map[string]error{
		"free some space on it": &os.PathError{Op: "write", Path: "ca.key", Err: syscall.ENOSPC},
		"the right to write":    &os.PathError{Op: "open", Path: "ca.key", Err: syscall.EACCES},
		"mounted read-only":     &os.PathError{Op: "open", Path: "ca.key", Err: syscall.EROFS},
	} {
		assert.ErrorContains(t, datadir.Explain(err), want)
	}
	assert.Equal(t, os.ErrClosed, datadir.Explain(os.ErrClosed), "nothing to add")
}
