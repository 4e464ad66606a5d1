//go:build unix

package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
)

// program returns the path of fakehost under a name of its own.
func program(t *testing.T, name string) string {
	t.Helper()
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else the race detector holds every process for a second
	self, err := os.Executable()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.Symlink(self, path))
	return path
}

// process is a program that runs.
type process struct {
	cmd    *exec.Cmd
	first  string // line that it printed
	stderr *bytes.Buffer
}

// launch starts the program and waits for its first line, "" when it prints none.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(t.Context(), program(t, "fakehost"), args...), stderr: &bytes.Buffer{}}
	p.cmd.Stderr = p.stderr
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	p.first, _ = bufio.NewReader(stdout).ReadString('\n')
	return p
}

// end waits for the end of the program and returns its exit status.
func (p *process) end(t *testing.T) int {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		_ = p.cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(30 * time.Second):
		require.Fail(t, "the program does not end")
		return -1
	}
}

func (p *process) interrupt(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
}

// world is a host with a session "s" of alice, and a verifier that knows her.
type world struct {
	cli    *dcvcli.CLI
	server *process
	port   string
}

func newWorld(t *testing.T) world {
	t.Helper()
	verifier := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("authenticationToken") == "s3cret-token" && r.PostFormValue("sessionId") == "s" {
			_, _ = io.WriteString(w, `<auth result="yes"><username>alice</username></auth>`)
			return
		}
		_, _ = io.WriteString(w, `<auth result="no"><message>no</message></auth>`)
	}))
	t.Cleanup(verifier.Close)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: verifier.Certificate().Raw}), 0o600))

	command := filepath.Join(dir, "ws1", "dcv")
	require.NoError(t, os.Mkdir(filepath.Dir(command), 0o700))
	require.NoError(t, os.Symlink(program(t, "fakehost"), command))
	cli, err := dcvcli.New(dcvcli.Config{Path: command, Platform: "linux"})
	require.NoError(t, err)
	require.NoError(t, cli.Create(t.Context(), dcvcli.CreateOptions{ID: "s", Type: dcvcli.Virtual, Owner: "alice"}))

	server := launch(t, "serve", "--state", filepath.Join(dir, "ws1", "state"), "--name", "ws1.localhost",
		"--listen", "127.0.0.1:0", "--verifier", verifier.URL, "--ca-file", ca)
	name, address, ok := strings.Cut(strings.TrimSpace(server.first), " is ready at ")
	require.True(t, ok, "%q %s", server.first, server.stderr)
	assert.Equal(t, "ws1.localhost", name)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return world{cli: cli, server: server, port: port}
}

func (w world) connectionFile(t *testing.T, more string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.dcv")
	require.NoError(t, os.WriteFile(path, []byte("[version]\nformat=1.0\n\n[connect]\nhost=ws1.localhost\nport="+w.port+
		"\nsessionid=s\n"+more+"\n"), 0o600))
	return path
}

func (w world) connections(t *testing.T) int {
	t.Helper()
	session, err := w.cli.Describe(t.Context(), "s")
	require.NoError(t, err)
	return session.NumOfConnections
}

const connected = "connected: alice on s at ws1.localhost\n"

func TestAViewerStaysUntilTheSessionIsClosed(t *testing.T) {
	w := newWorld(t)
	v := launch(t, "viewer", w.connectionFile(t, "authtoken=s3cret-token"))
	require.Equal(t, connected, v.first, v.stderr)
	assert.Equal(t, 1, w.connections(t))
	require.NoError(t, w.cli.Close(t.Context(), "s"))
	assert.Equal(t, 0, v.end(t))
	assert.Equal(t, "disconnected: the session was closed\n", v.stderr.String())

	w.server.interrupt(t)
	assert.Equal(t, 0, w.server.end(t))
	assert.Contains(t, w.server.stderr.String(), "client connected")
	assert.NotContains(t, w.server.stderr.String(), "s3cret-token")
}

func TestAViewerLeavesByItselfOrWhenTold(t *testing.T) {
	w := newWorld(t)
	file := w.connectionFile(t, "authtoken=s3cret-token")
	tests := map[string]struct {
		args []string
		told bool
	}{
		"after its time": {args: []string{"viewer", file, "--for=50ms"}},
		"on a signal":    {args: []string{"viewer", "--log-level", "DEBUG", file}, told: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := launch(t, tt.args...)
			require.Equal(t, connected, v.first, v.stderr)
			if tt.told {
				v.interrupt(t)
			}
			assert.Equal(t, 0, v.end(t))
			assert.Eventually(t, func() bool { return w.connections(t) == 0 }, 20*time.Second, 20*time.Millisecond)
		})
	}
}

func TestAViewerSaysWhyItCannotConnect(t *testing.T) {
	w := newWorld(t)
	tests := map[string]struct {
		args []string
		want string
	}{
		"a wrong token":           {args: []string{w.connectionFile(t, "authtoken=guess")}, want: "refused: The token was not accepted."},
		"a file that is not ours": {args: []string{w.connectionFile(t, "authToken=guess")}, want: "needs host, sessionid and authtoken"},
		"no such file":            {args: []string{filepath.Join(t.TempDir(), "none.dcv")}, want: "the connection file"},
		"no file":                 {want: "needs a connection file"},
		"two files":               {args: []string{"a", "b"}, want: "one connection file"},
		"a strict policy": {
			args: []string{w.connectionFile(t, "authtoken=s3cret-token\ncertificatevalidationpolicy=strict")},
			want: "certificate",
		},
		"a strict policy on the command line": {
			args: []string{"--certificate-validation-policy=strict", w.connectionFile(t, "authtoken=s3cret-token")},
			want: "certificate",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := launch(t, append([]string{"viewer"}, tt.args...)...)
			assert.Equal(t, 1, v.end(t))
			assert.Empty(t, v.first)
			assert.Contains(t, v.stderr.String(), tt.want)
			assert.Equal(t, 1, strings.Count(v.stderr.String(), "\n"), v.stderr)
			assert.NotContains(t, v.stderr.String(), "s3cret-token")
		})
	}
}

func TestUnderTheNameOfTheViewerItIsTheViewer(t *testing.T) {
	w := newWorld(t)
	out, err := exec.CommandContext(t.Context(), program(t, "dcvviewer"), "--for=1ms", w.connectionFile(t, "authtoken=s3cret-token")).Output()
	require.NoError(t, err)
	assert.Equal(t, connected, string(out))
}

func TestAServerThatStopsEndsItsViewers(t *testing.T) {
	w := newWorld(t)
	v := launch(t, "viewer", w.connectionFile(t, "authtoken=s3cret-token"))
	require.Equal(t, connected, v.first, v.stderr)
	w.server.interrupt(t)
	assert.Equal(t, 0, w.server.end(t))
	assert.Equal(t, 0, v.end(t))
	assert.Equal(t, 0, w.connections(t))
}

func TestTheCommandFindsItsState(t *testing.T) {
	dir := filepath.Dir(program(t, "dcv"))
	run := func(env []string, name string, args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	beside := "FAKEDCV_STATE="
	run([]string{beside}, filepath.Join(dir, "dcv"), "create-session", "--owner=alice", "a")
	assert.FileExists(t, filepath.Join(dir, "state", "state.json"))

	elsewhere := beside + filepath.Join(dir, "elsewhere")
	assert.Contains(t, run([]string{elsewhere}, filepath.Join(dir, "dcv"), "list-sessions"), "no sessions")
	byName := beside + filepath.Join(dir, "state")
	assert.Contains(t, run([]string{byName}, program(t, "fakehost"), "dcv", "list-sessions"), "'a'")
	onPath := "PATH=" + dir + string(os.PathListSeparator) + os.Getenv("PATH")
	if sh, err := exec.LookPath("sh"); err == nil {
		assert.Contains(t, run([]string{beside, onPath}, sh, "-c", "dcv list-sessions"), "'a'")
	}
}

func TestWithoutAProgramTheUsageIsPrinted(t *testing.T) {
	for name, args := range map[string][]string{"nothing": nil, "nonsense": {"nonsense"}} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, args...)
			assert.Equal(t, 2, p.end(t))
			assert.Contains(t, p.stderr.String(), "usage:")
		})
	}
	for name, args := range map[string][]string{
		"serve without a state":   {"serve"},
		"serve with an argument":  {"serve", "--state", "x", "y"},
		"serve on no address":     {"serve", "--state", t.TempDir(), "--listen", "256.0.0.1:0"},
		"serve another DCV":       {"serve", "--state", t.TempDir(), "--profile", "1999.0-beos"},
		"serve with no such URL":  {"serve", "--state", t.TempDir(), "--listen", "127.0.0.1:0", "--verifier", "director"},
		"faults without a state":  {"faults"},
		"a fault nobody knows":    {"faults", "--state", t.TempDir(), "telepathy"},
		"faults with a bad flag":  {"faults", "--no-such-flag"},
		"viewer with a bad flag":  {"viewer", "--no-such-flag"},
		"serve with a wrong flag": {"serve", "--no-such-flag"},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, args...)
			assert.Equal(t, 1, p.end(t))
			assert.NotEmpty(t, p.stderr.String())
		})
	}
}

func TestTheCommandMisbehavesWhenToldTo(t *testing.T) {
	command := program(t, "dcv")
	state := filepath.Join(filepath.Dir(command), "state")
	t.Setenv("FAKEDCV_STATE", "")
	exit := func(name string, args ...string) int {
		cmd := exec.CommandContext(t.Context(), name, args...)
		_ = cmd.Run()
		return cmd.ProcessState.ExitCode()
	}
	assert.Equal(t, 0, exit(command, "list-sessions"))
	assert.Equal(t, 0, launch(t, "faults", "--state", state, "crashAfter", "extraKeys").end(t))
	assert.Equal(t, 137, exit(command, "create-session", "a"))
	assert.Equal(t, 0, launch(t, "faults", "--state", state).end(t))
	assert.Equal(t, 0, exit(command, "describe-session", "a"))
}
