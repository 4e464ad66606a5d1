package directorcmd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/cmd/directorcmd"
)

// odd is a login backend that does what the password says.
func odd(*directorcmd.Section) directorcmd.BackendOpener {
	return func(_ context.Context, logger *slog.Logger) (auth.Authenticator, error) {
		return auth.AuthenticatorFunc(func(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
			switch string(c.Password) {
			case "good":
				return auth.Identity{User: "Alice", Groups: []string{"cad", "staff\x1b[31m"}}, nil
			case "steps":
				if c.OTP == "" || c.Challenge != "state" {
					return auth.Identity{}, &auth.Challenge{Prompt: "Code from the\x1b token", State: "state"}
				}
				if c.OTP == "123" {
					return auth.Identity{User: "bob"}, nil
				}
			case "at once":
				if c.OTP == "123" && c.Challenge == "" {
					return auth.Identity{User: "bob"}, nil
				}
			case "endless":
				return auth.Identity{}, &auth.Challenge{Prompt: "again"}
			case "away":
				return auth.Identity{}, fmt.Errorf("%w: dial tcp 192.0.2.1:389: connection refused", auth.ErrUnavailable)
			case "fault":
				return auth.Identity{}, errors.New("the filter has no %s")
			case "nonsense":
				return auth.Identity{User: "a\nb"}, nil
			}
			logger.InfoContext(ctx, "the directory does not know the user")
			return auth.Identity{}, auth.ErrInvalidCredentials
		}), nil
	}
}

// tryLogin runs "auth test" with a policy in a folder of its own.
func tryLogin(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "x.conf")
	policy := filepath.Join(dir, "policydb")
	require.NoError(t, os.WriteFile(path, []byte("[director]\nauth_type = odd\npolicydb_folder = "+policy+"\ndata_dir = "+filepath.Join(dir, "data")+"\n"), 0o600))
	require.NoError(t, os.Mkdir(policy, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(policy, "users.json"), []byte(
		`[{"id": "Alice", "admin": true, "workstations": ["ws1", "ALLOW_CUSTOM"], "pools": ["gpu", "none"]}]`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(policy, "pools.json"), []byte(`[{"id": "gpu", "workstations": ["g1"]}]`), 0o600))
	var stdout, stderr bytes.Buffer
	code := directorcmd.Run(t.Context(), directorcmd.Options{
		Backends: map[string]directorcmd.BackendFactory{"odd": odd}, Environ: []string{},
		Args:  append([]string{"--conf", path, "auth", "test"}, args...),
		Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr,
	})
	assert.NoDirExists(t, filepath.Join(dir, "data"))
	took := regexp.MustCompile(`[0-9.]+m?s\b`)
	return result{code, took.ReplaceAllString(stdout.String(), "TIME"), took.ReplaceAllString(stderr.String(), "TIME")}
}

func TestALoginIsTriedOutAndTold(t *testing.T) {
	const user, stdin = "--user=alice", "--password-stdin"
	const problem = `policy: users.json:1: user "Alice" has the pool "none", which pools.json does not know. Add the pool to pools.json, or take its name away.`
	tests := map[string]struct {
		stdin  string
		args   []string
		code   int
		stdout []string // lines after the first
		stderr []string // what is in there
	}{
		"accepted": {
			stdin: "good\n", args: []string{user, stdin}, stdout: []string{
				"accepted as Alice after TIME", "this is the name that the policy has to have, not alice", "groups: cad, staff?[31m",
				"policy: an admin; hosts: ws1, g1, and every registered host", problem,
			},
		},
		"refused": {
			stdin: "guess", args: []string{user, stdin}, code: directorcmd.ExitRefused,
			stdout: []string{"refused after TIME: the user name, the password or the code is wrong, or this user may not log in"},
			stderr: []string{`level=INFO msg="the directory does not know the user"`},
		},
		"with a second step": {stdin: "steps\n123\n", args: []string{"--user=bob", stdin}, stdout: []string{
			"accepted so far, after TIME: the backend asks for a second step: Code from the? token", "accepted as bob after TIME", "groups: none",
			"policy: POLICY names neither bob nor a group of theirs: they log in to an empty list", problem,
		}},
		"with a second step that fails": {
			stdin: "steps\r\n9\r\n", args: []string{user, stdin}, code: directorcmd.ExitRefused, stdout: []string{
				"accepted so far, after TIME: the backend asks for a second step: Code from the? token",
				"refused after TIME: the user name, the password or the code is wrong, or this user may not log in",
			},
		},
		"with a code at once": {stdin: "at once\n123\n", args: []string{"--user=bob", stdin, "--otp"}, stdout: []string{
			"accepted as bob after TIME", "groups: none", "policy: POLICY names neither bob nor a group of theirs: they log in to an empty list", problem,
		}},
		"a backend that is away": {
			stdin: "away", args: []string{user, stdin}, code: directorcmd.ExitFailure,
			stderr: []string{"dcvix-director: not tried, the login service could not be asked for TIME: ", "192.0.2.1:389: connection refused\n"},
		},
		"a backend with a fault": {
			stdin: "fault", args: []string{user, stdin}, code: directorcmd.ExitFailure,
			stderr: []string{"dcvix-director: not tried, the backend has a fault, after TIME: the filter has no %s\n"},
		},
		"a name that is none": {stdin: "nonsense", args: []string{user, stdin}, code: directorcmd.ExitFailure, stderr: []string{"the backend has a fault"}},
		"too many steps": {
			stdin: strings.Repeat("endless\n", 10), args: []string{user, stdin}, code: directorcmd.ExitFailure,
			stdout: slicesRepeat("accepted so far, after TIME: the backend asks for a second step: again", 5),
			stderr: []string{"more than 5 steps"},
		},
		"no line for the code":     {stdin: "steps\n", args: []string{user, stdin}, code: directorcmd.ExitUsage, stdout: []string{"accepted so far, after TIME: the backend asks for a second step: Code from the? token"}, stderr: []string{"standard input has no line for this: Code from the? token"}},
		"an empty password":        {stdin: "\n", args: []string{user, stdin}, code: directorcmd.ExitUsage, stderr: []string{"the password is empty"}},
		"no password":              {args: []string{user, stdin}, code: directorcmd.ExitUsage, stderr: []string{"standard input has no line for this: Password of alice"}},
		"a password of a megabyte": {stdin: strings.Repeat("x", 1<<20), args: []string{user, stdin}, code: directorcmd.ExitUsage, stderr: []string{"longer than 4096 bytes"}},
		"no terminal":              {args: []string{user}, code: directorcmd.ExitUsage, stderr: []string{"there is no terminal to ask on (Password of alice): give --password-stdin"}},
		"no user":                  {args: []string{stdin}, code: directorcmd.ExitUsage, stderr: []string{"--user: no director takes this name"}},
		"a user that is none":      {args: []string{"--user=a\nb", stdin}, code: directorcmd.ExitUsage, stderr: []string{"--user: no director takes this name"}},
		"a password as a word":     {args: []string{user, "hunter2"}, code: directorcmd.ExitUsage, stderr: []string{"means nothing: see --help"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := tryLogin(t, tt.stdin, tt.args...)

			assert.Equal(t, tt.code, got.code, got.stderr)
			lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
			if lines[0] != "" {
				assert.Regexp(t, `^backend: odd \(.*/x\.conf:2: auth_type\)$`, lines[0])
			}
			policy := regexp.MustCompile(`policy: \S+policydb`)
			for i := range lines {
				lines[i] = policy.ReplaceAllString(lines[i], "policy: POLICY")
			}
			assert.Equal(t, strings.Join(tt.stdout, "\n"), strings.Join(lines[1:], "\n"))
			for _, want := range tt.stderr {
				assert.Contains(t, got.stderr, want)
			}
		})
	}
}

func slicesRepeat(line string, n int) []string {
	return strings.Split(strings.Repeat(line+"\n", n-1)+line, "\n")
}

func TestATriedLoginLeavesARunningDirectorAlone(t *testing.T) {
	path := conf(t, "", "")
	start(t, process(t, "--conf", path))
	files := func() (all []string) {
		err := filepath.WalkDir(filepath.Dir(path), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				all = append(all, fmt.Sprint(name, info.Size(), info.ModTime()))
			}
			return err
		})
		require.NoError(t, err)
		return all
	}
	before := files()
	for stdin, want := range map[string]int{password: directorcmd.ExitOK, "hunter2": directorcmd.ExitRefused} {
		cmd := process(t, "--conf", path, "auth", "test", "--user", "alice", "--password-stdin")
		cmd.Stdin = strings.NewReader(stdin + "\n")
		got := finish(t, cmd)
		assert.Equal(t, want, got.code, got.stderr)
		assert.NotContains(t, got.stdout+got.stderr, stdin)
	}
	assert.Equal(t, before, files())
}

func TestAFaultyConfigurationOfABackendIsSaidWithItsKey(t *testing.T) {
	cmd := process(t, "--conf", conf(t, "", "[external_auth]\nexternal_command = /nothing/login\n"), "auth", "test", "--user", "alice", "--password-stdin")
	cmd.Stdin = strings.NewReader("x\n")
	got := finish(t, cmd)
	assert.Equal(t, directorcmd.ExitUsage, got.code)
	assert.Contains(t, got.sentence(t), "[external_auth]: login command /nothing/login cannot be run: install it and make it executable")
}

func TestLimitsOfTheThrottleAreConfigured(t *testing.T) {
	for line, want := range map[string]string{
		"failures = 0": "1 to 1000", "failures = 1001": "1 to 1000", "window = 0s": "1s to 24h", "max_delay = 1h": "1s to 10m", "max_delay = 0": "1s to 10m",
	} {
		got := finish(t, process(t, "--conf", conf(t, "", "[throttle]\n"+line+"\n")))
		assert.Equal(t, directorcmd.ExitUsage, got.code)
		assert.Contains(t, got.sentence(t), want)
	}
}
