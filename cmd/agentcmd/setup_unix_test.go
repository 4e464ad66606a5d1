//go:build unix

package agentcmd_test

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
)

// place is a host whose agent need not run: its folder has the CA of a director.
func place(t *testing.T, settings string) *host {
	t.Helper()
	h := &host{t: t, dir: t.TempDir(), director: "8445"}
	for _, folder := range []string{"etc", "data"} {
		require.NoError(t, os.Mkdir(h.path(folder), 0o755))
	}
	h.write("data/ca.pem", string(catest.New(t).PEM()))
	h.write("etc/dcv.conf", settings)
	h.write("dcvix-agent.conf", "[agent]\ndirector_host = director.lab, other.lab\ndata_dir = data\n")
	return h
}

// sample is a file as an administrator may have it.
const sample = `# DCV of the lab
[session-management]
# a console at start?
#create-session=true
create-session=true

[session-management/automatic-console-session]
#owner="somebody"

[security]
#auth-token-verifier=""
authentication="system"
`

const asked = "https://director.lab:8445/v1/user/authtokenverify"

func TestSetupSaysWhatItChangesAndChangesThatAlone(t *testing.T) {
	h := place(t, sample)
	dry := h.setup("--dry-run")
	require.Zero(t, dry.code, dry.stderr)
	assert.Contains(t, dry.stdout, "Nothing was written")
	assert.Equal(t, sample, h.read("etc/dcv.conf"))
	assert.NoFileExists(t, h.path("etc/dcvix-ca.pem"))

	got := h.setup()
	require.Zero(t, got.code, got.stderr)
	for _, want := range []string{
		"DCV asks one director alone, the first of the list: director.lab.", h.path("etc/dcv.conf"), "  [security]\n", "+ auth-token-verifier=\"" + asked + "\"\n",
		"+ ca-file=\"" + h.path("etc/dcvix-ca.pem") + "\"\n", "+ no-tls-strict=false\n", "- create-session=true\n+ create-session=false\n",
		"Restart the DCV server", "systemctl restart dcvserver",
	} {
		assert.Contains(t, got.stdout, want)
	}
	want := strings.Replace(sample, "\ncreate-session=true", "\ncreate-session=false", 1)
	want = strings.Replace(want, "#auth-token-verifier=\"\"\n", "#auth-token-verifier=\"\"\nauth-token-verifier=\""+asked+"\"\n", 1)
	want += "ca-file=\"" + h.path("etc/dcvix-ca.pem") + "\"\nno-tls-strict=false\n"
	assert.Equal(t, want, h.read("etc/dcv.conf"))
	assert.Equal(t, sample, h.read("etc/dcv.conf.dcvix-backup"))
	info, err := os.Stat(h.path("etc/dcvix-ca.pem"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o644), info.Mode().Perm(), "the account of DCV reads it")
	assert.Equal(t, h.read("data/ca.pem"), h.read("etc/dcvix-ca.pem"))

	again := h.setup()
	require.Zero(t, again.code)
	assert.Contains(t, again.stdout, "Nothing to change")
	assert.Equal(t, want, h.read("etc/dcv.conf"))

	undone := h.setup("--undo", "--dry-run")
	assert.Contains(t, undone.stdout, "- ca-file=")
	assert.Equal(t, want, h.read("etc/dcv.conf"))
	undone = h.setup("--undo")
	require.Zero(t, undone.code, undone.stderr)
	assert.Contains(t, undone.stdout, "+ create-session=true\n")
	assert.Equal(t, sample, h.read("etc/dcv.conf"))
	entries, err := os.ReadDir(h.path("etc"))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing of ours stays")
	undone = h.setup("--undo")
	require.Zero(t, undone.code)
	assert.Contains(t, undone.stdout, "Nothing to undo")
}

func TestSetupTakesAnotherVerifierAndLeavesTheConsoleAsAsked(t *testing.T) {
	tests := map[string]struct {
		args []string
		has  []string
		not  string
	}{
		"a console for somebody":  {args: []string{"--console-owner", "alice"}, has: []string{"\ncreate-session=true\n", "#owner=\"somebody\"\nowner=\"alice\"\n"}, not: "create-session=false"},
		"the console as it is":    {args: []string{"--keep-console"}, has: []string{"\ncreate-session=true\n"}, not: "\nowner="},
		"a way through a proxy":   {args: []string{"--verifier-url", "https://proxy.lab/dcv/v1/user/authtokenverify"}, has: []string{`auth-token-verifier="https://proxy.lab/dcv/v1/user/authtokenverify"`}, not: "director.lab"},
		"a CA from somewhere":     {args: []string{"--ca-file", "CA"}, has: []string{"ca-file="}, not: "CA\""},
		"an IPv6 address as host": {args: []string{"--conf", "V6"}, has: []string{`"https://[2001:db8::1]:9445/v1/user/authtokenverify"`}, not: "director.lab"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := place(t, sample)
			other := string(catest.New(t).PEM())
			h.write("other.pem", other)
			h.write("v6.conf", "[agent]\ndirector_host = 2001:db8::1\ndirector_port = 9445\ndata_dir = data\n")
			for i := range tt.args {
				tt.args[i] = strings.NewReplacer("CA", h.path("other.pem"), "V6", h.path("v6.conf")).Replace(tt.args[i])
			}
			args := append([]string{"setup-dcv", "--conf", h.path("dcvix-agent.conf"), "--dcv-conf", h.path("etc/dcv.conf")}, tt.args...)
			got := finish(t, process(t, args...))
			require.Zero(t, got.code, got.stderr)
			for _, want := range tt.has {
				assert.Contains(t, h.read("etc/dcv.conf"), want)
			}
			assert.NotContains(t, h.read("etc/dcv.conf"), tt.not)
			assert.Equal(t, tt.args[0] == "--ca-file", h.read("etc/dcvix-ca.pem") == other)
		})
	}
}

func TestAReplacedCAIsCopiedAnew(t *testing.T) {
	h := place(t, sample)
	require.Zero(t, h.setup().code)
	settings := h.read("etc/dcv.conf")
	h.write("data/ca.pem", string(catest.New(t).PEM()))
	got := h.setup()
	require.Zero(t, got.code, got.stderr)
	chain, err := ca.ReadCertFile(h.path("data/ca.pem"))
	require.NoError(t, err)
	assert.Contains(t, got.stdout, ca.FingerprintOf(chain[0]).String())
	assert.Equal(t, h.read("data/ca.pem"), h.read("etc/dcvix-ca.pem"))
	assert.Equal(t, settings, h.read("etc/dcv.conf"))
}

func TestAnUndoLeavesWhatSomebodyChangedSince(t *testing.T) {
	h := place(t, sample)
	require.Zero(t, h.setup().code)
	h.write("etc/dcv.conf", strings.Replace(h.read("etc/dcv.conf"), "director.lab", "mine.lab", 1)+"[input]\nx=1\n")
	got := h.setup("--undo")
	require.Zero(t, got.code, got.stderr)
	assert.Contains(t, got.stdout, "[security] auth-token-verifier stays")
	assert.Contains(t, h.read("etc/dcv.conf"), "mine.lab")
	assert.Contains(t, h.read("etc/dcv.conf"), "[input]\nx=1\n")
	assert.NotContains(t, h.read("etc/dcv.conf"), "ca-file")
}

func TestWhatKeepsSetupFromWorkingIsOneSentence(t *testing.T) {
	tests := map[string]struct {
		prepare func(h *host)
		args    []string
		code    int
		want    []string
	}{
		"no DCV":                {prepare: func(h *host) { _ = os.Remove(h.path("etc/dcv.conf")) }, code: 1, want: []string{"etc/dcv.conf", "install the DCV server"}},
		"no CA yet":             {prepare: func(h *host) { _ = os.Remove(h.path("data/ca.pem")) }, code: 1, want: []string{"data/ca.pem", "have it approved first", "--ca-file"}},
		"a CA that is none":     {prepare: func(h *host) { h.write("data/ca.pem", "x") }, code: 1, want: []string{"data/ca.pem"}},
		"a verifier in clear":   {args: []string{"--verifier-url", "http://director.lab/x"}, code: 2, want: []string{"--verifier-url", "https://host:port"}},
		"two wishes":            {args: []string{"--console-owner", "a", "--keep-console"}, code: 2, want: []string{"console-owner", "keep-console"}},
		"a name that is none":   {args: []string{"--console-owner", "a b\n"}, code: 2, want: []string{"--console-owner"}},
		"a word":                {args: []string{"now"}, code: 2, want: []string{`"now" on the command line`}},
		"an unknown flag":       {args: []string{"--now"}, code: 2, want: []string{"--now", "see --help"}},
		"a configuration error": {prepare: func(h *host) { h.write("dcvix-agent.conf", "[agnt]\n") }, code: 2, want: []string{"did you mean [agent]?"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := place(t, sample)
			if tt.prepare != nil {
				tt.prepare(h)
			}
			got := h.setup(tt.args...)
			assert.Equal(t, tt.code, got.code, got.stderr)
			assert.Equal(t, 1, strings.Count(got.stderr, "\n"), got.stderr)
			for _, want := range tt.want {
				assert.Contains(t, got.stderr, want)
			}
		})
	}
}

func TestWithoutTheRightsOfRootThatIsSaid(t *testing.T) {
	h := place(t, sample)
	got := finish(t, asNobody(t, h, "setup-dcv"))
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.stderr, "run this as root, with sudo")
	assert.Equal(t, 1, strings.Count(got.stderr, "\n"), got.stderr)
	assert.Equal(t, sample, h.read("etc/dcv.conf"))

	require.NoError(t, os.Chmod(h.path("etc/dcv.conf"), 0o600))
	require.NoError(t, os.Chmod(h.path("data"), 0o700))
	got = finish(t, asNobody(t, h, "doctor"))
	assert.Equal(t, 1, got.code)
	assert.Equal(t, 2, strings.Count(got.stdout, "> Run the doctor as root"), "for the data folder and the settings:\n%s", got.stdout)
	assert.NotContains(t, got.stdout, "the agent never ran")
}

func TestTheDoctorSaysWhoDoesNotSeeAllSessions(t *testing.T) {
	h := place(t, sample)
	require.NoError(t, os.WriteFile(h.path("dcv"), []byte("#!/bin/sh\ncase $1 in\nversion) echo 'Amazon DCV 2025.0 (r20103)';; *) echo '[]';;\nesac\n"), 0o755))
	h.write("dcvix-agent.conf", h.read("dcvix-agent.conf")+"dcv_path = dcv\n")
	got := finish(t, asNobody(t, h, "doctor"))
	assert.Contains(t, got.stdout, "shows nobody the")
}

// asNobody is the agent's program with the host's configuration, run by an account
// without rights.
func asNobody(t *testing.T, h *host, args ...string) *exec.Cmd {
	t.Helper()
	nobody, err := user.Lookup("nobody")
	if os.Getuid() != 0 || err != nil {
		t.Skip("needs root, and the account nobody")
	}
	uid, err := strconv.Atoi(nobody.Uid)
	require.NoError(t, err)
	for _, folder := range []string{h.dir, filepath.Dir(h.dir)} {
		require.NoError(t, os.Chmod(folder, 0o755))
	}
	cmd := process(t, append(args, "--conf", h.path("dcvix-agent.conf"), "--dcv-conf", h.path("etc/dcv.conf"))...)
	self, err := os.ReadFile(cmd.Path) // the folder of a test binary is closed to others
	require.NoError(t, err)
	cmd.Path = h.path("dcvix-agent")
	require.NoError(t, os.WriteFile(cmd.Path, self, 0o755))
	cmd.Dir = h.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	return cmd
}
