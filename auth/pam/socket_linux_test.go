package pam_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/pam"
)

// listening does what systemd does for a socket unit with Accept=yes: a program for
// each connection, which is its standard input and output. It returns the path.
func listening(t *testing.T, command ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pam.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	var helpers sync.WaitGroup
	helpers.Go(func() {
		for {
			conn, err := l.AcceptUnix()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if !assert.NoError(t, err) {
				return
			}
			file, err := conn.File()
			_ = conn.Close()
			if !assert.NoError(t, err) {
				return
			}
			helpers.Go(func() {
				cmd := exec.Command(command[0], command[1:]...)
				cmd.Stdin, cmd.Stdout = file, file
				_ = cmd.Start()
				_ = file.Close()
				_ = cmd.Wait() // some of them crash
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		helpers.Wait()
	})
	return path
}

// installed writes a service for the whole host, as a helper behind a socket takes
// no other, and returns its name.
func installed(t *testing.T, lines string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		lacking(t, "only root can write a service to /etc/pam.d")
	}
	file, err := os.CreateTemp("/etc/pam.d", "dcvix-test-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.Remove(file.Name()) })
	_, err = file.WriteString(lines)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.NoError(t, os.Chmod(file.Name(), 0o644))
	return filepath.Base(file.Name())
}

func TestAHelperBehindASocketDecidesAsOneOfOurOwn(t *testing.T) {
	passwords := filepath.Join(t.TempDir(), "passwords")
	name := installed(t, "auth required "+matrix(t)+" passdb="+passwords+"\naccount required "+matrix(t)+" passdb="+passwords+"\n")
	write(t, passwords, "alice:wonder:"+name+"\n")
	b := open(t, pam.Config{Service: name, Helper: "/nothing/here", Socket: listening(t, helper(t), name)})
	require.NoError(t, b.CheckHealth(t.Context()))
	who, err := b.Authenticate(t.Context(), alice)
	require.NoError(t, err)
	assert.Equal(t, "alice", string(who.User))
	_, err = b.Authenticate(t.Context(), auth.Credentials{User: "alice", Password: "guess"})
	require.ErrorIs(t, err, auth.ErrInvalidCredentials)
}

func TestAHelperBehindASocketAsksItsServiceAlone(t *testing.T) {
	name := installed(t, "auth required pam_deny.so\naccount required pam_deny.so\n")
	socket := listening(t, helper(t), name)
	folder := service(t, "auth required pam_permit.so", "account required pam_permit.so")
	require.NoError(t, os.Rename(filepath.Join(folder, "dcvix"), filepath.Join(folder, name)))
	for what, cfg := range map[string]pam.Config{
		"another service":                    {Service: "other", Socket: socket},
		"its name in a folder of the caller": {Service: name, ServiceDir: folder, Socket: socket},
	} {
		t.Run(what, func(t *testing.T) {
			b := open(t, cfg)
			_, err := b.Authenticate(t.Context(), alice)
			require.ErrorIs(t, err, auth.ErrUnavailable)
			assert.ErrorContains(t, err, "asks the PAM service "+name+" alone: set pam_service_name = "+name)
			assert.ErrorContains(t, b.CheckHealth(t.Context()), "alone")
		})
	}
}

func TestTroubleWithTheSocketIsSaid(t *testing.T) {
	name := installed(t, "auth required "+module(t)+" crash\naccount required pam_permit.so\n")
	b := open(t, pam.Config{Service: name, Socket: filepath.Join(t.TempDir(), "no.sock")})
	err := b.CheckHealth(t.Context())
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.ErrorContains(t, err, "systemctl enable --now dcvix-pam.socket")

	b = open(t, pam.Config{Service: name, Socket: listening(t, helper(t), name)})
	_, err = b.Authenticate(t.Context(), alice)
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.ErrorContains(t, err, "may have crashed")
}

func TestATimeOutEndsTheHelperBehindASocket(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	name := installed(t, "auth required "+module(t)+" child="+pids+" daemon="+pids+" hang\naccount required pam_permit.so\n")
	b := open(t, pam.Config{Service: name, Socket: listening(t, helper(t), name), Timeout: time.Second})
	_, err := b.Authenticate(t.Context(), alice)
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.ErrorContains(t, err, "within 1s")
	gone(t, pids, 2)
}

func TestPasswordsGoToNoHelperOfAStranger(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else too")
	}
	name := installed(t, "auth required pam_permit.so\naccount required pam_permit.so\n")
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		require.NoError(t, os.Chmod(d, 0o777))
	}
	path, got := filepath.Join(dir, "pam.sock"), filepath.Join(dir, "got")
	stranger := exec.CommandContext(t.Context(), "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "perl", "-MIO::Socket::UNIX", "-e",
		`$s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die; $c = $s->accept; open(F, ">", $ARGV[1]); print F $_ while <$c>;`, path, got)
	require.NoError(t, stranger.Start())
	require.Eventually(t, func() bool { _, err := os.Stat(path); return err == nil }, 30*time.Second, 5*time.Millisecond)
	b := open(t, pam.Config{Service: name, Socket: path})
	_, err := b.Authenticate(t.Context(), alice)
	require.ErrorContains(t, err, "the user with id 65534 listens there: it has to be root")
	require.NoError(t, stranger.Wait())
	text, err := os.ReadFile(got)
	require.NoError(t, err)
	assert.Empty(t, strings.TrimSpace(string(text)))
}
