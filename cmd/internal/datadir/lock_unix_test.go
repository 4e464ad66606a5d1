//go:build unix

package datadir_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/dcvix/dcvix/cmd/internal/datadir"
)

func TestAProgramThatStartsDuringALookStarts(t *testing.T) {
	path := t.TempDir()
	look, err := os.Create(filepath.Join(path, "lock"))
	require.NoError(t, err)
	require.NoError(t, unix.Flock(int(look.Fd()), unix.LOCK_SH))
	timer := time.AfterFunc(5*time.Millisecond, func() { assert.NoError(t, look.Close()) })
	defer timer.Stop()
	dir, err := datadir.Open(path, "x")
	require.NoError(t, err)
	require.NoError(t, dir.Close())
}
