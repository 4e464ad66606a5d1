package pam

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/pam/conversation"
)

// call has a helper behind the socket answer a request: whoever listens there
// starts one for each connection, whose standard input and output it is. The end
// of the connection ends the helper and what its modules have started.
func (b *Backend) call(ctx context.Context, req conversation.Request) (conversation.Answer, error) {
	line, err := conversation.Line(req, conversation.MaxRequest)
	if err != nil {
		return conversation.Answer{}, err
	}
	conn, err := b.dial(ctx)
	if err != nil {
		return conversation.Answer{}, fmt.Errorf("%w: the PAM helper cannot be reached: %w", auth.ErrUnavailable, err)
	}
	defer func() { _ = conn.Close() }()
	cut := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer cut()
	_, _ = conn.Write(line) // a helper that has ended is found below
	text, _ := io.ReadAll(io.LimitReader(conn, conversation.MaxAnswer+1))
	answer, err := conversation.ParseAnswer(text)
	switch {
	case ctx.Err() != nil:
		return conversation.Answer{}, fmt.Errorf("%w: no answer of PAM within %v, or nobody waits for it: %w", auth.ErrUnavailable, b.cfg.Timeout, context.Cause(ctx))
	case err != nil:
		return conversation.Answer{}, fmt.Errorf("%w: the PAM helper behind %s: %w: a module of the service %s may have crashed, the journal says so", auth.ErrUnavailable, b.cfg.Socket, err, b.cfg.Service)
	}
	return answer, nil
}

// dial connects to the socket, if it is root's or that of this process's user.
func (b *Backend) dial(ctx context.Context) (*net.UnixConn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", b.cfg.Socket)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("nobody listens on %s: systemctl enable --now dcvix-pam.socket, or leave pam_socket empty", b.cfg.Socket)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s is for another user: SocketUser= of its unit has to be the user with id %d", b.cfg.Socket, os.Geteuid())
	case err != nil:
		return nil, err
	}
	unix := conn.(*net.UnixConn) //nolint:forcetypeassert // documented of the network "unix"
	if err := checkPeer(unix); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", b.cfg.Socket, err), unix.Close())
	}
	return unix, nil
}

// checkPeer returns an error when somebody else than root or the user of this
// process listens there (SO_PEERCRED in unix(7)): passwords go to them alone.
func checkPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *syscall.Ucred
	var sys error
	if err := raw.Control(func(fd uintptr) {
		peer, sys = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if sys != nil {
		return sys
	}
	if peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
		return fmt.Errorf("the helper gets passwords, and the user with id %d listens there: it has to be root", peer.Uid)
	}
	return nil
}
