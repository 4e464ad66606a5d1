package control

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

const errRefused = windows.WSAECONNREFUSED

// listen relies on the access list of the folder, which counts for what is made in
// it.
func listen(ctx context.Context, dir string) (*net.UnixListener, error) {
	path := filepath.Join(dir, SocketFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return listenUnix(ctx, path)
}

func dial(ctx context.Context, dir string) (net.Conn, error) {
	return dialUnix(ctx, filepath.Join(dir, SocketFile))
}
