package control_test

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/internal/control"
)

// folder is a data folder whose path is short.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dcvix") //nolint:usetesting // its path would be too long
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func listen(t *testing.T, dir string) net.Listener {
	t.Helper()
	l, err := control.Listen(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// meets says whether a dialler reaches the listener.
func meets(t *testing.T, l net.Listener, dir string) {
	t.Helper()
	accepted := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, err = conn.Write([]byte("x"))
			_ = conn.Close()
		}
		accepted <- err
	}()
	conn, err := control.Dial(t.Context(), dir)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	got := make([]byte, 1)
	_, err = conn.Read(got)
	require.NoError(t, err)
	assert.Equal(t, "x", string(got))
	require.NoError(t, <-accepted)
}

func TestWhoDialsMeetsWhoListens(t *testing.T) {
	dir := folder(t)
	_, err := control.Dial(t.Context(), dir)
	require.ErrorIs(t, err, control.ErrNobody)
	l := listen(t, dir)
	meets(t, l, dir)

	require.NoError(t, l.Close())

	_, err = control.Dial(t.Context(), dir)
	require.ErrorIs(t, err, control.ErrNobody)
	assert.ErrorContains(t, err, filepath.Join(dir, control.SocketFile))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries, "nothing is left")
	require.ErrorIs(t, l.Close(), net.ErrClosed)
}

func TestASecondCloseLeavesTheNextSocketAlone(t *testing.T) {
	dir := folder(t)
	first := listen(t, dir)
	require.NoError(t, first.Close())
	second := listen(t, dir)
	_ = first.Close() // once more
	meets(t, second, dir)
}

func TestAFolderThatIsNotThereHasNobody(t *testing.T) {
	dir := filepath.Join(folder(t), "none")
	_, err := control.Dial(t.Context(), dir)
	require.ErrorIs(t, err, control.ErrNobody)
	_, err = control.Listen(t.Context(), dir)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
