package agentcmd_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/agentcmd"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
	"github.com/dcvix/dcvix/internal/private"
	"github.com/dcvix/dcvix/internal/private/privatetest"
)

// TestMain makes this binary the agent, for the tests that start one, and under
// the name dcv the fake of that command, with its state beside it.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "dcv" {
		os.Exit(dcvclitest.Main(filepath.Join(filepath.Dir(os.Args[0]), "state"), os.Args[1:], os.Stdout, os.Stderr))
	}
	if os.Getenv("AGENT_PROCESS") != "" {
		os.Exit(agentcmd.Main(agentcmd.Options{}))
	}
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // else the race detector holds every process for a second
	os.Exit(m.Run())
}

// process returns the agent as a process that is not started yet, in a working
// directory of its own.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "AGENT_PROCESS=1")
	return cmd
}

type result struct {
	code           int
	stdout, stderr string
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil {
		require.ErrorAs(t, err, &exit)
	}
	return result{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

func freePort(t testing.TB) int {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	return ln.Addr().(*net.TCPAddr).Port
}

// conf writes a configuration that would work, with more lines of [agent] and a
// tail, and returns its path.
func conf(t *testing.T, more, tail string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "dcvix-agent.conf")
	var text strings.Builder
	text.WriteString("[agent]\n")
	for key, value := range map[string]string{
		"director_host": "127.0.0.1", "director_port": "9", "data_dir": "state", "bind_address": "127.0.0.1",
		"agent_port": strconv.Itoa(freePort(t)), "hostname": "ws1",
	} {
		if !strings.Contains(more, key+" =") {
			text.WriteString(key + " = " + value + "\n")
		}
	}
	require.NoError(t, os.WriteFile(path, []byte(text.String()+more+"\n"+tail), 0o600))
	return path
}

func TestBadInputIsOneSentenceWithItsRemedy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	takenPort := taken.Addr().(*net.TCPAddr).Port

	tests := map[string]struct {
		args []string // before --conf
		more string   // lines of [agent]
		tail string   // other sections
		env  string
		code int
		want []string
	}{
		"unknown flag":               {args: []string{"--what"}, code: 2, want: []string{"unknown flag: --what", "see --help"}},
		"a word":                     {args: []string{"start"}, code: 2, want: []string{`"start" on the command line means nothing`}},
		"no such file":               {args: []string{"--conf", "/nothing/here.conf"}, code: 2, want: []string{"/nothing/here.conf"}},
		"a folder as file":           {args: []string{"--conf", os.TempDir()}, code: 2, want: []string{"is a folder"}},
		"an unknown key":             {more: "directer_host = x", code: 2, want: []string{"dcvix-agent.conf:", "did you mean director_host?"}},
		"an unknown section":         {tail: "[agnt]\n", code: 2, want: []string{"did you mean [agent]?"}},
		"an unknown variable":        {env: "DCVIX_AGENT_DIRECTOR_HOTS=x", code: 2, want: []string{"did you mean DCVIX_AGENT_DIRECTOR_HOST?"}},
		"a port that is a word":      {more: "agent_port = https", code: 2, want: []string{"agent_port", "not a whole number"}},
		"a privileged port":          {more: "agent_port = 80", code: 2, want: []string{"agent_port", "1024 to 65535"}},
		"a web port out of range":    {more: "dcv_port = 0", code: 2, want: []string{"dcv_port", "1 to 65535"}},
		"a URL as director":          {more: "director_host = https://director:8445", code: 2, want: []string{"director_host", "without scheme and port"}},
		"a bad name among directors": {more: "director_host = a.example, b_example", code: 2, want: []string{"director_host", `"b_example" is neither`}},
		"a hole among directors":     {more: "director_host = a.example,, b.example", code: 2, want: []string{"director_host", "neither a host name nor an address"}},
		"no director":                {more: "director_host = ", code: 2, want: []string{"director_host", "neither a host name nor an address"}},
		"a bad interval":             {more: "update_interval = often", code: 2, want: []string{"update_interval", "not a duration"}},
		"too short an interval":      {more: "update_interval = 100ms", code: 2, want: []string{"update_interval", "1s or more"}},
		"minutes taken for seconds":  {more: "idle_timeout = 30", code: 2, want: []string{"idle_timeout", "1m or more"}},
		"too short an idle timeout":  {more: "idle_timeout = 59s", code: 2, want: []string{"idle_timeout", "1m or more, or 0 to close no idle session"}},
		"too many looks":             {more: "reap_interval = 10ms", code: 2, want: []string{"reap_interval", "1s or more"}},
		"a bad fingerprint":          {more: "ca_fingerprint = AB:CD", code: 2, want: []string{"ca_fingerprint", "32 pairs of hex digits"}},
		"a bad host name":            {more: "hostname = my_host", code: 2, want: []string{"hostname", "my_host"}},
		"a name as bind address":     {more: "bind_address = eth0", code: 2, want: []string{"bind_address", "10.0.0.5"}},
		"an empty data folder":       {more: "data_dir = ", code: 2, want: []string{"data_dir", "name a folder"}},
		"a bad log level":            {tail: "[log]\nlevel = loud\n", code: 2, want: []string{"level", "info"}},
		"a log folder below a file":  {tail: "[log]\ndirectory = " + filepath.Join(file, "log") + "\n", code: 1, want: []string{"[log] directory"}},
		"a data folder below a file": {more: "data_dir = " + filepath.Join(file, "state"), code: 1, want: []string{"the data folder cannot be used", file, "data_dir"}},
		"a file as data folder":      {more: "data_dir = " + file, code: 1, want: []string{"the data folder cannot be used", "data_dir"}},
		"a port in use":              {more: fmt.Sprintf("agent_port = %d", takenPort), code: 1, want: []string{strconv.Itoa(takenPort), "stop the program that has the port", "agent_port"}},
		"a foreign bind address":     {more: "bind_address = 192.0.2.1", code: 1, want: []string{"192.0.2.1"}},
		"a folder as token file":     {more: "registration_token_file = " + os.TempDir(), code: 2, want: []string{"registration_token"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			args := tt.args
			if args == nil {
				args = []string{"--conf", conf(t, tt.more, tt.tail)}
			}
			cmd := process(t, args...)
			cmd.Env = append(cmd.Env, tt.env)
			got := finish(t, cmd)
			assert.Equal(t, tt.code, got.code, got.stderr)
			assert.Empty(t, got.stdout)
			last := got.stderr[strings.LastIndex(got.stderr, "dcvix-agent: ")+len("dcvix-agent: "):]
			assert.Equal(t, 1, strings.Count(last, "\n"), got.stderr)
			assert.Equal(t, 1, strings.Count(got.stderr, "\ndcvix-agent: ")+strings.Count("\n"+got.stderr[:min(13, len(got.stderr))], "\ndcvix-agent: "), "one sentence:\n%s", got.stderr)
			for _, want := range tt.want {
				assert.Contains(t, last, want)
			}
		})
	}
}

func TestUnsafeStateFolderIsRefused(t *testing.T) {
	tests := map[string]struct {
		prepare func(t *testing.T, dir string)
		want    string
	}{
		"a key that others can read": {
			prepare: func(t *testing.T, dir string) {
				_, err := ca.OpenKey(filepath.Join(dir, agentclient.KeyFile))
				require.NoError(t, err)
				privatetest.OpenToOthers(t, filepath.Join(dir, agentclient.KeyFile))
			},
			want: privatetest.Remedy,
		},
		"a CA file that holds none": {
			prepare: func(t *testing.T, dir string) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, agentclient.CAFile), []byte("x"), 0o600))
			},
			want: "copy the director's CA there",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := conf(t, "", "")
			dir := filepath.Join(filepath.Dir(path), "state")
			require.NoError(t, os.Mkdir(dir, 0o700))
			tt.prepare(t, dir)
			got := finish(t, process(t, "--conf", path))
			assert.Equal(t, agentcmd.ExitFailure, got.code)
			assert.Contains(t, got.stderr, tt.want)
		})
	}
}

func TestVersionAndHelp(t *testing.T) {
	for _, flag := range []string{"--version", "-version"} {
		got := finish(t, process(t, flag))
		assert.Equal(t, result{stdout: "dcvix-agent " + dcvix.Version + "\n"}, got)
	}
	got := finish(t, process(t, "--help"))
	assert.Zero(t, got.code)
	for _, want := range []string{"--conf PATH", "--write-config PATH", "--lenient", "Exit codes:", "DCVIX_AGENT_DIRECTOR_HOST"} {
		assert.Contains(t, got.stdout, want)
	}
}

func TestDefaultConfigurationExplainsEveryKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.conf")
	got := finish(t, process(t, "--write-config", path))
	require.Zero(t, got.code, got.stderr)
	open, err := private.Remedy(path)
	require.NoError(t, err)
	assert.Empty(t, open, "a token may come in")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, want := range []string{
		"director_host = 127.0.0.1", "director_port = 8445", "agent_port = 8446", "bind_address = 0.0.0.0", "tags =", "dcv_path =", "dcv_port = 8443",
		"update_interval = 30s", "idle_timeout = 0", "reap_interval = 1m", "reap_console = false", "reap_foreign = false", "data_dir = ", "registration_token =", "ca_fingerprint =", "hostname =", "level = info", "rotation = 2",
	} {
		assert.Contains(t, string(text), "#"+want)
	}

	got = finish(t, process(t, "--write-config", path))
	assert.Equal(t, agentcmd.ExitUsage, got.code)
	assert.Contains(t, got.stderr, "is there already")
	got = finish(t, process(t, "--write-config", filepath.Join(path, "below", "a.file")))
	assert.Equal(t, agentcmd.ExitUsage, got.code)
	assert.Contains(t, got.stderr, "choose a path")
}
