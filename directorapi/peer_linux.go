package directorapi

import (
	"errors"
	"fmt"
	"net"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// peerName returns the name of the user at the other end of a connection as the
// kernel has it from the moment of connect (unix(7), SO_PEERCRED), or uid:N for
// one without a name.
func peerName(conn *net.UnixConn) (string, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return "", fmt.Errorf("ask for the peer: %w", err)
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, failed); err != nil {
		return "", fmt.Errorf("ask for the peer: %w", err)
	}
	uid := strconv.FormatUint(uint64(cred.Uid), 10)
	if known, err := user.LookupId(uid); err == nil {
		return known.Username, nil
	}
	return "uid:" + uid, nil
}
