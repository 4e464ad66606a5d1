//go:build unix

package main_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	// The walk builds these programs; importing what they are made of lets the
	// cache of test results notice a change.
	_ "github.com/dcvix/dcvix/cmd/agentcmd"
	_ "github.com/dcvix/dcvix/cmd/directorcmd"
	_ "github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/dcvcli"
	_ "github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// buildAll builds the programs that the walk runs, with the race detector when
// this test has it, into a folder of the test.
func buildAll(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	args := []string{"build", "-o", bin + "/"}
	if raceEnabled {
		args = append(args, "-race")
	}
	args = append(args, "../../cmd/dcvix-director", "../../cmd/dcvix-agent", "../../cmd/dcvix-launcher", "../fakehost", ".")
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return bin
}

// A demo is "make run" as a process.
type demo struct {
	t        *testing.T
	dir, bin string
	cmd      *exec.Cmd
	said     *lockedBuffer
	mark     string // in the environment of every process it starts
}

// start runs the demonstration and waits until it says what to do next.
func start(t *testing.T, dir, bin string) *demo {
	t.Helper()
	d := &demo{t: t, dir: dir, bin: bin, said: new(lockedBuffer), mark: "DEMO_TEST=" + rand.Text()}
	d.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(bin, "demo"), "-dir", dir, "-bin", bin)
	d.cmd.Env = append(os.Environ(), d.mark, "GORACE=atexit_sleep_ms=0 halt_on_error=1")
	stdout, err := d.cmd.StdoutPipe()
	require.NoError(t, err)
	d.cmd.Stderr = t.Output()
	require.NoError(t, d.cmd.Start())
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait()
		if t.Failed() {
			d.showLogs()
		}
	})
	lines := bufio.NewReader(io.TeeReader(stdout, d.said))
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the demonstration ended before it was up: %v\n%s", err, d.said.String())
		}
		if strings.HasPrefix(line, "Ctrl-C stops everything") {
			go func() { _, _ = io.Copy(io.Discard, lines) }()
			return d
		}
	}
}

func (d *demo) showLogs() {
	logs, _ := filepath.Glob(filepath.Join(d.dir, "*.log"))
	for _, path := range logs {
		text, _ := os.ReadFile(path)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		d.t.Logf("%s:\n%s", path, strings.Join(lines[max(0, len(lines)-30):], "\n"))
	}
}

// readmeLines returns the commands that the README lets a newcomer try, to be run
// by a shell in a folder that looks like the repository after "make run".
func (d *demo) readmeLines() []*exec.Cmd {
	d.t.Helper()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(d.t, err)
	home := d.t.TempDir()
	require.NoError(d.t, os.Symlink(d.bin, filepath.Join(home, "bin")))
	require.NoError(d.t, os.Symlink(d.dir, filepath.Join(home, ".run")))
	var lines []*exec.Cmd
	for line := range strings.Lines(string(readme)) {
		if strings.HasPrefix(line, "bin/") {
			cmd := d.command("sh", "-c", "exec "+strings.TrimSpace(line))
			cmd.Dir = home
			lines = append(lines, cmd)
		}
	}
	return lines
}

// launcher returns the launcher with the password of alice on its standard input.
func (d *demo) launcher(args ...string) *exec.Cmd {
	d.t.Helper()
	password, err := os.Open(filepath.Join(d.dir, "alice.password"))
	require.NoError(d.t, err)
	d.t.Cleanup(func() { _ = password.Close() })
	args = append([]string{"--conf", filepath.Join(d.dir, "launcher.conf"), "--password-stdin"}, args...)
	cmd := d.command(filepath.Join(d.bin, "dcvix-launcher"), args...)
	cmd.Stdin = password
	return cmd
}

// command returns a command that may take a minute.
func (d *demo) command(name string, args ...string) *exec.Cmd {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	d.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = d.t.Output()
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+d.t.TempDir(), "GORACE=atexit_sleep_ms=0")
	return cmd
}

// sessions asks the host itself, with the command that the agent uses.
func (d *demo) sessions() []dcvcli.Session {
	d.t.Helper()
	cli, err := dcvcli.New(dcvcli.Config{Path: filepath.Join(d.dir, "ws1", "dcv"), Platform: "linux"})
	require.NoError(d.t, err)
	all, err := cli.List(d.t.Context())
	require.NoError(d.t, err)
	return all
}

// stop ends the demonstration with a signal and sees that no process is left.
func (d *demo) stop(s syscall.Signal) {
	d.t.Helper()
	require.NoError(d.t, d.cmd.Process.Signal(s))
	err := d.cmd.Wait()
	if s == syscall.SIGINT {
		assert.NoError(d.t, err, "exit code after Ctrl-C")
	}
	assert.Eventually(d.t, func() bool { return len(d.processes()) == 0 }, 20*time.Second, 50*time.Millisecond, "processes are left: %v", d.processes())
}

// processes returns those that the demonstration started, itself included.
func (d *demo) processes() []string {
	var found []string
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environs {
		env, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(env), d.mark) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// TestTheWalk is the main job, with every part a process of its own: from an
// agent that nobody knows to a desktop that opens and closes.
func TestTheWalk(t *testing.T) {
	bin, dir := buildAll(t), filepath.Join(t.TempDir(), "run")
	d := start(t, dir, bin)

	lines := d.readmeLines()
	require.Len(t, lines, 4)
	out, err := lines[0].Output()
	require.NoError(t, err)
	assert.Equal(t, "ws1", strings.TrimSpace(string(out)))
	assert.Empty(t, d.sessions())

	connect := lines[1]
	var told lockedBuffer
	connect.Stderr = &told
	require.NoError(t, connect.Start())
	require.Eventually(t, func() bool { return strings.Contains(told.String(), "connected: alice on ") }, 30*time.Second, 20*time.Millisecond, "the viewer did not connect")
	assert.Contains(t, told.String(), " at ws1.localhost")
	sessions := d.sessions()
	require.Len(t, sessions, 1)
	assert.Equal(t, "alice", sessions[0].Owner)
	assert.Equal(t, "console", sessions[0].Type)
	assert.Equal(t, 1, sessions[0].NumOfConnections)
	list := d.launcher("--list", "--json")
	out, err = list.Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), sessions[0].ID)

	out, err = lines[3].Output()
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^registered +ws1\S* +[0-9a-f-]{36} `, string(out), "the operator needs no login")

	require.NoError(t, lines[2].Run())
	assert.NoError(t, connect.Wait(), "the viewer leaves with its session")
	assert.Empty(t, d.sessions())

	wrong := d.launcher("--list")
	wrong.Stdin = strings.NewReader("guess\n")
	require.Error(t, wrong.Run())
	assert.Equal(t, 3, wrong.ProcessState.ExitCode())

	t.Run("Pages", func(t *testing.T) { walkBrowser(t, dir, "walk.test.mjs", "DCVIX_E2E_URL="+d.portal()) })

	d.stop(syscall.SIGINT)
	d.secretsAreNotLogged()

	again := start(t, dir, bin)
	assert.NotContains(t, again.said.String(), "Approving", "the agent is known")
	out, err = again.launcher("--list").Output()
	require.NoError(t, err)
	assert.Equal(t, "ws1", strings.TrimSpace(string(out)))
	again.stop(syscall.SIGKILL)

	t.Run("Portal", func(t *testing.T) { newLab(t, dir, bin).walk("portal.test.mjs") })

	t.Run("Console", func(t *testing.T) { newLab(t, dir, bin).walk("console.test.mjs") })
}

// A lockedBuffer takes what a process says while a test reads it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// secretsAreNotLogged looks for what must be in no log: passwords, keys, tokens.
func (d *demo) secretsAreNotLogged() {
	d.t.Helper()
	secrets := map[string]string{"token": "v4.local.", "PEM": "PRIVATE KEY"}
	for _, name := range []string{"alice.password", "admin.password", "director/token.key"} {
		data, err := os.ReadFile(filepath.Join(d.dir, name))
		require.NoError(d.t, err)
		secrets[name] = strings.TrimSpace(string(data))
	}
	logs, err := filepath.Glob(filepath.Join(d.dir, "*.log"))
	require.NoError(d.t, err)
	require.Len(d.t, logs, 3)
	for _, path := range logs {
		text, err := os.ReadFile(path)
		require.NoError(d.t, err)
		require.NotEmpty(d.t, text, path)
		for name, secret := range secrets {
			assert.False(d.t, bytes.Contains(text, []byte(secret)), "%s is in %s", name, path)
		}
	}
}

// walkBrowser lets a real browser go through one file of walks through the web
// pages, and makes the pictures of the documentation.
func walkBrowser(t *testing.T, dir, file string, env ...string) {
	t.Helper()
	ui, err := filepath.Abs("../../directorapi/ui")
	require.NoError(t, err)
	for what, path := range map[string]string{"playwright-core": filepath.Join(ui, "node_modules", "playwright-core"), "chromium": chromium()} {
		if _, err := os.Stat(path); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing: run this test with \"make test\", which brings it", what)
			}
			t.Skipf("%s is missing: \"make test\" brings it", what)
		}
	}
	images, err := filepath.Abs("../../docs/images")
	require.NoError(t, err)
	if os.Getenv("DCVIX_IMAGES") == "" { // "make images" keeps them
		images = t.TempDir()
	}
	for _, name := range []string{"browser.mjs", file} { // so that the cache of test results notices a change
		_, err = os.ReadFile(filepath.Join(ui, "e2e", name))
		require.NoError(t, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, nodeBinary(), "--test", "e2e/"+file)
	cmd.Dir = ui
	cmd.Env = append(os.Environ(),
		"CHROMIUM="+chromium(), "DCVIX_E2E_SERVER=ws1", "DCVIX_E2E_IMAGES="+images,
		"DCVIX_E2E_USER=alice", "DCVIX_E2E_PASSWORD="+password(t, dir, "alice"),
		"DCVIX_E2E_ADMIN=admin", "DCVIX_E2E_ADMIN_PASSWORD="+password(t, dir, "admin"))
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	shots, err := filepath.Glob(filepath.Join(images, "*.png"))
	require.NoError(t, err)
	assert.NotEmpty(t, shots)
}

func chromium() string {
	if path, err := exec.LookPath("chromium"); err == nil {
		return path
	}
	return "/usr/bin/chromium"
}

// nodeBinary is the one that "make test" brings, else the system's.
func nodeBinary() string {
	brought, err := filepath.Abs("../../.tools/node/bin/node")
	if err == nil {
		if _, err := os.Stat(brought); err == nil {
			return brought
		}
	}
	return "node"
}

func password(t *testing.T, dir, user string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, user+".password"))
	require.NoError(t, err)
	return strings.TrimSpace(string(data))
}

func (d *demo) portal() string {
	d.t.Helper()
	for line := range strings.Lines(d.said.String()) {
		var url string
		if n, _ := fmt.Sscanf(line, " portal %s", &url); n == 1 {
			return url
		}
	}
	d.t.Fatalf("the demonstration does not say where the portal is:\n%s", d.said.String())
	return ""
}
