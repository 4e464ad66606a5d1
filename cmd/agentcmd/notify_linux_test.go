package agentcmd_test

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A manager is the end of NOTIFY_SOCKET that systemd has.
type manager struct {
	path string
	log  *buffer
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{path: filepath.Join(t.TempDir(), "notify"), log: &buffer{}}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for message := make([]byte, 4096); ; {
			n, err := conn.Read(message)
			if err != nil {
				return
			}
			_, _ = m.log.Write(append(message[:n:n], '\n'))
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return m
}

func TestSystemdHearsHowTheAgentIs(t *testing.T) {
	d, m := newDirector(t), newManager(t)
	d.pending = true
	cmd := process(t, "--conf", conf(t, d.lines(), ""))
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=300000")
	log := start(t, cmd, "waiting for an admin to approve this agent")
	await(t, m.log, "STATUS=waiting for approval, key fingerprint ")
	await(t, m.log, "READY=1\n")
	fingerprint := regexp.MustCompile(`key_fingerprint=(\S+)`).FindStringSubmatch(log.String())[1]
	assert.Contains(t, m.log.String(), "key fingerprint "+fingerprint+"\n")

	d.mu.Lock()
	d.pending = false
	d.mu.Unlock()
	await(t, m.log, "STATUS=registered, certificate good until ")
	fed := strings.Count(m.log.String(), "WATCHDOG=1\n")
	require.Eventually(t, func() bool { return strings.Count(m.log.String(), "WATCHDOG=1\n") > fed+3 }, 20*time.Second, 5*time.Millisecond)
	assert.NotContains(t, m.log.String(), "STOPPING")

	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	await(t, m.log, "STOPPING=1\nSTATUS=stopping\n")
	assert.Equal(t, 1, strings.Count(m.log.String(), "READY=1\n"))
}

func TestAnAgentThatCannotStartIsNotReady(t *testing.T) {
	m := newManager(t)
	cmd := process(t, "--conf", conf(t, "data_dir = /dev/null/x", ""))
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+m.path)
	assert.Equal(t, 1, finish(t, cmd).code)
	assert.NotContains(t, m.log.String(), "READY=1")
}

func TestAManagerThatIsGoneIsSaidOnce(t *testing.T) {
	d := newDirector(t)
	cmd := process(t, "--conf", conf(t, d.lines(), ""))
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+filepath.Join(t.TempDir(), "nothing"), fmt.Sprintf("WATCHDOG_USEC=%d", 50_000))
	log := start(t, cmd, "systemd cannot be told")
	await(t, log, "listening for the director")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	assert.Equal(t, 1, strings.Count(log.String(), "systemd cannot be told"))
}
