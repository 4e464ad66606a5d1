package directorcmd_test

import (
	"fmt"
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

// A quickstart follows docs/quickstart.md on three machines with a network of their
// own, and a fake DCV on the workstation.
type quickstart struct {
	t        *testing.T
	machines map[string]*debian
	words    map[string]string // what stands for something: FINGERPRINT, GUID
	replaced []string          // lines that ran in another form
	waits    *running          // the launcher, which stays as long as its viewer
}

// A line is one of the document, and whose it is.
type line struct{ machine, text string }

// quickstartLines returns the lines of the document that begin with a mark.
func quickstartLines(t *testing.T) []line {
	t.Helper()
	text, err := os.ReadFile("../../docs/quickstart.md")
	require.NoError(t, err)
	var lines []line
	blocks := regexp.MustCompile("(?s)<!-- on (\\w+) -->\n```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.Len(t, regexp.MustCompile("(?m)^```sh$").FindAllString(string(text), -1), len(blocks), "each block says where it is typed")
	for _, b := range blocks {
		for text := range strings.Lines(b[2]) {
			lines = append(lines, line{b[1], strings.TrimSpace(text)})
		}
	}
	return lines
}

func newQuickstart(t *testing.T) *quickstart {
	t.Helper()
	q := &quickstart{t: t, machines: map[string]*debian{}, words: map[string]string{}}
	first := newDebian(t)
	network := exec.CommandContext(t.Context(), "unshare", "--net", "sh", "-c",
		"ip link set lo up && ip addr add 10.9.0.1/32 dev lo && ip addr add 10.9.0.2/32 dev lo && echo up && exec sleep 1200")
	r := &running{t: t, cmd: network}
	network.Stdout, network.Stderr = r, r
	require.NoError(t, network.Start())
	t.Cleanup(func() { _ = network.Process.Kill(); _ = network.Wait() })
	r.await("up\n")
	enter := []string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", network.Process.Pid)}
	for name, host := range map[string]string{"director": "director", "workstation": "ws1", "laptop": "laptop"} {
		d := first
		if name != "director" {
			d = newDebian(t)
		}
		d.host, d.enter = host, enter
		hosts := "127.0.0.1 localhost\n10.9.0.1 director.example director\n10.9.0.2 ws1\n127.0.0.1 laptop\n"
		require.NoError(t, os.WriteFile(d.path("/etc/hosts"), []byte(hosts), 0o644))
		debs, err := filepath.Glob(filepath.Join(d.packages, "1", "*.deb"))
		require.NoError(t, err)
		for _, deb := range debs {
			q.copy(deb, d, "/root/"+filepath.Base(deb))
		}
		q.machines[name] = d
	}
	ws := q.machines["workstation"]
	q.copy(filepath.Join(ws.packages, "dcv"), ws, "/usr/bin/dcv")
	ws.do("useradd", "-m", "alice")
	require.NoError(t, os.MkdirAll(ws.path("/etc/dcv"), 0o755))
	require.NoError(t, os.WriteFile(ws.path("/etc/dcv/dcv.conf"), []byte("[session-management]\n[security]\n"), 0o644))
	q.copy(filepath.Join(ws.packages, "dcv"), q.machines["laptop"], "/usr/bin/dcvviewer")
	q.copy(filepath.Join(ws.packages, "dcvix-launcher"), q.machines["laptop"], "/usr/bin/dcvix-launcher")
	return q
}

func (q *quickstart) copy(from string, d *debian, to string) {
	q.t.Helper()
	require.NoError(q.t, exec.CommandContext(q.t.Context(), "cp", from, d.path(to)).Run())
}

// background starts something that stays, and waits until it says that.
func (q *quickstart) background(d *debian, said string, words ...string) *running {
	q.t.Helper()
	r := &running{t: q.t, cmd: d.command(d.words(words...)...)}
	r.cmd.Stdout, r.cmd.Stderr = r, r
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.WaitDelay = 5 * time.Second // for what left the group
	require.NoError(q.t, r.cmd.Start())
	q.t.Cleanup(func() {
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
		_ = r.cmd.Wait() // it was killed
	})
	r.await(said)
	return r
}

// run does what a line says. Without systemd, sudo and somebody who types, some are
// done in another way.
func (q *quickstart) run(l line) string {
	q.t.Helper()
	d := q.machines[l.machine]
	text := strings.ReplaceAll(l.text, "sudo -u dcvix ", "setpriv --reuid=dcvix --regid=dcvix --groups=shadow ")
	text = strings.ReplaceAll(text, "sudo ", "")
	for word, value := range q.words {
		text = strings.ReplaceAll(text, word, value)
	}
	unit := func(name string) []string {
		found := regexp.MustCompile(`(?m)^ExecStart=(.+)$`).FindStringSubmatch(d.read("/usr/lib/systemd/system/" + name + ".service"))
		require.NotNil(q.t, found)
		return strings.Fields(found[1])
	}
	instead := func(how string) { q.replaced = append(q.replaced, l.text+"  =>  "+how) }
	switch text {
	case "systemctl start dcvix-director":
		instead("ExecStart= as User= with its groups")
		d.start("", d.setting("dcvix-director.service.d/shadow.conf", "SupplementaryGroups"))
		return ""
	case "systemctl start dcvix-agent":
		instead("ExecStart=")
		q.background(d, "waiting for an admin", unit("dcvix-agent")...)
		return ""
	case "systemctl restart dcvserver":
		instead("the fake DCV server, with what dcv.conf says")
		value := func(key string) string {
			found := regexp.MustCompile(`(?m)^` + key + `\s*=\s*"?([^"\n]+)"?$`).FindStringSubmatch(d.read("/etc/dcv/dcv.conf"))
			require.NotNil(q.t, found, key)
			return found[1]
		}
		q.background(d, "", "/usr/bin/dcv-server", "serve", "--name", "ws1", "--state", "/usr/bin/state", "--listen", "0.0.0.0:8443",
			"--verifier", value("auth-token-verifier"), "--ca-file", value("ca-file"))
		return ""
	case "adduser alice":
		instead("useradd alice, and chpasswd")
		return d.do("sh", "-c", "useradd -m alice && echo 'alice:looking glass' | chpasswd")
	case "dcvix-launcher --connect ws1":
		instead("with --password-stdin")
		q.waits = q.background(d, "", "bash", "-c", "cd /root && echo 'looking glass' | HOME=/root dcvix-launcher --connect ws1 --password-stdin")
		return ""
	}
	if text != l.text {
		instead(text)
	}
	return d.do("bash", "-c", "cd /root && export HOME=/root && "+text)
}

func TestThePackagesDoWhatTheQuickstartSays(t *testing.T) {
	lines := quickstartLines(t)
	q := newQuickstart(t)
	ws := q.machines["workstation"]
	q.copy(filepath.Join(ws.packages, "dcv"), ws, "/usr/bin/dcv-server")
	for _, l := range lines {
		t.Logf("%s: %s", l.machine, l.text)
		out := q.run(l)
		switch {
		case strings.Contains(l.text, "ca fingerprint"):
			q.words["FINGERPRINT"] = strings.TrimSpace(out)
		case strings.Contains(l.text, "agents list"):
			found := regexp.MustCompile(`(?m)^pending\s+ws1\s+(\S+)`).FindStringSubmatch(out)
			require.NotNil(t, found, out)
			q.words["GUID"] = found[1]
		case strings.Contains(l.text, "dcvix-director doctor"):
			assert.NotContains(t, out, "problem  ", "%s", out)
		case strings.Contains(l.text, "dcvix-agent doctor"):
			assert.Contains(t, out, "all well", "%s", out)
		}
		if strings.Contains(l.text, "agents approve") { // "registered within half a minute: go on then"
			require.Eventually(t, func() bool {
				_, err := os.Stat(ws.path("/var/lib/dcvix-agent/ca.pem"))
				return err == nil
			}, 2*time.Minute, 100*time.Millisecond)
		}
	}
	require.Eventually(t, func() bool {
		out := ws.do("dcv", "list-sessions", "--json")
		return strings.Contains(out, `"owner"`) && strings.Contains(out, "alice") && regexp.MustCompile(`"num-of-connections"\s*:\s*1`).MatchString(out)
	}, 2*time.Minute, 200*time.Millisecond, "alice's viewer is connected to her session: %s\n%s", ws.do("dcv", "list-sessions", "--json"), q.waits.said())
	t.Logf("an open session with a viewer. Lines that ran in another form:\n%s", strings.Join(q.replaced, "\n"))
}
