package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"

	"github.com/dcvix/dcvix/internal/private"
)

const errRefused = windows.WSAECONNREFUSED

// listen relies on the access list of the folder, which counts for what is made in
// it, and refuses one that others have rights to.
func listen(ctx context.Context, dir string) (*net.UnixListener, error) {
	remedy, err := private.Remedy(dir)
	if err != nil {
		return nil, err
	}
	if remedy != "" {
		return nil, fmt.Errorf("others can use the folder: %s", remedy)
	}
	path := filepath.Join(dir, SocketFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return listenUnix(ctx, path)
}

func dial(ctx context.Context, dir string) (net.Conn, error) {
	return dialUnix(ctx, filepath.Join(dir, SocketFile))
}
