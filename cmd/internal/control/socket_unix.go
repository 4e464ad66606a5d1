//go:build unix

package control

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

const errRefused = syscall.ECONNREFUSED

// stage is the folder below the data folder in which the socket is made. Nobody
// else can enter it, so that nobody connects before the permissions are right.
const stage = ".control"

func listen(ctx context.Context, dir string) (l *net.UnixListener, err error) {
	made := filepath.Join(dir, stage)
	if err := os.RemoveAll(made); err != nil { // it may be left from a process that was killed here
		return nil, err
	}
	if err := os.Mkdir(made, 0o700); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(made)) }()
	err = within(made, func(short string) error {
		l, err = listenUnix(ctx, filepath.Join(short, SocketFile))
		return err
	})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	socket := filepath.Join(made, SocketFile)
	if err := os.Chmod(socket, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := os.Rename(socket, filepath.Join(dir, SocketFile)); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func dial(ctx context.Context, dir string) (conn net.Conn, err error) {
	err = within(dir, func(short string) error {
		conn, err = dialUnix(ctx, filepath.Join(short, SocketFile))
		return err
	})
	return conn, err
}
