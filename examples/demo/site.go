package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/client"
)

// hostName is below localhost, which every resolver should take for this machine
// (RFC 6761); policy and people say ws1.
const hostName = "ws1.localhost"

// A site is what the demonstration runs and where.
type site struct {
	dir, bin                         string
	directorPort, agentPort, dcvPort int
	authority                        *ca.Authority
	passwords                        map[string]string
}

// prepare writes what the programs need and keeps what is there.
func prepare(ctx context.Context, dir, bin string) (*site, error) {
	s := &site{passwords: make(map[string]string)}
	var err error
	if s.dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if s.bin, err = filepath.Abs(bin); err != nil {
		return nil, err
	}
	for _, sub := range []string{"director", "agent", "ws1", "policydb"} {
		if err := os.MkdirAll(filepath.Join(s.dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("make the folder of the demonstration, or choose another with -dir: %w", err)
		}
	}
	// The director would make its CA by itself; here everybody gets to know it first.
	if s.authority, err = ca.Open(filepath.Join(s.dir, "director"), ca.Config{}); err != nil {
		return nil, err
	}
	for port, preferred := range map[*int]int{&s.directorPort: 8445, &s.agentPort: 8446, &s.dcvPort: 8443} {
		if *port, err = freePort(ctx, preferred); err != nil {
			return nil, err
		}
	}
	for _, user := range []string{"alice", "admin"} {
		if s.passwords[user], err = s.password(user); err != nil {
			return nil, err
		}
	}
	return s, s.writeFiles()
}

// freePort returns the preferred port, or a free one when that is in use.
func freePort(ctx context.Context, preferred int) (int, error) {
	for _, port := range []int{preferred, 0} {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return l.Addr().(*net.TCPAddr).Port, l.Close()
	}
	return 0, errors.New("no free port on 127.0.0.1")
}

// password returns the user's password, made at the first run.
func (s *site) password(user string) (string, error) {
	path := filepath.Join(s.dir, user+".password")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		data = []byte(strings.ToLower(rand.Text()[:12]) + "\n")
		err = ca.WriteKeyFile(path, data)
	}
	return strings.TrimSpace(string(data)), err
}

func (s *site) writeFiles() error {
	fingerprint := ca.FingerprintOf(s.authority.Certificate())
	files := []struct {
		name string
		perm fs.FileMode
		text string
		keep bool // what the operator may have changed
	}{
		{"login.sh", 0o700, loginScript, false},
		{"director.conf", 0o600, fmt.Sprintf(directorConf, s.directorPort, s.agentPort), false},
		{"agent.conf", 0o600, fmt.Sprintf(agentConf, s.directorPort, s.agentPort, hostName, s.dcvPort, fingerprint), false},
		{"launcher.conf", 0o600, fmt.Sprintf(launcherConf, s.directorPort), false},
		{"policydb/users.json", 0o600, usersJSON, true},
	}
	for _, f := range files {
		path := filepath.Join(s.dir, f.name)
		if _, err := os.Stat(path); f.keep && err == nil {
			continue
		}
		if err := ca.WriteFile(path, []byte(f.text), f.perm); err != nil {
			return err
		}
	}
	return s.link()
}

// link gives the fake its two other names: the command that the agent runs, and
// the viewer that the launcher starts.
func (s *site) link() error {
	for _, name := range []string{"dcv", "dcvviewer"} {
		path := filepath.Join(s.dir, "ws1", name)
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(filepath.Join(s.bin, "fakehost"), path); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) director() program {
	return program{"director", filepath.Join(s.bin, "dcvix-director"), []string{"--conf", filepath.Join(s.dir, "director.conf")}}
}

func (s *site) agent() program {
	return program{"agent", filepath.Join(s.bin, "dcvix-agent"), []string{"--conf", filepath.Join(s.dir, "agent.conf")}}
}

func (s *site) dcvServer() program {
	return program{"dcvserver", filepath.Join(s.bin, "fakehost"), []string{
		"serve", "--name", hostName, "--state", filepath.Join(s.dir, "ws1", "state"),
		"--listen", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.dcvPort)),
		"--verifier", s.url() + dcvix.PathAuthTokenVerify, "--ca-file", filepath.Join(s.dir, "director", ca.CertFile),
	}}
}

func (s *site) url() string { return "https://localhost:" + strconv.Itoa(s.directorPort) }

// login waits for the director and logs the admin in.
func (s *site) login(ctx context.Context, f *family) (*client.Client, error) {
	admin, err := client.New(client.Config{URL: s.url(), TLS: &tls.Config{RootCAs: s.authority.Pool()}})
	if err != nil {
		return nil, err
	}
	err = await(ctx, f, "the director answers", func(ctx context.Context) (bool, error) {
		_, err := admin.Health(ctx)
		return err == nil, nil
	})
	if err != nil {
		return nil, err
	}
	return admin, admin.AdminLogin(ctx, dcvix.LoginRequest{UserID: "admin", Password: s.passwords["admin"]})
}

// enrol approves the agent that has the GUID of our host, and no other, and
// waits for its first report.
func (s *site) enrol(ctx context.Context, f *family, admin *client.Client) error {
	return await(ctx, f, "the host reports", func(ctx context.Context) (bool, error) {
		guid, err := os.ReadFile(filepath.Join(s.dir, "agent", "agent.guid"))
		if err != nil {
			return false, nil //nolint:nilerr // the agent has not made it yet
		}
		pending, err := admin.Agents(ctx, dcvix.AgentPending)
		if err != nil {
			return false, err
		}
		for _, a := range pending {
			if string(a.GUID) != strings.TrimSpace(string(guid)) {
				continue
			}
			fmt.Printf("Approving the agent of %s, key %s …\n", a.Hostname, a.Fingerprint)
			if err := admin.Approve(ctx, a.GUID, dcvix.ApproveRequest{}); err != nil {
				return false, err
			}
		}
		hosts, err := admin.Hosts(ctx)
		return len(hosts) > 0, err
	})
}

// explain says what runs and what to do next.
func (s *site) explain(w io.Writer) {
	rel := func(path string) string {
		if wd, err := os.Getwd(); err == nil {
			if r, err := filepath.Rel(wd, path); err == nil && !strings.HasPrefix(r, "..") {
				return r
			}
		}
		return path
	}
	launcher := fmt.Sprintf("%s --conf %s", rel(filepath.Join(s.bin, "dcvix-launcher")), rel(filepath.Join(s.dir, "launcher.conf")))
	password := rel(filepath.Join(s.dir, "alice.password"))
	_, _ = fmt.Fprintf(w, `
The system is up: one director, one host with a fake DCV server.

  portal   %[1]s/          user   alice   password %[3]s
  console  %[1]s/admin/    user   admin   password %[4]s

  (A browser warns of the certificate: its CA is %[2]s.)

Try it in another terminal:

  %[5]s --list --password-stdin < %[6]s
  %[5]s --connect ws1 --password-stdin < %[6]s
  %[5]s --close ws1 --password-stdin < %[6]s

Policy: %[7]s, a change counts within seconds.  Logs: %[8]s
Ctrl-C stops everything; the next run goes on with it; "make clean" removes it.
`, s.url(), rel(filepath.Join(s.dir, "director", ca.CertFile)), s.passwords["alice"], s.passwords["admin"],
		launcher, password, rel(filepath.Join(s.dir, "policydb")), rel(filepath.Join(s.dir, "*.log")))
}
