package agentcmd_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A debian is a Debian of its own below one folder, with a fake dcv.
type debian struct {
	t        *testing.T
	root     string
	packages string // folder 1 has the first version, folder 2 the next
}

func newDebian(t *testing.T) *debian {
	t.Helper()
	d := &debian{t: t, packages: os.Getenv("DCVIX_PACKAGES"), root: filepath.Join(t.TempDir(), "root")}
	if d.packages == "" {
		t.Skip("\"make test-packages\" runs this one, as root")
	}
	require.NoError(t, exec.CommandContext(t.Context(), "cp", "-a", os.Getenv("DCVIX_ROOT"), d.root).Run())
	require.NoError(t, exec.CommandContext(t.Context(), "cp", filepath.Join(d.packages, "dcv"), d.path("/usr/bin/dcv")).Run())
	require.NoError(t, os.WriteFile(d.path("/etc/hosts"), []byte("127.0.0.1 localhost\n"), 0o644))
	require.NoError(t, os.MkdirAll(d.path("/etc/dcv"), 0o755))
	require.NoError(t, os.WriteFile(d.path("/etc/dcv/dcv.conf"), []byte("[session-management]\n[security]\n"), 0o644))
	return d
}

func (d *debian) path(name string) string { return filepath.Join(d.root, name) }

// command runs inside. Its /proc is gone with it.
func (d *debian) command(words ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.t.Context()), 2*time.Minute)
	d.t.Cleanup(cancel)
	const inside = `mount -t proc proc "$0/proc" && exec chroot "$0" "$@"`
	cmd := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "sh", "-c", inside, d.root}, words...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"}
	return cmd
}

func (d *debian) do(words ...string) string {
	d.t.Helper()
	got := finish(d.t, d.command(words...))
	require.Zero(d.t, got.code, "%v: %s%s", words, got.stdout, got.stderr)
	return got.stdout
}

// install takes the package of that folder, and says what it said.
func (d *debian) install(version string) string {
	d.t.Helper()
	found, err := filepath.Glob(filepath.Join(d.packages, version, "dcvix-agent_*.deb"))
	require.NoError(d.t, err)
	require.Len(d.t, found, 1)
	require.NoError(d.t, exec.CommandContext(d.t.Context(), "cp", found[0], d.path("/tmp/agent.deb")).Run())
	return d.do("dpkg", "-i", "/tmp/agent.deb")
}

// start does what the unit says.
func (d *debian) start(text string) *exec.Cmd {
	d.t.Helper()
	unit := d.read("/usr/lib/systemd/system/dcvix-agent.service")
	line := regexp.MustCompile(`(?m)^ExecStart=(.+)$`).FindStringSubmatch(unit)
	require.NotNil(d.t, line, unit)
	cmd := d.command(strings.Fields(line[1])...)
	start(d.t, cmd, text)
	return cmd
}

func (d *debian) stop(cmd *exec.Cmd) {
	d.t.Helper()
	require.NoError(d.t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(d.t, cmd.Wait())
}

func (d *debian) read(name string) string {
	d.t.Helper()
	text, err := os.ReadFile(d.path(name))
	require.NoError(d.t, err)
	return string(text)
}

func (d *debian) mode(name string) os.FileMode {
	d.t.Helper()
	info, err := os.Stat(d.path(name))
	require.NoError(d.t, err)
	return info.Mode().Perm()
}

func TestThePackageOfDebianFromItsInstallationToItsPurge(t *testing.T) {
	d := newDebian(t)
	f := newFleet(t)
	server, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0") // stands for DCV's
	require.NoError(t, err)
	defer func() { _ = server.Close() }()

	told := d.install("1")
	assert.Contains(t, told, "write director_host into /etc/dcvix-agent/dcvix-agent.conf")
	assert.Contains(t, told, "systemctl start dcvix-agent")
	const conf, data, wanted = "/etc/dcvix-agent/dcvix-agent.conf", "/var/lib/dcvix-agent", "/etc/systemd/system/multi-user.target.wants/dcvix-agent.service"
	assert.Equal(t, os.FileMode(0o600), d.mode(conf))
	assert.Equal(t, os.FileMode(0o700), d.mode(data))
	_, err = os.Lstat(d.path(wanted))
	require.NoError(t, err, "it is enabled")
	assert.Equal(t, "dcvix-agent 0.2.0~test1\n", d.do("dcvix-agent", "--version"))

	own := strings.Replace(d.read(conf), "[agent]\n", fmt.Sprintf("[agent]\n%sdcv_port = %d\n", f.lines(), server.Addr().(*net.TCPAddr).Port), 1)
	require.NoError(t, os.WriteFile(d.path(conf), []byte(own), 0o600))
	first := d.start("waiting for an admin")
	id := f.approve(t)
	assert.Empty(t, f.report(t).Problems)
	f.openAndClose(t)
	d.do("dcvix-agent", "setup-dcv")
	assert.Contains(t, d.read("/etc/dcv/dcv.conf"), "https://localhost:"+f.port)
	well := finish(t, d.command("dcvix-agent", "doctor"))
	assert.Contains(t, well.stdout, "\nall well\n", "%s", well.stdout)
	assert.Zero(t, well.code)
	d.stop(first)

	told = d.install("2")
	assert.NotContains(t, told, "write director_host", "it was configured before")
	assert.Equal(t, "dcvix-agent 0.2.0~test2\n", d.do("dcvix-agent", "--version"))
	assert.Equal(t, own, d.read(conf))
	second := d.start("listening for the director")
	f.report(t)
	d.stop(second)
	assert.Equal(t, string(id), strings.TrimSpace(d.read(data+"/agent.guid")), "it is the same agent")

	d.do("dpkg", "--remove", "dcvix-agent")
	assert.NoFileExists(t, d.path("/usr/bin/dcvix-agent"))
	assert.FileExists(t, d.path(data+"/agent.key"))
	assert.Equal(t, own, d.read(conf))
	d.do("dpkg", "--purge", "dcvix-agent")
	for _, gone := range []string{data, "/etc/dcvix-agent", wanted, "/var/lib/systemd/deb-systemd-helper-enabled/dcvix-agent.service.dsh-also"} {
		_, err := os.Lstat(d.path(gone))
		assert.ErrorIs(t, err, os.ErrNotExist, gone)
	}
}
