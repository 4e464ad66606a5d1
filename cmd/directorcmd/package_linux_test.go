package directorcmd_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/client"
)

// A debian is a Debian of its own below one folder.
type debian struct {
	t        *testing.T
	root     string
	packages string   // folder 1 has the first version, folder 2 the next
	host     string   // its name
	enter    []string // what a command line has before it, to be in another network
}

func newDebian(t *testing.T) *debian {
	t.Helper()
	d := &debian{t: t, packages: os.Getenv("DCVIX_PACKAGES"), root: filepath.Join(t.TempDir(), "root"), host: "debian"}
	if d.packages == "" {
		t.Skip("\"make test-packages\" runs this one, as root")
	}
	require.NoError(t, exec.CommandContext(t.Context(), "cp", "-a", os.Getenv("DCVIX_ROOT"), d.root).Run())
	require.NoError(t, os.WriteFile(d.path("/etc/hosts"), []byte("127.0.0.1 localhost\n"), 0o644))
	return d
}

func (d *debian) path(name string) string { return filepath.Join(d.root, name) }

// words are the command line for something inside. Its /proc is gone with it.
func (d *debian) words(command ...string) []string {
	const inside = `hostname "$1" && mount -t proc proc "$0/proc" && shift && exec chroot "$0" "$@"`
	return slices.Concat(d.enter, []string{"unshare", "--mount", "--uts", "sh", "-c", inside, d.root, d.host}, command)
}

func (d *debian) command(words ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.t.Context()), 5*time.Minute)
	d.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"}
	return cmd
}

func (d *debian) do(words ...string) string {
	d.t.Helper()
	got := finish(d.t, d.command(d.words(words...)...))
	require.Zero(d.t, got.code, "%v: %s%s", words, got.stdout, got.stderr)
	return got.stdout
}

// install takes the package of that folder, and says what it said.
func (d *debian) install(version string) string {
	d.t.Helper()
	found, err := filepath.Glob(filepath.Join(d.packages, version, "dcvix-director_*.deb"))
	require.NoError(d.t, err)
	require.Len(d.t, found, 1)
	require.NoError(d.t, exec.CommandContext(d.t.Context(), "cp", found[0], d.path("/tmp/director.deb")).Run())
	return d.do("dpkg", "-i", "/tmp/director.deb")
}

func (d *debian) read(name string) string {
	d.t.Helper()
	text, err := os.ReadFile(d.path(name))
	require.NoError(d.t, err)
	return string(text)
}

// setting returns the value of a key of a unit, or "".
func (d *debian) setting(unit, key string) string {
	found := regexp.MustCompile(`(?m)^` + key + `=(.+)$`).FindStringSubmatch(d.read("/usr/lib/systemd/system/" + unit))
	if found == nil {
		return ""
	}
	return found[1]
}

// start does what the unit says, as its user and within what of its restrictions
// works without systemd: no rights, none to gain, and its groups. It records the
// system calls when there is a file for them.
func (d *debian) start(calls string, groups string, environ ...string) (*running, string) {
	d.t.Helper()
	user := d.setting("dcvix-director.service", "User")
	group := "--clear-groups"
	if groups != "" {
		group = "--groups=" + groups
	}
	words := d.words(append([]string{
		"sh", "-c", `echo $$ >"$0"; exec "$@"`, pidFile, "setpriv", "--reuid=" + user, "--regid=" + d.setting("dcvix-director.service", "Group"), group, "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all",
		"sh", "-c", "umask " + d.setting("dcvix-director.service", "UMask") + `; exec "$@"`, "sh",
	},
		strings.Fields(d.setting("dcvix-director.service", "ExecStart"))...)...)
	if calls != "" {
		words = append([]string{"strace", "-f", "--seccomp-bpf", "-o", calls}, words...)
	}
	cmd := d.command(words...)
	cmd.Env = append(cmd.Env, environ...)
	return start(d.t, cmd)
}

// pidFile is where start has its shell leave its process id, which becomes the
// director's.
const pidFile = "/run/director.pid"

// stop ends the director, which may have strace above it.
func (d *debian) stop(r *running) {
	d.t.Helper()
	require.NoError(d.t, exec.CommandContext(d.t.Context(), "kill", "-TERM", strings.TrimSpace(d.read(pidFile))).Run())
	require.NoError(d.t, r.cmd.Wait(), r.said())
}

func (d *debian) trusting() *tls.Config {
	chain, err := ca.ReadCertFile(d.path("/var/lib/dcvix-director/" + ca.CertFile))
	require.NoError(d.t, err)
	pool := x509.NewCertPool()
	pool.AddCert(chain[0])
	return &tls.Config{RootCAs: pool}
}

func (d *debian) logsIn(address, user, password string) error {
	c, err := client.New(client.Config{URL: "https://" + address, TLS: d.trusting()})
	require.NoError(d.t, err)
	defer c.Close()
	return c.Login(d.t.Context(), dcvix.LoginRequest{UserID: user, Password: password})
}

func TestThePackageOfTheDirectorFromItsInstallationToItsPurge(t *testing.T) {
	d := newDebian(t)
	told := d.install("1")
	assert.Contains(t, told, "name an admin in /etc/dcvix-director/policydb/users.json")
	const conf, data, wanted = "/etc/dcvix-director/dcvix-director.conf", "/var/lib/dcvix-director", "/etc/systemd/system/multi-user.target.wants/dcvix-director.service"
	for path, want := range map[string]string{
		conf: "640 root dcvix", data: "700 dcvix dcvix", "/etc/dcvix-director/policydb/users.json": "640 root dcvix",
		"/etc/dcvix-director/policydb": "750 root dcvix", "/usr/libexec/dcvix/dcvix-pam-helper": "755 root root", "/etc/pam.d/dcvix": "644 root root",
	} {
		assert.Equal(t, want+"\n", d.do("stat", "-c", "%a %U %G", path), path)
	}
	_, err := os.Lstat(d.path(wanted))
	require.NoError(t, err, "it is enabled")
	assert.Equal(t, "dcvix-director 0.2.0~test1\n", d.do("dcvix-director", "--version"))
	assert.Contains(t, d.do("zcat", "/usr/share/man/man8/dcvix-director.8.gz"), "agents approve")
	d.do("bash", "-n", "/usr/share/bash-completion/completions/dcvix-director")

	d.do("useradd", "--no-create-home", "paula")
	d.do("sh", "-c", "echo 'paula:looking glass' | chpasswd")
	own := strings.Replace(d.read(conf), "[director]\n", "[director]\ndirector_host = 127.0.0.1\ndirector_port = 0\n", 1)
	require.NoError(t, os.WriteFile(d.path(conf), []byte(own), 0o640)) // as it was, owner and all
	require.NoError(t, os.WriteFile(d.path("/etc/dcvix-director/policydb/users.json"), []byte(`[{"id": "paula", "workstations": ["ws1"], "admin": true}]`), 0o640))

	calls := filepath.Join(t.TempDir(), "calls")
	first, address := d.start(calls, d.setting("dcvix-director.service.d/shadow.conf", "SupplementaryGroups"))
	require.NoError(t, d.logsIn(address, "paula", "looking glass"), "pam_unix reads /etc/shadow as a member of the group:\n%s", first.said())
	require.Error(t, d.logsIn(address, "paula", "a guess"))
	assert.NotContains(t, first.said(), "looking glass")
	authority := d.do("dcvix-director", "ca", "fingerprint")
	assert.Contains(t, d.do("dcvix-director", "agents", "list"), "No agent has asked to join yet")
	d.stop(first)
	assert.Empty(t, beyond(t, calls, d.setting("dcvix-director.service", "SystemCallFilter")), "system calls that the unit does not allow")

	told = d.install("2")
	assert.NotContains(t, told, "name an admin", "it was configured before")
	assert.Equal(t, "dcvix-director 0.2.0~test2\n", d.do("dcvix-director", "--version"))
	assert.Equal(t, own, d.read(conf))
	assert.Equal(t, "640 root dcvix\n", d.do("stat", "-c", "%a %U %G", conf))

	// Elsewhere no group reads the passwords: a helper of root's, behind a socket.
	socket := d.serveHelper()
	second, address := d.start("", "", "DCVIX_PAM_AUTH_PAM_SOCKET="+socket)
	require.NoError(t, d.logsIn(address, "paula", "looking glass"), second.said())
	require.Error(t, d.logsIn(address, "paula", "a guess"))
	assert.Equal(t, authority, d.do("dcvix-director", "ca", "fingerprint"), "it is the same director")
	d.stop(second)

	d.do("dpkg", "--remove", "dcvix-director")
	assert.NoFileExists(t, d.path("/usr/bin/dcvix-director"))
	assert.FileExists(t, d.path(data+"/ca.key"))
	assert.FileExists(t, d.path("/etc/pam.d/dcvix"))
	assert.Equal(t, own, d.read(conf))
	d.do("dpkg", "--purge", "dcvix-director")
	for _, gone := range []string{data, "/etc/dcvix-director", "/etc/pam.d/dcvix", wanted} {
		_, err := os.Lstat(d.path(gone))
		assert.ErrorIs(t, err, os.ErrNotExist, gone)
	}
}

// serveHelper does what dcvix-pam.socket and dcvix-pam@.service say, and returns the
// path inside of the socket.
func (d *debian) serveHelper() string {
	d.t.Helper()
	path := d.setting("dcvix-pam.socket", "ListenStream")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: d.path(path), Net: "unix"})
	require.NoError(d.t, err)
	d.do("chown", d.setting("dcvix-pam.socket", "SocketUser"), path)
	d.do("chmod", d.setting("dcvix-pam.socket", "SocketMode"), path)
	var helpers sync.WaitGroup
	helpers.Go(func() {
		for {
			conn, err := l.AcceptUnix()
			if errors.Is(err, net.ErrClosed) || !assert.NoError(d.t, err) {
				return
			}
			file, err := conn.File()
			_ = conn.Close()
			if !assert.NoError(d.t, err) {
				return
			}
			helpers.Go(func() {
				cmd := d.command(d.words(strings.Fields(d.setting("dcvix-pam@.service", "ExecStart"))...)...)
				cmd.Stdin, cmd.Stdout = file, file
				_ = cmd.Start()
				_ = file.Close()
				_ = cmd.Wait()
			})
		}
	})
	d.t.Cleanup(func() {
		_ = l.Close()
		helpers.Wait()
	})
	return path
}

// beyond returns the system calls in a recording, from the start of the director
// on, that a filter of systemd does not allow.
func beyond(t *testing.T, recording, filter string) []string {
	t.Helper()
	allowed := map[string]bool{}
	var allow func(set string)
	allow = func(set string) {
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "syscall-filter", set).Output()
		require.NoError(t, err, set)
		for word := range strings.FieldsSeq(string(out)) {
			if strings.HasPrefix(word, "@") && word != set {
				allow(word)
			}
			allowed[word] = true
		}
	}
	allow(filter)
	require.True(t, allowed["openat"])
	text, err := os.ReadFile(recording)
	require.NoError(t, err)
	_, text, found := bytes.Cut(text, []byte(`execve("/usr/bin/dcvix-director"`))
	require.True(t, found)
	made := map[string]bool{}
	var more []string
	for _, call := range regexp.MustCompile(`(?m)^\d+\s+(\w+)\(`).FindAllSubmatch(text, -1) {
		if name := string(call[1]); !made[name] {
			made[name] = true
			if !allowed[name] {
				more = append(more, name)
			}
		}
	}
	require.True(t, made["execve"], "the helper's are among them")
	t.Logf("%d different system calls", len(made))
	return more
}
