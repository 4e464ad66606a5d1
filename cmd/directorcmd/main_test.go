package directorcmd_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/cmd/directorcmd"
)

// TestMain makes this binary the director, for the tests that start one, and
// under the name "login" its login command.
func TestMain(m *testing.M) {
	switch {
	case strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == "login":
		os.Exit(login())
	case os.Getenv("DIRECTOR_PROCESS") != "":
		if os.Getenv("DIRECTOR_PROCESS") == oneThread {
			runtime.LockOSThread()
		}
		os.Exit(directorcmd.Main(directorcmd.Options{}))
	}
	os.Exit(m.Run())
}

const password = "looking glass"

// oneThread as DIRECTOR_PROCESS has a subcommand do all on one thread: strace counts
// the calls of each.
const oneThread = "one thread"

// login lets alice, root and user0 to user9 in.
func login() int {
	var text bytes.Buffer
	_, _ = text.ReadFrom(os.Stdin) // what is missing is refused
	user, rest, _ := strings.Cut(text.String(), "\n")
	if known := user == "alice" || user == "root" || len(user) == 5 && strings.HasPrefix(user, "user"); !known || rest != password+"\n\n" {
		return 1
	}
	return 0
}

// A result is the end of a process.
type result struct {
	code           int
	stdout, stderr string
}

// process returns the director as a process that is not started yet, in a
// working directory of its own.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Dir = t.TempDir()
	// With the race detector a process would wait a second at its end.
	cmd.Env = append(os.Environ(), "DIRECTOR_PROCESS=1", "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	return cmd
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

// sentence returns what the process said last, which must be the only thing it
// said besides its log.
func (r result) sentence(t *testing.T) string {
	t.Helper()
	var said []string
	for line := range strings.Lines(r.stderr) {
		if !strings.HasPrefix(line, "time=") {
			said = append(said, line)
		}
	}
	require.Len(t, said, 1, r.stderr)
	require.True(t, strings.HasPrefix(said[0], "dcvix-director: ") && strings.HasSuffix(said[0], "\n"), said[0])
	return strings.TrimSpace(strings.TrimPrefix(said[0], "dcvix-director: "))
}

// A running director and its log.
type running struct {
	t   *testing.T
	cmd *exec.Cmd

	mu  sync.Mutex // guards what follows
	log bytes.Buffer
}

func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

func (r *running) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

// await waits until the director has logged what matches the pattern and returns
// the match and its groups.
func (r *running) await(pattern string) []string {
	r.t.Helper()
	want := regexp.MustCompile(pattern)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if found := want.FindStringSubmatch(r.said()); found != nil {
			return found
		}
	}
	r.t.Fatalf("the director did not say %q within 30 s:\n%s", pattern, r.said())
	return nil
}

// start starts the director and returns it with the address it listens on.
func start(t *testing.T, cmd *exec.Cmd) (*running, string) {
	t.Helper()
	r := &running{t: t, cmd: cmd}
	cmd.Stdout, cmd.Stderr = r, r
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
		}
	})
	return r, r.await(`msg="director started" address=(\S+)`)[1]
}

// loginCommand returns this binary under the name by which it checks logins.
func loginCommand(t *testing.T, dir string) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	name := filepath.Join(dir, "login")
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	require.NoError(t, os.Symlink(self, name))
	return name
}

// conf writes a configuration that works, with more lines of [director] and a
// tail, and returns its path.
func conf(t *testing.T, more, tail string) string {
	t.Helper()
	return confIn(t, t.TempDir(), more, tail)
}

func confIn(t *testing.T, dir, more, tail string) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("[director]\n")
	for _, pair := range [][2]string{
		{"director_host", "127.0.0.1"}, {"director_port", "0"}, {"data_dir", "data"}, {"auth_type", "external"}, {"token_key_file", "data/token.key"},
	} {
		if !strings.Contains(more, pair[0]+" =") {
			text.WriteString(pair[0] + " = " + pair[1] + "\n")
		}
	}
	text.WriteString(more + "\n" + tail)
	if !strings.Contains(tail, "[external_auth]") {
		text.WriteString("\n[external_auth]\nexternal_command = " + loginCommand(t, dir) + "\n")
	}
	path := filepath.Join(dir, "dcvix-director.conf")
	require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o600))
	return path
}

// secret is what no output may show.
const secret = "Correct-Horse-Battery-Staple"

func TestMistakesInTheConfigurationAreOneSentenceEachAndWriteNothing(t *testing.T) {
	key := token.NewKey().Base64()
	tests := map[string]struct {
		args []string // instead of --conf
		more string   // lines of [director]
		tail string   // other sections
		env  string
		want []string
	}{
		"an unknown flag":             {args: []string{"--what"}, want: []string{"unknown flag: --what", "see --help"}},
		"a word":                      {args: []string{"start"}, want: []string{`"start" on the command line means nothing: see --help`}},
		"no such file":                {args: []string{"--conf", "/nothing/here.conf"}, want: []string{"/nothing/here.conf", "cannot be read"}},
		"a folder as file":            {args: []string{"--conf", os.TempDir()}, want: []string{"is a folder"}},
		"an unknown key":              {more: "direktor_port = 1", want: []string{"dcvix-director.conf:7: ", "direktor_port", "did you mean director_port?"}},
		"an unknown key of a backend": {tail: "[external_auth]\nexternal_comand = x\n", want: []string{"dcvix-director.conf:9: ", "did you mean external_command?"}},
		"an audit too small":          {tail: "[audit]\nmax_bytes = 1KiB\n", want: []string{"the audit needs at least 256 KiB: raise max_bytes", "dcvix-director.conf:"}},
		"an unknown section":          {tail: "[directors]\n", want: []string{"did you mean [director]?"}},
		"an unknown variable":         {env: "DCVIX_DIRECTOR_AUTH_TIPE=pam", want: []string{"did you mean DCVIX_DIRECTOR_AUTH_TYPE?"}},
		"a misspelt auth_type":        {more: "auth_type = externl", want: []string{"auth_type", `"externl"`, "did you mean external?"}},
		"a port that is a word":       {more: "director_port = https", want: []string{"director_port", `"https" is not a whole number`}},
		"a port out of range":         {more: "director_port = 70000", want: []string{"director_port", "0 to 65535"}},
		"no agents at all":            {more: "pending_max = 0", want: []string{"pending_max", "1 to 1000000"}},
		"no agents of an address":     {more: "pending_per_address = 0", want: []string{"pending_per_address", "1 to 1000000"}},
		"a bad duration":              {tail: "[housekeeper]\nmax_age = soon\n", want: []string{"max_age", `"soon" is not a duration`}},
		"too long a duration":         {more: "connection_token_ttl = 48h", want: []string{"connection_token_ttl", "1m to 24h"}},
		"a bad token_key":             {more: "token_key = " + secret, want: []string{"dcvix-director.conf:7: token_key: ", "openssl rand -base64 32"}},
		"a token_key that is too short": {
			more: "token_key = Q29ycmVjdA==", want: []string{"token_key: ", "base64 of 32 bytes"},
		},
		"a bad token_key in a file":    {more: "token_key_file = \ntoken_keys_old = " + key + ", " + secret, want: []string{"token_keys_old", "openssl rand -base64 32"}},
		"a bad log level":              {tail: "[log]\nlevel = loud\n", want: []string{"level", "info"}},
		"a missing external command":   {tail: "[external_auth]\nexternal_command = /nothing/login\n", want: []string{"[external_auth]: ", "/nothing/login", "install it and make it executable"}},
		"a login without time":         {tail: "[external_auth]\ntimeout = 0\n", want: []string{"timeout", "1s to 5m"}},
		"a gateway by its name":        {tail: "[gateway]\ngateways_list = 10.0.0.7, gw.example\n", want: []string{"dcvix-director.conf:9: gateways_list: ", `"gw.example" is neither an IP address nor a network`, "names are not looked up"}},
		"a network with too many bits": {more: "trusted_proxies = 10.0.0.1/8", want: []string{"trusted_proxies: ", "write 10.0.0.0/8"}},
		"a gateway without a port":     {tail: "[gateway]\nendpoint = gw.example\n", want: []string{"endpoint: ", "write one such as gateway.example:8443"}},
		"a base path that is none":     {more: "base_path = /v1/desktops", want: []string{"base_path: ", "is no base path: write one such as /desktops"}},
		"a misspelt verifier_source":   {more: "verifier_source = enforced", want: []string{"verifier_source", "did you mean enforce?"}},
		"a setting without section":    {more: "user_config_keys = quality", want: []string{"user_config_keys: ", "write section/key"}},
		"no connections at all":        {more: "max_connections_per_address = 0", want: []string{"max_connections_per_address", "1 to 1000000"}},
		"a key given twice":            {more: "agent_port = 1\nagent_port = 2", want: []string{"agent_port is given again (line 7)"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			args, dir := tt.args, ""
			if args == nil {
				path := conf(t, tt.more, tt.tail)
				args, dir = []string{"--conf", path}, filepath.Dir(path)
			}
			cmd := process(t, args...)
			cmd.Env = append(cmd.Env, tt.env)

			got := finish(t, cmd)

			assert.Equal(t, directorcmd.ExitUsage, got.code, got.stderr)
			assert.Empty(t, got.stdout)
			for _, want := range tt.want {
				assert.Contains(t, got.sentence(t), want)
			}
			assert.NotContains(t, got.stderr, secret)
			if dir != "" {
				assert.NoDirExists(t, filepath.Join(dir, "data"))
			}
		})
	}
}

func TestSeveralMistakesAreSaidAtOnce(t *testing.T) {
	got := finish(t, process(t, "--conf", conf(t, "director_port = x\nagent_prot = 1", "[log]\nlevel = loud\n")))
	assert.Equal(t, directorcmd.ExitUsage, got.code)
	assert.Equal(t, 3, strings.Count(got.stderr, "dcvix-director: "), got.stderr)
	assert.Equal(t, 3, strings.Count(got.stderr, "\n"), got.stderr)
}

func TestWhatTheHostDoesNotAllowIsOneSentenceWithItsRemedy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)

	tests := map[string]struct {
		more string // lines of [director]
		tail string
		want []string
	}{
		"a port in use":               {more: "director_port = " + port, want: []string{"127.0.0.1:" + port + " is in use by another program: stop that one, or change the port (", "director_port"}},
		"a foreign address":           {more: "director_host = 192.0.2.1", want: []string{"192.0.2.1", "change director_host or director_port"}},
		"a data folder below a file":  {more: "data_dir = " + filepath.Join(file, "data"), want: []string{"the data folder cannot be used", file, "a part of this path is a file", "dcvix-director.conf:6: data_dir"}},
		"a file as data folder":       {more: "data_dir = " + file, want: []string{"the data folder cannot be used", "data_dir"}},
		"a policy folder that is one": {more: "policydb_folder = " + file, want: []string{"policy folder", file, "choose another folder"}},
		"a log folder below a file":   {tail: "[log]\ndirectory = " + filepath.Join(file, "log") + "\n", want: []string{"[log] directory"}},
		"a token key file in nowhere": {more: "token_key_file = " + filepath.Join(file, "key"), want: []string{file}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := finish(t, process(t, "--conf", conf(t, tt.more, tt.tail)))
			assert.Equal(t, directorcmd.ExitFailure, got.code, got.stderr)
			for _, want := range tt.want {
				assert.Contains(t, got.sentence(t), want)
			}
		})
	}
}

func TestDamagedDataFolderIsRefusedAndLeftAlone(t *testing.T) {
	tests := map[string]struct {
		file, text string
		mode       os.FileMode
		want       []string
	}{
		"a CA key that others can read": {file: "data/ca.key", mode: 0o644, want: []string{"ca.key is readable by others: chmod 600 "}},
		"a token key that others can read": {
			file: "data/token.key", mode: 0o640, want: []string{"token.key is readable by others: chmod 600 "},
		},
		"a register that is none":        {file: "data/agents.db", text: strings.Repeat("no database ", 1000), want: []string{"agents.db is damaged, restore it or move it away for an empty one"}},
		"a register that is cut":         {file: "data/agents.db", text: "SQLite format 3\x00", want: []string{"agents.db is damaged, restore it or move it away for an empty one"}},
		"users that are no JSON":         {file: "policydb/users.json", text: "[\n  {\"id\": \"a\"},\n  {\"id\" \"b\"}\n]", want: []string{"users.json:3: the file is not JSON"}},
		"users that are no list":         {file: "policydb/users.json", text: `{"id": "a"}`, want: []string{"users.json:1"}},
		"a CA certificate that is none":  {file: "data/ca.pem", text: "none", want: []string{"ca.pem", "no certificate in PEM"}},
		"a token key that is none":       {file: "data/token.key", text: secret, want: []string{"token.key", "openssl rand -base64 32"}},
		"a CA key without a certificate": {file: "data/ca.key", text: "none", want: []string{"ca.key", "no private key in PEM"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.mode != 0 && runtime.GOOS == "windows" {
				t.Skip("Windows keeps permissions elsewhere")
			}
			path := conf(t, "", "")
			stopAtOnce(t, path)
			file := filepath.Join(filepath.Dir(path), filepath.FromSlash(tt.file))
			if tt.mode != 0 {
				require.NoError(t, os.Chmod(file, tt.mode))
			} else {
				require.NoError(t, os.WriteFile(file, []byte(tt.text), 0o600))
			}
			before, err := os.ReadFile(file)
			require.NoError(t, err)

			got := finish(t, process(t, "--conf", path))

			assert.Equal(t, directorcmd.ExitFailure, got.code, got.stderr)
			for _, want := range tt.want {
				assert.Contains(t, got.sentence(t), want)
			}
			assert.NotContains(t, got.stderr, secret)
			after, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(before), string(after))
		})
	}
}

// stopAtOnce runs a director until it has made its files.
func stopAtOnce(t *testing.T, path string) {
	t.Helper()
	r, _ := start(t, process(t, "--conf", path))
	require.NoError(t, r.cmd.Process.Signal(os.Interrupt))
	require.NoError(t, r.cmd.Wait(), r.said())
}

func TestVersionAndHelp(t *testing.T) {
	for _, flag := range []string{"--version", "-version"} {
		assert.Equal(t, result{stdout: "dcvix-director " + dcvix.Version + "\n"}, finish(t, process(t, flag)))
	}
	for _, flag := range []string{"--help", "-help"} {
		got := finish(t, process(t, flag))
		assert.Zero(t, got.code)
		for _, want := range []string{"--conf file", "--write-config file", "--lenient"} {
			assert.Contains(t, got.stdout, want)
		}
	}
}

func TestDefaultConfigurationGivesTheDefaults(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new.conf")
	require.Equal(t, result{}, finish(t, process(t, "--write-config", path)))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, want := range []string{
		"director_host = 0.0.0.0", "director_port = 8445", "agent_port = 8446", "auth_type = pam", "token_key =", "policydb_folder = policydb", "data_dir = ",
		"external_command = /usr/bin/external-auth", "args =", "housekeeper_frequency = 40s", "max_age = 30s", "level = info", "rotation = 2",
	} {
		assert.Contains(t, string(text), "\n#"+want)
	}
	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "secrets may come in")
	}
	here := []string{
		"DCVIX_DIRECTOR_DIRECTOR_HOST=127.0.0.1", "DCVIX_DIRECTOR_DIRECTOR_PORT=0", "DCVIX_DIRECTOR_AUTH_TYPE=external",
		"DCVIX_DIRECTOR_DATA_DIR=" + filepath.Join(dir, "data"), "DCVIX_EXTERNAL_AUTH_EXTERNAL_COMMAND=" + loginCommand(t, dir),
	}
	allIn := filepath.Join(dir, "all.conf")
	require.NoError(t, os.WriteFile(allIn, regexp.MustCompile(`(?m)^#([a-z_]+ =)`).ReplaceAll(text, []byte("$1")), 0o600))
	for _, file := range []string{path, allIn} {
		cmd := process(t, "-conf", file)
		cmd.Env = append(cmd.Env, here...)
		r, _ := start(t, cmd)
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		require.NoError(t, cmd.Wait(), r.said())
		assert.NotContains(t, r.said(), "level=WARN msg=configuration")
	}

	for there, want := range map[string]string{path: "remove it, or write to another path", filepath.Join(path, "below"): "choose a path in a folder"} {
		got := finish(t, process(t, "--write-config", there))
		assert.Equal(t, directorcmd.ExitUsage, got.code)
		assert.Contains(t, got.sentence(t), want)
	}
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, text, again)
}

func TestABackendThatThisBuildLacksIsNamed(t *testing.T) {
	backends := directorcmd.Backends()
	delete(backends, "pam")
	var stderr bytes.Buffer
	code := directorcmd.Run(t.Context(), directorcmd.Options{
		Backends: backends, Args: []string{"--conf", conf(t, "auth_type = pam # for now", "[pam_auth]\npam_service_name = login\n")}, Environ: []string{}, Stderr: &stderr,
	})
	assert.Equal(t, directorcmd.ExitUsage, code)
	assert.Regexp(t, `(?m)^dcvix-director: auth_type = pam is not in this build, which has: external, ldap, radius: choose one of these \(.*dcvix-director.conf:6: auth_type\)$`, stderr.String())
}

func TestWithoutAFileTheDefaultsCountAndSayWhatTheyLack(t *testing.T) {
	cmd := process(t)
	cmd.Env = append(cmd.Env, "DCVIX_DIRECTOR_DATA_DIR="+filepath.Join(t.TempDir(), "data"), "DCVIX_PAM_AUTH_PAM_HELPER=/nothing/here")
	got := finish(t, cmd)
	assert.Equal(t, directorcmd.ExitUsage, got.code)
	assert.Contains(t, got.stderr, "no configuration file was found, the defaults are used: write one with --write-config")
	want := "[pam_auth]: PAM is not built in, it is there on Linux alone: choose another auth_type"
	if runtime.GOOS == "linux" {
		want = "[pam_auth]: the PAM helper is missing, there is no /nothing/here: install it there, or say where it is (pam_helper)"
	}
	assert.Contains(t, got.sentence(t), want)
}

func TestUnknownKeysAreWarningsWhenLenient(t *testing.T) {
	r, _ := start(t, process(t, "--lenient", "--conf", conf(t, "from_the_past = 1", "")))
	assert.Regexp(t, `level=WARN msg=configuration note=.*from_the_past`, r.said())
}

func TestSecondDirectorOnAFolderIsRefused(t *testing.T) {
	path := conf(t, "", "")
	start(t, process(t, "--conf", path))
	got := finish(t, process(t, "--conf", path))
	assert.Equal(t, directorcmd.ExitFailure, got.code)
	assert.Equal(t, fmt.Sprintf("the data folder %s is in use by another process: stop that one, or name another folder (%s:4: data_dir)",
		filepath.Join(filepath.Dir(path), "data"), path), got.sentence(t))
}
