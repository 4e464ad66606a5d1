//go:build unix

package directorcmd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/directorcmd"
	"github.com/dcvix/dcvix/cmd/directorcmd/backup"
	"github.com/dcvix/dcvix/session/auditfile"
)

const passphrase = "four words are enough"

func passphraseFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "passphrase")
	require.NoError(t, os.WriteFile(path, []byte(text+"\n"), 0o600))
	return path
}

func placesOf(path string) backup.Places {
	return backup.Places{
		Data: dataOf(path), Policy: filepath.Join(filepath.Dir(path), "policydb"), Audit: filepath.Join(dataOf(path), "audit.jsonl"),
		TokenKey: filepath.Join(dataOf(path), "token.key"), File: path,
	}
}

// sealed writes a backup that opens at once.
func sealed(t *testing.T, path string) string {
	t.Helper()
	var b bytes.Buffer
	_, err := backup.Write(t.Context(), &b, placesOf(path), passphrase, 1)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "backup")
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
	return file
}

func TestABackupOfADirectorAtWorkIsTheSameDirectorElsewhere(t *testing.T) {
	old := home(t, conf(t, "", ""), waits(1, "ws1"), waits(2, "ws2"))
	setUsers(t, old, `[{"id": "alice", "workstations": ["ws1"]}]`)
	r, address := start(t, process(t, "--conf", old))
	alice := person(t, old, address)
	require.NoError(t, alice.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password}))
	done(t, old, "agents", "approve", string(guidOf(t, old, "ws1")))
	agents, authority := done(t, old, "agents", "list", "--json"), done(t, old, "ca", "fingerprint")

	var over atomic.Bool
	var work sync.WaitGroup
	for range 3 { // each leaves a line of the audit
		work.Go(func() {
			c := person(t, old, address)
			for !over.Load() {
				assert.NoError(t, c.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password}))
			}
		})
	}
	file := filepath.Join(t.TempDir(), "backup")
	told := done(t, old, "backup", file, "--passphrase-file", passphraseFile(t, passphrase))
	over.Store(true)
	work.Wait()
	assert.Contains(t, told, file+" has the director of ")
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, r.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, r.cmd.Wait())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, open := range []string{"PRIVATE KEY", "SQLite format", "alice"} {
		assert.NotContains(t, string(text), open)
	}
	assert.NotContains(t, filesIn(t, dataOf(old)), ".backup.db")

	empty := conf(t, "", "")
	told = done(t, empty, "restore", file, "--passphrase-file", passphraseFile(t, passphrase))
	assert.Contains(t, told, strings.TrimSpace(authority))
	cmd := process(t, "--conf", empty)
	cmd.Env = append(cmd.Env, "DCVIX_DIRECTOR_DIRECTOR_PORT="+strings.TrimPrefix(address, "127.0.0.1:"))
	start(t, cmd)
	servers, err := alice.Servers(t.Context())
	require.NoError(t, err, "her login is good still, and the certificate is that of the same CA")
	assert.Equal(t, []string{"ws1"}, servers)
	assert.Equal(t, agents, done(t, empty, "agents", "list", "--json"))
	records, err := auditfile.Verify(placesOf(empty).Audit)
	require.NoError(t, err)
	assert.Greater(t, records, int64(3))
	was, err := os.ReadFile(old)
	require.NoError(t, err)
	kept, err := os.ReadFile(filepath.Join(dataOf(empty), backup.RestoredConfig))
	require.NoError(t, err)
	assert.Equal(t, string(was), string(kept))
}

// guidOf returns the GUID of the agent on a host.
func guidOf(t *testing.T, path, host string) dcvix.AgentID {
	t.Helper()
	for line := range strings.Lines(done(t, path, "agents", "list")) {
		if words := strings.Fields(line); len(words) > 2 && words[1] == host {
			return dcvix.AgentID(words[2])
		}
	}
	t.Fatalf("there is no agent on %s", host)
	return ""
}

func TestWhatCannotBeRestoredChangesNothing(t *testing.T) {
	old := home(t, conf(t, "", ""), waits(1, "ws1"))
	file := sealed(t, old)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	cut, noBackup := filepath.Join(t.TempDir(), "cut"), filepath.Join(t.TempDir(), "no")
	require.NoError(t, os.WriteFile(cut, text[:len(text)-100], 0o600))
	require.NoError(t, os.WriteFile(noBackup, []byte("hello"), 0o600))
	tests := map[string]struct {
		file, passphrase string
		more             []string
		onto             func() string // configuration
		want             string
	}{
		"a living director": {want: "a director runs with the data folder", more: []string{"--replace"}, onto: func() string {
			path := conf(t, "", "")
			start(t, process(t, "--conf", path))
			return path
		}},
		"one that has lived":   {onto: func() string { return home(t, conf(t, "", "")) }, want: "a director has lived here, there is "},
		"a wrong passphrase":   {passphrase: "something else again", want: "the passphrase is wrong, or this is no backup of a director"},
		"no backup":            {file: noBackup, want: "the passphrase is wrong, or this is no backup of a director"},
		"one that is cut off":  {file: cut, want: "the backup is damaged or cut off"},
		"a passphrase of less": {passphrase: "short", want: "at least 12 characters"},
		"no such file":         {file: "/nothing/here", want: "the backup cannot be read"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := conf(t, "", "")
			if tt.onto != nil {
				path = tt.onto()
			}
			if tt.file == "" {
				tt.file = file
			}
			if tt.passphrase == "" {
				tt.passphrase = passphrase
			}
			before := everything(t, filepath.Dir(path))
			got := say(t, path, append([]string{"restore", tt.file, "--passphrase-file", passphraseFile(t, tt.passphrase)}, tt.more...)...)
			assert.NotZero(t, got.code)
			assert.Contains(t, got.sentence(t), tt.want)
			assert.Equal(t, before, everything(t, filepath.Dir(path)))
		})
	}
}

// everything returns the files below a folder that a restoration may touch.
func everything(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "lock" || strings.Contains(d.Name(), ".db-") {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = string(text)
		return err
	}))
	return all
}

func TestAnOldBackupIsNotOverwritten(t *testing.T) {
	path := home(t, conf(t, "", ""))
	file := filepath.Join(t.TempDir(), "backup")
	require.NoError(t, os.WriteFile(file, []byte("old"), 0o600))
	got := say(t, path, "backup", file, "--passphrase-file", passphraseFile(t, passphrase))
	assert.Equal(t, directorcmd.ExitUsage, got.code)
	assert.Contains(t, got.sentence(t), file+" is there already")
	got = say(t, conf(t, "", ""), "backup", file+"2", "--passphrase-file", passphraseFile(t, passphrase))
	assert.Contains(t, got.sentence(t), "no director has run with the data folder")
	got = say(t, path, "backup", file+"3")
	assert.Contains(t, got.sentence(t), "give --passphrase-file")
}

// TestAKillDuringARestorationLeavesTheOldDirectorOrTheNewOne kills a restoration at
// each of its changes of the disk, by strace, and looks whose director is there.
func TestAKillDuringARestorationLeavesTheOldDirectorOrTheNewOne(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil || runtime.GOOS != "linux" {
		if os.Getenv("CI") == "true" {
			t.Fatal("strace is missing: run scripts/need strace")
		}
		t.Skip("strace is not here")
	}
	director := func(host string) string {
		path := home(t, conf(t, "", ""), waits(1, host))
		setUsers(t, path, `[{"id": "`+host+`"}]`)
		return path
	}
	source, first := director("new"), director("old")
	file, secret := sealed(t, source), passphraseFile(t, passphrase)
	newest, err := os.ReadFile(filepath.Join(dataOf(source), ca.CertFile))
	require.NoError(t, err)
	sides := map[string]int{}
	call, n := "renameat", 0 // strace counts the calls of each name
	for {
		n++
		require.Less(t, n, 200)
		dir := t.TempDir()
		require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Dir(first))))
		require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && d.Name() != "login" {
				err = os.Chmod(path, 0o600) // which CopyFS does not keep
			}
			return err
		}))
		path := filepath.Join(dir, filepath.Base(first))
		restore := process(t, "restore", file, "--replace", "--passphrase-file", secret, "--conf", path)
		restore.Args = append([]string{
			"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call,
			"-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n), restore.Path,
		}, restore.Args[1:]...)
		restore.Env = append(restore.Env, "DIRECTOR_PROCESS="+oneThread)
		restore.Path, _ = exec.LookPath("strace")
		out, err := restore.CombinedOutput()
		killed := err != nil
		if killed {
			require.Empty(t, string(out), "it was killed, and did not fail")
		}
		list := done(t, path, "agents", "list") // opens the director, and so completes what was decided
		users, err := os.ReadFile(filepath.Join(filepath.Dir(path), "policydb", "users.json"))
		require.NoError(t, err)
		side := "old"
		if strings.Contains(list, " new ") {
			side = "new"
		}
		require.Contains(t, string(users), `"`+side+`"`, "after %s %d register and policy are of two directors", call, n)
		authority, err := os.ReadFile(filepath.Join(dataOf(path), ca.CertFile))
		require.NoError(t, err)
		require.Equal(t, side == "new", bytes.Equal(authority, newest), "after %s %d", call, n)
		_, err = auditfile.Verify(placesOf(path).Audit)
		require.NoError(t, err, "after %s %d", call, n)
		for _, name := range filesIn(t, dataOf(path)) {
			require.NotEqual(t, "restore.json", name)
		}
		sides[side]++
		if killed {
			continue
		}
		require.Equal(t, "new", side)
		if call == "unlinkat" {
			break
		}
		call, n = "unlinkat", 0
	}
	t.Logf("%d kills left the old director, %d the new one", sides["old"], sides["new"]-2)
	assert.Greater(t, sides["old"], 3)
	assert.Greater(t, sides["new"], 3)
}
