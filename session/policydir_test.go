package session_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/session"
)

// within is how soon a changed policy counts.
const within = 5 * time.Second

// A policyFolder is a running PolicyDir in virtual time over real files.
type policyFolder struct {
	*session.PolicyDir
	t   *testing.T
	dir string
	log bytes.Buffer
	mu  sync.Mutex
}

func (p *policyFolder) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *policyFolder) logged(text string) int {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Count(p.log.String(), text)
}

func (p *policyFolder) write(name, content string) {
	p.t.Helper()
	require.NoError(p.t, os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600))
}

func (p *policyFolder) hosts() []string {
	synctest.Wait()
	return p.Rules().Access("alice", nil).Hosts
}

func withPolicy(t *testing.T, test func(*policyFolder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &policyFolder{t: t, dir: t.TempDir()}
		p.write(session.UsersFile, `[{"id":"alice","workstations":["ws1"]}]`)
		var err error
		p.PolicyDir, err = session.OpenPolicyDir(t.Context(), session.PolicyDirConfig{Dir: p.dir, Logger: slog.New(slog.NewTextHandler(p, nil))})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- p.Run(ctx) }()
		time.Sleep(500 * time.Millisecond) // so that looks and what the test does never fall together
		test(p)
		cancel()
		require.NoError(t, <-ran)
	})
}

func TestAFolderWithoutAPolicyGetsEmptyLists(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "policy")
	p, err := session.OpenPolicyDir(t.Context(), session.PolicyDirConfig{Dir: dir})
	require.NoError(t, err)
	assert.Equal(t, session.Access{}, p.Rules().Access("alice", nil))
	for _, name := range []string{session.UsersFile, session.PoolsFile} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, "[]\n", string(data))
	}
}

func TestADirectorDoesNotStartOnABadPolicy(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, session.UsersFile), []byte("[\n{"), 0o600))
	p, err := session.OpenPolicyDir(t.Context(), session.PolicyDirConfig{Dir: dir})
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, "users.json:2")
	assert.Nil(t, p)
}

func TestAChangedPolicyCountsWithin5Seconds(t *testing.T) {
	withPolicy(t, func(p *policyFolder) {
		require.Equal(t, []string{"ws1"}, p.hosts())
		p.write(session.UsersFile, `[{"id":"alice","pools":["cad"]}]`)
		p.write(session.PoolsFile, `[{"id":"cad","workstations":["ws7"]}]`)
		time.Sleep(within)
		assert.Equal(t, []string{"ws7"}, p.hosts())
		p.write(session.PoolsFile, `[{"id":"cad","workstations":["ws7","ws8"]}]`)
		time.Sleep(within)
		assert.Equal(t, []string{"ws7", "ws8"}, p.hosts())
		time.Sleep(time.Hour)
		assert.Equal(t, 2, p.logged("policy reloaded"), "what did not change is not read again")

		p.write(session.UsersFile, `[]`)
		require.NoError(t, p.Reload(t.Context()))
		assert.Empty(t, p.hosts(), "at once, as on SIGHUP")
	})
}

func TestRulesForGroupsComeAndGoWithTheirFile(t *testing.T) {
	withPolicy(t, func(p *policyFolder) {
		assert.NoFileExists(t, filepath.Join(p.dir, session.GroupsFile), "nobody needs it")
		hosts := func() []string {
			synctest.Wait()
			return p.Rules().Access("nobody", []string{"staff"}).Hosts
		}
		p.write(session.GroupsFile, `[{"id":"staff","workstations":["ws9"]}]`)
		time.Sleep(within)
		assert.Equal(t, []string{"ws9"}, hosts())
		p.write(session.GroupsFile, "")
		time.Sleep(within)
		assert.Equal(t, []string{"ws9"}, hosts())
		assert.Equal(t, 1, p.logged("groups.json is empty: write []"))
		require.NoError(t, os.Remove(filepath.Join(p.dir, session.GroupsFile)))
		time.Sleep(within)
		assert.Empty(t, hosts())
	})
}

// Two files are written one after the other; between them the policy would have a
// problem, and somebody too much or too little.
func TestAPolicyCountsOnceItsWritersAreDone(t *testing.T) {
	withPolicy(t, func(p *policyFolder) {
		p.write(session.UsersFile, `[{"id":"alice","pools":["cad"]}]`)
		time.Sleep(time.Second)
		assert.Equal(t, []string{"ws1"}, p.hosts())
		p.write(session.PoolsFile, `[{"id":"cad","workstations":["ws2"]}]`)
		time.Sleep(within)
		assert.Equal(t, []string{"ws2"}, p.hosts())
		assert.Zero(t, p.logged("problem in the policy"))
		assert.Equal(t, 1, p.logged("policy reloaded"))

		for i := range 20 { // somebody never stops
			p.write(session.PoolsFile, strings.Repeat(" ", i)+`[{"id":"cad","workstations":["ws3"]}]`)
			time.Sleep(time.Second)
			if time.Duration(i+1)*time.Second >= within {
				assert.Equal(t, []string{"ws3"}, p.hosts(), i)
			}
		}
	})
}

func TestManyProblemsAreCounted(t *testing.T) {
	withPolicy(t, func(p *policyFolder) {
		p.write(session.UsersFile, `[{"id":"alice","workstations":["ws1"],"pools":[`+strings.Repeat(`"x",`, 99)+`"x"]}]`)
		time.Sleep(within)
		assert.Equal(t, []string{"ws1"}, p.hosts())
		assert.Equal(t, 20, p.logged(`msg="problem in the policy"`))
		assert.Equal(t, 1, p.logged("more problems in the policy: dcvix-director policy check lists them\" problems=80"))
	})
}

func TestThePolicyOfAFolderComparesUsersAsItIsTold(t *testing.T) {
	for fold, known := range map[bool]bool{false: false, true: true} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, session.UsersFile), []byte(`[{"id":"Alice"}]`), 0o600))
		p, err := session.OpenPolicyDir(t.Context(), session.PolicyDirConfig{Dir: dir, FoldUserCase: fold})
		require.NoError(t, err)
		assert.Equal(t, known, p.Rules().Access("aLICE", nil).Known)
	}
}

func TestTheLastGoodPolicyStays(t *testing.T) {
	withPolicy(t, func(p *policyFolder) {
		for name, content := range map[string]string{
			"no JSON": "[\n{\"id\":", "nothing, as an editor that writes in place leaves it for a moment": "", "blanks": " \n\n",
		} {
			p.write(session.UsersFile, content)
			time.Sleep(within)
			assert.Equal(t, []string{"ws1"}, p.hosts(), name)
			require.Error(t, p.Reload(t.Context()), name)
			assert.Equal(t, []string{"ws1"}, p.hosts(), name)
		}
		require.NoError(t, os.Remove(filepath.Join(p.dir, session.UsersFile)))
		time.Sleep(within)
		assert.Equal(t, []string{"ws1"}, p.hosts(), "the file is gone")

		p.write(session.UsersFile, `[{"id":"alice","workstations":["ws2"]}]`)
		time.Sleep(within)
		assert.Equal(t, []string{"ws2"}, p.hosts())
	})
}

func TestABadPolicyIsLoggedOnceWithFileAndLine(t *testing.T) {
	withPolicy(t, func(p *policyFolder) {
		p.write(session.PoolsFile, "[\n\n}")
		time.Sleep(time.Hour)
		assert.Equal(t, 1, p.logged("the one before stays"))
		assert.Equal(t, 1, p.logged("pools.json:3"))
		p.write(session.PoolsFile, "[\n\n\n}")
		time.Sleep(time.Hour)
		assert.Equal(t, 2, p.logged("the one before stays"))
	})
}

func TestProblemsOfAPolicyAreLogged(t *testing.T) {
	withPolicy(t, func(p *policyFolder) {
		p.write(session.UsersFile, `[{"id":"alice","workstations":["ws1"],"pools":["nope"]}]`)
		time.Sleep(within)
		assert.Equal(t, []string{"ws1"}, p.hosts())
		assert.Equal(t, 1, p.logged("problem in the policy"))
	})
}

// As after chmod, which root, who may run this test, does not feel: neither time
// nor size of the file tells that it can be read now.
func TestAPolicyThatCanBeReadAgainIsRead(t *testing.T) {
	withPolicy(t, func(p *policyFolder) {
		good := `[{"id":"alice","workstations":["ws3"]}]`
		at := time.Unix(1_800_000_000, 0)
		for _, content := range []string{good[:len(good)-1] + "}", good} {
			p.write(session.UsersFile, content)
			require.NoError(t, os.Chtimes(filepath.Join(p.dir, session.UsersFile), at, at))
			time.Sleep(within)
		}
		assert.Equal(t, []string{"ws3"}, p.hosts())
		assert.Equal(t, 1, p.logged("the one before stays"))
	})
}

func TestAPolicyThatNeverChanges(t *testing.T) {
	rules, err := session.ParseRules(session.PolicyFiles{Users: []byte(`[{"id":"alice","admin":true}]`)})
	require.NoError(t, err)
	assert.True(t, session.FixedPolicy{All: rules}.Rules().Access("alice", nil).Admin)
	assert.Equal(t, session.Access{}, session.FixedPolicy{}.Rules().Access("alice", nil))
}
