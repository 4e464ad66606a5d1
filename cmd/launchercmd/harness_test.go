package launchercmd_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix/cmd/launchercmd"
)

// TestMain makes this binary the viewer, or the launcher as a process of its
// own, for the tests that start one.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) >= 2 && strings.HasSuffix(os.Args[len(os.Args)-1], ".dcv"):
		os.Exit(viewer(os.Getenv("VIEWER_MODE"), os.Args[len(os.Args)-1]))
	case len(os.Args) == 2 && os.Args[1] == "--version" && os.Getenv("VIEWER_VERSION") != "":
		fmt.Println(os.Getenv("VIEWER_VERSION"))
		os.Exit(0)
	case os.Getenv("LAUNCHER_PROCESS") != "":
		os.Exit(launchercmd.Main(launchercmd.Options{}))
	}
	os.Exit(atHome(m))
}

// atHome runs the tests with folders that are nobody's and in English.
func atHome(m *testing.M) int {
	dir, err := os.MkdirTemp("", "launchercmd")
	if err != nil {
		return 96
	}
	defer os.RemoveAll(dir) //nolint:errcheck // of a test
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "AppData", "LocalAppData", "HOME"} {
		if os.Setenv(name, filepath.Join(dir, name)) != nil {
			return 97
		}
	}
	if os.Setenv("LC_ALL", "C") != nil {
		return 98
	}
	return m.Run()
}

// viewer writes down what it was started with.
func viewer(mode, file string) int {
	content, err := os.ReadFile(file)
	if err != nil {
		return 90
	}
	info, err := os.Stat(file)
	if err != nil {
		return 91
	}
	folder, err := os.Stat(filepath.Dir(file))
	if err != nil {
		return 92
	}
	record := fmt.Sprintf("%v %v %q %d\n%s", info.Mode().Perm(), folder.Mode().Perm(), os.Args[1:len(os.Args)-1], os.Getpid(), content)
	temporary := fmt.Sprintf("%s.%d", os.Getenv("VIEWER_RECORD"), os.Getpid()) // several may run
	if os.WriteFile(temporary, []byte(record), 0o600) != nil || os.Rename(temporary, os.Getenv("VIEWER_RECORD")) != nil {
		return 93
	}
	switch mode {
	case "exits with 7":
		return 7
	case "says why and exits":
		_, token, _ := strings.Cut(string(content), "authtoken=")
		token, _, _ = strings.Cut(token, "\n")
		fmt.Printf("%s\ncannot open display\xff with %s\n", strings.Repeat("noise ", 2000), token)
		return 9
	case "stays":
		time.Sleep(time.Minute) // until it is ended
		return 94
	case "stays until the file is gone":
		for range 12000 {
			if _, err := os.Stat(file); os.IsNotExist(err) {
				return 0
			}
			time.Sleep(10 * time.Millisecond)
		}
		return 95
	}
	return 0
}

type result struct {
	code           int
	stdout, stderr string
}

// launch runs the launcher with the password on standard input.
func (d *desk) launch(t *testing.T, args ...string) result {
	t.Helper()
	args = append([]string{"--conf", d.conf, "--password-stdin"}, args...)
	return launch(t, launchercmd.Options{Args: args, Stdin: strings.NewReader(goodPassword + "\n")})
}

func launch(t *testing.T, opts launchercmd.Options) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	opts.Stdout, opts.Stderr = &stdout, &stderr
	code := launchercmd.Main(opts)
	r := result{code, stdout.String(), stderr.String()}
	for _, secret := range []string{goodPassword, goodToken, "v4.local"} {
		assert.NotContains(t, r.stdout+r.stderr, secret, "secrets stay out of the screen and the log")
	}
	assert.NotContains(t, r.stdout+r.stderr, "\x1b")
	return r
}
