package pam_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/pam"
)

// built holds what the tests build: the helper and a module that misbehaves.
var built struct {
	sync.Once
	dir string
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if left := children(); code == 0 && len(left) > 0 {
		fmt.Fprintln(os.Stderr, "processes are left over:", left)
		code = 1
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code) //nolint:forbidigo // TestMain has to
}

// children returns the children of this process, zombies among them.
func children() []string {
	files, _ := filepath.Glob("/proc/self/task/*/children")
	var pids []string
	for _, file := range files {
		text, _ := os.ReadFile(file) // a thread may have ended
		pids = append(pids, strings.Fields(string(text))...)
	}
	return pids
}

// lacking skips, or under CI fails, a test whose needs are not met.
func lacking(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" { //nolint:forbidigo // a skip is a failure there
		t.Fatal(what)
	}
	t.Skip(what)
}

// place returns a path in the folder of what the tests build.
func place(t testing.TB, name string) string {
	t.Helper()
	built.Do(build)
	if built.err != nil {
		lacking(t, built.err.Error())
	}
	return filepath.Join(built.dir, name)
}

func helper(t testing.TB) string { return place(t, pam.HelperName) }
func module(t testing.TB) string { return place(t, "module.so") }

func build() {
	if built.dir, built.err = os.MkdirTemp("", "dcvix-pam"); built.err != nil {
		return
	}
	if built.err = os.Chmod(built.dir, 0o755); built.err != nil {
		return
	}
	for _, command := range [][]string{
		{"gcc", "-std=gnu99", "-fPIC", "-shared", "-o", filepath.Join(built.dir, "module.so"), "testdata/module.c", "-lpam"},
		{"go", "build", "-o", filepath.Join(built.dir, pam.HelperName), "../../cmd/dcvix-pam-helper"},
	} {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("a C compiler, libpam0g-dev and a helper that builds are needed (scripts/need pam): %w: %s", err, out)
			return
		}
	}
	// The cache of test results notices files that a test reads, and no others.
	for _, pattern := range []string{"testdata/*.c", "conversation/*.go", "../../cmd/pamhelpercmd/*.go", "../../cmd/dcvix-pam-helper/*.go", "../../go.mod"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			if _, built.err = os.ReadFile(file); built.err != nil {
				return
			}
		}
	}
}

// needs returns the path of a file of the system that a package of Debian has.
func needs(t testing.TB, pattern, pkg string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	require.NoError(t, err)
	if len(found) == 0 {
		lacking(t, pattern+" is missing: install "+pkg+" (scripts/need pam)")
	}
	return found[0]
}

func matrix(t testing.TB) string {
	return needs(t, "/usr/lib/*/pam_wrapper/pam_matrix.so", "libpam-wrapper")
}

// service returns a folder with the service "dcvix" of these lines, and a
// service "other" that lets everybody in, as libpam's fallback would.
func service(t testing.TB, lines ...string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "other"), "auth required pam_permit.so\naccount required pam_permit.so\n")
	write(t, filepath.Join(dir, "dcvix"), strings.Join(lines, "\n")+"\n")
	return dir
}

// matrixService lets those in whom the text lists, as user:password:service.
func matrixService(t testing.TB, text string) string {
	t.Helper()
	passwords := filepath.Join(t.TempDir(), "passwords")
	write(t, passwords, text)
	return service(t, "auth required "+matrix(t)+" passdb="+passwords, "account required "+matrix(t)+" passdb="+passwords)
}

// acting returns a service whose authentication is the module that misbehaves.
func acting(t testing.TB, acts string) string {
	t.Helper()
	return service(t, "auth required "+module(t)+" "+acts, "account required pam_permit.so")
}

func write(t testing.TB, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

func open(t testing.TB, cfg pam.Config) *pam.Backend {
	t.Helper()
	if cfg.Service == "" {
		cfg.Service = "dcvix"
	}
	if cfg.Helper == "" {
		cfg.Helper = helper(t)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	b, err := pam.New(cfg)
	require.NoError(t, err)
	return b
}

// logged returns a logger and what it got.
func logged(t testing.TB) (*slog.Logger, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	return slog.New(slog.NewTextHandler(&log, nil)), &log
}

var alice = auth.Credentials{User: "alice", Password: "wonder"}

// gone waits until no process runs under the ids in a file; a zombie does not run.
func gone(t *testing.T, file string, want int) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	pids := strings.Fields(string(text))
	require.Len(t, pids, want)
	for _, pid := range pids {
		require.Eventually(t, func() bool {
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			return err != nil || strings.Contains(string(stat), ") Z ")
		}, 5*time.Second, 5*time.Millisecond, "process %s lives on", pid)
	}
}
