package control_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/dcvix/dcvix/cmd/internal/control"
)

// watch returns what happened to the names in a folder since, in words.
func watch(t *testing.T, dir string) func() []string {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	_, err = unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ATTRIB)
	require.NoError(t, err)
	return func() []string {
		buf := make([]byte, 64<<10)
		n, err := unix.Read(fd, buf)
		require.NoError(t, err)
		var events []string
		for rest := buf[:n]; len(rest) > 0; {
			mask, size := binary.NativeEndian.Uint32(rest[4:]), binary.NativeEndian.Uint32(rest[12:])
			name := string(bytes.TrimRight(rest[16:16+size], "\x00"))
			word := map[uint32]string{unix.IN_CREATE: "made", unix.IN_MOVED_TO: "moved in", unix.IN_ATTRIB: "changed"}[mask&^unix.IN_ISDIR]
			events = append(events, word+" "+name)
			rest = rest[16+size:]
		}
		return events
	}
}

func TestTheSocketIsItsOwnersFromTheFirstInstant(t *testing.T) {
	old := syscall.Umask(0) // the worst
	defer syscall.Umask(old)
	dir := folder(t)
	require.NoError(t, os.Chmod(dir, 0o755)) // as a data folder that an admin opened
	happened := watch(t, dir)

	listen(t, dir)

	assert.Equal(t, []string{"made .control", "moved in control.sock"}, happened(), "it was never there with other permissions")
	info, err := os.Stat(filepath.Join(dir, control.SocketFile))
	require.NoError(t, err)
	assert.Equal(t, fs.ModeSocket|0o600, info.Mode())
}

func TestTheFolderInWhichTheSocketIsMadeIsClosedToOthers(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := folder(t)
	stop, seen := make(chan struct{}), make(chan map[fs.FileMode]bool)
	var caught atomic.Bool
	go func() {
		modes := make(map[fs.FileMode]bool)
		for {
			select {
			case <-stop:
				seen <- modes
				return
			default:
			}
			if info, err := os.Lstat(filepath.Join(dir, ".control")); err == nil {
				modes[info.Mode()] = true
				caught.Store(true)
			}
		}
	}()
	for i := 0; i < 200 || !caught.Load(); i++ {
		require.NoError(t, listen(t, dir).Close())
	}
	close(stop)
	assert.Equal(t, map[fs.FileMode]bool{fs.ModeDir | 0o700: true}, <-seen)
}

func TestWhatAKilledProcessLeftIsReplaced(t *testing.T) {
	dir := folder(t)
	stale, err := net.Listen("unix", filepath.Join(dir, control.SocketFile))
	require.NoError(t, err)
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, stale.Close())
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".control", "control.sock"), 0o755)) // killed in the middle
	_, err = control.Dial(t.Context(), dir)
	require.ErrorIs(t, err, control.ErrNobody, "a socket without a process")

	meets(t, listen(t, dir), dir)
}

func TestALongPathIsNoHindrance(t *testing.T) {
	const most = 107 - len("/control.sock") // where Linux ends for the socket itself
	for _, length := range []int{most - len("/.control"), most - len("/.control") + 1, most, most + 1, 400} {
		t.Run(fmt.Sprintf("%d bytes", length), func(t *testing.T) {
			dir := folder(t)
			for length-len(dir) > 200 {
				dir += "/" + strings.Repeat("d", 150)
			}
			dir += "/" + strings.Repeat("d", length-len(dir)-1)
			require.Len(t, dir, length)
			require.NoError(t, os.MkdirAll(dir, 0o700))
			_, err := control.Dial(t.Context(), dir)
			require.ErrorIs(t, err, control.ErrNobody)
			l := listen(t, dir)
			meets(t, l, dir)
			require.NoError(t, l.Close())
			assert.NoFileExists(t, filepath.Join(dir, control.SocketFile))
		})
	}
}

func TestErrorsNameTheSocketAndNoMakeshift(t *testing.T) {
	dir := folder(t) + "/" + strings.Repeat("d", 150)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, control.SocketFile, "in the way"), 0o700))
	_, dialled := control.Dial(t.Context(), dir)
	_, listened := control.Listen(t.Context(), dir)
	for _, err := range []error{dialled, listened} {
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "/proc")
		assert.Contains(t, err.Error(), filepath.Join(dir, control.SocketFile))
	}
}
