package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
)

// A director is what the fleet is for: one that was started, or another one.
type director struct {
	url      string
	caFile   string
	token    string // for registration; "" means none
	admin    string
	password string
	pid      int // 0: not known
	stop     func() error
}

// other returns the director that the options name.
func other(o options) (*director, error) {
	d := &director{url: strings.TrimRight(o.director, "/"), caFile: o.caFile, admin: o.admin, pid: o.pid, stop: func() error { return nil }}
	for file, into := range map[string]*string{o.tokenFile: &d.token, o.passwordFile: &d.password} {
		if file == "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		*into = strings.TrimSpace(string(text))
	}
	return d, nil
}

const directorConf = `[director]
director_host = 127.0.0.1
director_port = 0
auth_type = external
data_dir = director
policydb_folder = policydb
token_key_file = director/token.key
registration_token = %s
pending_max = %d

[external_auth]
external_command = ./login.sh

[housekeeper]
max_age = %[3]s
housekeeper_frequency = %[3]s
`

const loginScript = `#!/bin/sh
read -r user; read -r password; read -r otp
[ "$password" = "$(cat "$(dirname "$0")/password")" ]
`

// startOwn starts a director in its folder, with a policy for these people.
func startOwn(ctx context.Context, o options, policy []byte) (_ *director, err error) {
	d := &director{admin: "fleet-admin", token: rand.Text(), password: rand.Text()}
	dir := o.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "dcvix-fleet-"); err != nil {
			return nil, err
		}
	}
	remove := func() error {
		if o.dir != "" {
			return nil
		}
		return os.RemoveAll(dir)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if err := d.write(dir, o, policy); err != nil {
		return nil, errors.Join(err, remove())
	}
	end, err := d.start(ctx, o, dir)
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	d.caFile = filepath.Join(dir, "director", ca.CertFile)
	d.stop = func() error { return errors.Join(end(), remove()) }
	return d, nil
}

func (d *director) write(dir string, o options, policy []byte) error {
	for _, sub := range []string{"director", "policydb"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	patience := min(o.interval, 30*time.Second)
	for _, f := range []struct {
		name, text string
		perm       fs.FileMode
	}{
		{"director.conf", fmt.Sprintf(directorConf, d.token, o.agents, patience), 0o600},
		{"login.sh", loginScript, 0o700},
		{"password", d.password + "\n", 0o600},
		{"policydb/users.json", string(policy), 0o600},
	} {
		if err := ca.WriteFile(filepath.Join(dir, f.name), []byte(f.text), f.perm); err != nil {
			return err
		}
	}
	return nil
}

// start starts the process and waits until it listens. The function that it
// returns ends the process.
func (d *director) start(ctx context.Context, o options, dir string) (end func() error, err error) {
	log, err := os.OpenFile(filepath.Join(dir, "director.log"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))                                                          // it ends after the fleet
	cmd := exec.CommandContext(ctx, filepath.Join(o.bin, "dcvix-director"), "--conf", filepath.Join(dir, "director.conf")) //nolint:gosec // the operator says which program
	cmd.SysProcAttr = ownGroup()                                                                                           // Ctrl-C reaches this program alone, which ends the director
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("start the director: run \"make build\" first: %w", err), log.Close())
	}
	lines := bufio.NewReader(said)
	address, began := "", regexp.MustCompile(`msg="director started" address=(\S+)`)
	for address == "" && err == nil {
		var line string
		line, err = lines.ReadString('\n')
		_, _ = log.WriteString(line) // it is for people
		if found := began.FindStringSubmatch(line); found != nil {
			address = found[1]
		}
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(log, lines) // until the process ends
	}()
	end = func() error {
		cancel()
		<-copied
		err := cmd.Wait()
		if errors.Is(err, context.Canceled) { // it is what we asked for
			err = nil
		}
		return errors.Join(err, log.Close())
	}
	if address == "" {
		return nil, errors.Join(fmt.Errorf("the director did not start, see %s", log.Name()), end())
	}
	d.url, d.pid = "https://"+address, cmd.Process.Pid
	return end, nil
}

// A user is an entry of users.json.
type user struct {
	ID           dcvix.Username `json:"id"`
	Admin        bool           `json:"admin,omitempty"`
	Workstations []string       `json:"workstations,omitempty"`
}

// policy returns the users.json of a fleet.
func policy(people []*person) ([]byte, error) {
	users := []user{{ID: "fleet-admin", Admin: true}}
	for _, p := range people {
		u := user{ID: p.name}
		for _, a := range p.hosts {
			u.Workstations = append(u.Workstations, string(a.name))
		}
		users = append(users, u)
	}
	return json.Marshal(users)
}
