// Package control is the socket by which the command lines on one machine talk to
// the program that holds a data folder: {data folder}/control.sock. Who may connect
// is the operator, which the file's permissions decide.
package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// SocketFile is the socket's name in the data folder.
const SocketFile = "control.sock"

// ErrNobody says that nobody listens in a folder.
var ErrNobody = errors.New("nobody listens")

// Listen makes the socket in dir, for its owner alone from the first instant, and
// takes the place of one that a killed process left. The caller holds the folder's
// lock until it has closed the listener: nobody else may listen there. Closing
// removes the socket.
func Listen(ctx context.Context, dir string) (net.Listener, error) {
	l, err := listen(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", filepath.Join(dir, SocketFile), cause(err))
	}
	l.SetUnlinkOnClose(false)
	return &listener{UnixListener: l, path: filepath.Join(dir, SocketFile)}, nil
}

// Dial connects to who listens in dir. The error wraps [ErrNobody] when there is
// nobody, and [fs.ErrPermission] when the socket is for others.
func Dial(ctx context.Context, dir string) (net.Conn, error) {
	conn, err := dial(ctx, dir)
	if err == nil {
		return conn, nil
	}
	path, why := filepath.Join(dir, SocketFile), cause(err)
	if errors.Is(why, fs.ErrNotExist) || errors.Is(why, errRefused) || errors.Is(why, syscall.ENOTDIR) {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrNobody, why)
	}
	return nil, fmt.Errorf("%s: %w", path, why)
}

// cause leaves out of an error the path, which may be a makeshift.
func cause(err error) error {
	if sys, ok := errors.AsType[*os.SyscallError](err); ok {
		return sys.Err
	}
	return err
}

// A listener removes its socket itself, under the name that it was moved to.
type listener struct {
	*net.UnixListener

	path string
	once sync.Once
}

// Close ends the listening and removes the socket. It may be called again.
func (l *listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		// Removed first: whoever comes now finds nobody, and not a dead socket.
		if err = os.Remove(l.path); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		err = errors.Join(err, l.UnixListener.Close())
	})
	return err
}

func listenUnix(ctx context.Context, path string) (*net.UnixListener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	return l.(*net.UnixListener), nil //nolint:forcetypeassert // documented of the network "unix"
}

func dialUnix(ctx context.Context, path string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", path)
}
