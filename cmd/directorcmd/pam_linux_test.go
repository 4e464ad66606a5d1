package directorcmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/pam"
	"github.com/dcvix/dcvix/cmd/directorcmd"
	"github.com/dcvix/dcvix/directorapi/client"
)

func TestADirectorThatCannotAskPAMDoesNotStart(t *testing.T) {
	folder := openFolder(t)
	open := filepath.Join(folder, pam.HelperName)
	require.NoError(t, os.WriteFile(open, []byte("#!/bin/sh\n"), 0o755))
	require.NoError(t, os.Chmod(open, 0o777))
	tests := map[string]struct{ keys, want string }{
		"no helper":             {keys: "pam_helper = /nothing/here", want: "[pam_auth]: the PAM helper is missing, there is no /nothing/here: install it there, or say where it is (pam_helper)"},
		"a helper of everybody": {keys: "pam_helper = " + open, want: "[pam_auth]: the PAM helper gets passwords, and others can write to " + open + ": chmod go-w it"},
		"no service":            {keys: "pam_helper = /bin/true\npam_service_name = no-such-service-2f1c", want: "[pam_auth]: there is no PAM service no-such-service-2f1c: write the file /etc/pam.d/no-such-service-2f1c, or name another service"},
		"no such turn":          {keys: "pam_max_concurrent = 0", want: "pam_max_concurrent"},
		"no time":               {keys: "pam_timeout = 0", want: "1s to 5m"},
	}
	if _, err := os.Stat("/etc/pam.d/login"); err == nil {
		tests["a program that is no helper"] = struct{ keys, want string }{keys: "pam_helper = /bin/true", want: "cannot be used: it ended without an answer (exit status 0)"}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := conf(t, "auth_type = pam", "[pam_auth]\n"+tt.keys+"\n")
			got := finish(t, process(t, "--conf", path))
			assert.Equal(t, directorcmd.ExitUsage, got.code, got.stderr)
			assert.Contains(t, got.sentence(t), tt.want)
			assert.NoDirExists(t, filepath.Join(filepath.Dir(path), "data"))
		})
	}
}

// TestPeopleLogInThroughPAM has a whole director, its helper and a service of the
// host, which needs root to write.
func TestPeopleLogInThroughPAM(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can write a service to /etc/pam.d")
	}
	lacking := func(what string, args ...any) {
		if os.Getenv("CI") == "true" {
			t.Fatalf(what, args...)
		}
		t.Skipf(what, args...)
	}
	matrix, err := filepath.Glob("/usr/lib/*/pam_wrapper/pam_matrix.so")
	require.NoError(t, err)
	if len(matrix) == 0 {
		lacking("pam_matrix is missing: install libpam-wrapper (scripts/need pam)")
	}
	dir := t.TempDir()
	helper, passwords, codes := filepath.Join(dir, pam.HelperName), filepath.Join(dir, "passwords"), filepath.Join(dir, "codes")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", helper, "../dcvix-pam-helper")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		lacking("the PAM helper cannot be built (scripts/need pam): %v: %s", err, out)
	}
	service := fmt.Sprintf("dcvix-test-%d", os.Getpid())
	require.NoError(t, os.WriteFile(passwords, []byte("alice:"+password+":"+service+"\n"), 0o600))
	require.NoError(t, os.WriteFile(codes, []byte("alice:123456:"+service+"\n"), 0o600))
	file := filepath.Join("/etc/pam.d", service)
	lines := fmt.Sprintf("auth requisite %[1]s passdb=%[2]s\nauth required %[1]s passdb=%[3]s\naccount required %[1]s passdb=%[2]s\n", matrix[0], passwords, codes)
	t.Cleanup(func() { _ = os.Remove(file) })
	require.NoError(t, os.WriteFile(file, []byte(lines), 0o644))
	path := conf(t, "auth_type = pam", "[pam_auth]\npam_service_name = "+service+"\npam_helper = "+helper+"\n")
	setUsers(t, path, `[{"id": "alice", "workstations": ["ws1"]}]`)
	r, address := start(t, process(t, "--conf", path))

	alice := person(t, path, address)
	require.Error(t, alice.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: secret}))
	var asked *client.ChallengeError
	require.ErrorAs(t, alice.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password}), &asked)
	assert.Equal(t, "Password:", asked.Prompt)
	require.NoError(t, alice.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password, OTP: "123456", Challenge: asked.Challenge}))
	require.NoError(t, person(t, path, address).Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password, OTP: "123456"}), "both at once")
	servers, err := alice.Servers(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"ws1"}, servers)

	assert.Contains(t, r.said(), `msg="pam refuses a login" user=alice service=`+service+` phase=authenticate result=auth_err`)
	assert.NotContains(t, r.said(), secret)
	assert.NotContains(t, r.said(), password)
}
