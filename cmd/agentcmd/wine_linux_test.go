package agentcmd_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A windows is the agent and the fake dcv, built for Windows, below Wine.
type windows struct {
	bin    string // where the programs are
	prefix string // Wine's own files
}

// needWindows skips the test where there are no such programs: Wine takes 700 MB.
func needWindows(t *testing.T) windows {
	t.Helper()
	w := windows{bin: os.Getenv("DCVIX_WINDOWS"), prefix: os.Getenv("WINEPREFIX")}
	if w.bin == "" || w.prefix == "" {
		t.Skip("\"make test-windows\" runs this one")
	}
	// Services live as long as any other program does.
	keeper := exec.CommandContext(context.WithoutCancel(t.Context()), "wine", "cmd")
	open, err := keeper.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, keeper.Start())
	t.Cleanup(func() {
		_ = open.Close()
		_ = keeper.Wait()
	})
	return w
}

func (w windows) command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
	t.Cleanup(cancel)
	if strings.HasSuffix(program, ".exe") {
		program = filepath.Join(w.bin, program)
	}
	cmd := exec.CommandContext(ctx, "wine", append([]string{program}, args...)...)
	cmd.Dir = t.TempDir()
	return cmd
}

// conf writes a configuration for the host of the fleet and returns the folder
// that it, the agent's state and its log are in.
func (w windows) conf(t *testing.T, f *fleet) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, "dcvix-agent.conf")
	text := "[agent]\n" + f.lines() + "data_dir = state\ndcv_path = " + drive(filepath.Join(w.bin, "dcv.exe")) + "\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return dir, path
}

// drive is how Windows programs call a path of Linux.
func drive(path string) string { return "Z:" + strings.ReplaceAll(path, "/", `\`) }

func TestAWindowsAgentServesALinuxDirector(t *testing.T) {
	w, f := needWindows(t), newFleet(t)
	got := finish(t, w.command(t, "dcvix-agent.exe", "-version"))
	require.Zero(t, got.code, got.stderr)
	assert.True(t, strings.HasPrefix(got.stdout, "dcvix-agent "), got.stdout)
	written := filepath.Join(t.TempDir(), "new.conf")
	got = finish(t, w.command(t, "dcvix-agent.exe", "--write-config", drive(written)))
	require.Zero(t, got.code, got.stderr)
	assert.FileExists(t, written)

	_, path := w.conf(t, f)
	log := start(t, w.command(t, "dcvix-agent.exe", "--conf", drive(path)), "waiting for an admin")
	f.approve(t)
	await(t, log, "listening for the director")
	host := f.report(t)
	assert.Contains(t, host.Tags, "windows")
	assert.Positive(t, host.TotalMemory)
	assert.Positive(t, host.Cores)
	assert.Empty(t, host.Problems)
	f.openAndClose(t)
}

func TestAWindowsServiceIsInstalledStartsStopsAndGoes(t *testing.T) {
	w, f := needWindows(t), newFleet(t)
	dir, path := w.conf(t, f)
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = fmt.Fprintln(file, "[log]\ndirectory = log")
	require.NoError(t, err)
	require.NoError(t, file.Close())
	log := func() string {
		text, _ := os.ReadFile(filepath.Join(dir, "log", "dcvix-agent.log")) // not there before the first start
		return string(text)
	}

	got := finish(t, w.command(t, "dcvix-agent.exe", "-install", "-conf", drive(path)))
	require.Zero(t, got.code, got.stderr)
	t.Cleanup(func() { finish(t, w.command(t, "dcvix-agent.exe", "-uninstall")) })
	assert.Contains(t, got.stdout, "then start it: sc start dcvix-agent")
	again := finish(t, w.command(t, "dcvix-agent.exe", "service", "install"))
	assert.Equal(t, 2, again.code)
	assert.Contains(t, again.stderr, "there is a service dcvix-agent already")

	require.Zero(t, finish(t, w.command(t, "net", "start", "dcvix-agent")).code)
	id := f.approve(t)
	f.report(t)
	assert.Contains(t, finish(t, w.command(t, "sc", "query", "dcvix-agent")).stdout, "RUNNING")
	require.Zero(t, finish(t, w.command(t, "net", "stop", "dcvix-agent")).code)
	eventually(t, log, `msg=stopped cause="the service manager asked for it"`) // Wine's net does not wait

	require.Zero(t, finish(t, w.command(t, "net", "start", "dcvix-agent")).code)
	f.report(t)
	guid, err := os.ReadFile(filepath.Join(dir, "state", "agent.guid"))
	require.NoError(t, err)
	assert.Equal(t, string(id), strings.TrimSpace(string(guid)), "it is the same")

	got = finish(t, w.command(t, "dcvix-agent.exe", "service", "uninstall"))
	require.Zero(t, got.code, got.stderr)
	assert.Equal(t, 2, strings.Count(log(), "msg=stopped"), "a service that runs is stopped first")
	assert.FileExists(t, filepath.Join(dir, "state", "agent.key"))
	assert.Equal(t, 2, finish(t, w.command(t, "dcvix-agent.exe", "service", "uninstall")).code)
}

func TestAWindowsServiceLogsWhyItDoesNotStart(t *testing.T) {
	w := needWindows(t)
	path := filepath.Join(t.TempDir(), "dcvix-agent.conf")
	require.NoError(t, os.WriteFile(path, []byte("[agent]\ndirecter_host = x\n"), 0o600))
	got := finish(t, w.command(t, "dcvix-agent.exe", "-install", "-conf", drive(path)))
	require.Zero(t, got.code, got.stderr)
	t.Cleanup(func() { finish(t, w.command(t, "dcvix-agent.exe", "-uninstall")) })

	finish(t, w.command(t, "net", "start", "dcvix-agent"))
	state := func() string { return finish(t, w.command(t, "sc", "query", "dcvix-agent")).stdout }
	eventually(t, state, "SERVICE_EXIT_CODE  : 2")
	assert.Contains(t, state(), "STOPPED")
	// The services of Wine have the folder of public documents as %ProgramData%.
	log, err := os.ReadFile(filepath.Join(w.prefix, "drive_c", "users", "Public", "dcvix", "Agent", "log", "dcvix-agent.log"))
	require.NoError(t, err)
	assert.Contains(t, string(log), `msg="dcvix-agent ends" error=`)
	assert.Contains(t, string(log), "did you mean director_host?")
}

// eventually waits until what is said has the words.
func eventually(t *testing.T, said func() string, words string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(said(), words); time.Sleep(50 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "%s: %s", words, said())
	}
}
