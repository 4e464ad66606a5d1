package session_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// largePolicy has 10,000 users, 1,000 pools of 10 hosts, 100 of which hold 9
// others, and 500 groups.
func largePolicy() session.PolicyFiles {
	var users, pools, groups strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&users, ",\n{\"id\":\"user%d\",\"workstations\":[\"ws%d\",\"ws%d.lab\"],\"pools\":[\"pool%d\",\"pool%d\"]}", i, i, i, i%1000, (i+7)%1000)
	}
	for i := range 1000 {
		var hosts, inside []string
		for h := range 10 {
			hosts = append(hosts, fmt.Sprintf("%q", fmt.Sprintf("node%d-%d", i, h)))
			if i < 100 && h > 0 {
				inside = append(inside, fmt.Sprintf("%q", fmt.Sprintf("pool%d", i+100*h)))
			}
		}
		fmt.Fprintf(&pools, ",\n{\"id\":\"pool%d\",\"workstations\":[%s],\"pools\":[%s],\"strategy\":\"pack\"}", i, strings.Join(hosts, ","), strings.Join(inside, ","))
	}
	for i := range 500 {
		fmt.Fprintf(&groups, ",\n{\"id\":\"group%d\",\"pools\":[\"pool%d\"]}", i, i)
	}
	return session.PolicyFiles{
		Users: []byte("[" + users.String()[1:] + "]"), Pools: []byte("[" + pools.String()[1:] + "]"), Groups: []byte("[" + groups.String()[1:] + "]"),
	}
}

func BenchmarkParseRules(b *testing.B) {
	files := largePolicy()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := session.ParseRules(files); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAccess(b *testing.B) {
	files := largePolicy()
	folded := files
	folded.FoldUserCase = true
	for name, bench := range map[string]struct {
		files  session.PolicyFiles
		user   dcvix.Username
		groups []string
		hosts  int
	}{
		"user":                    {files: files, user: "user9499", hosts: 22},
		"user without case":       {files: folded, user: "USER9499", hosts: 22},
		"user and groups":         {files: files, user: "user9499", groups: []string{"a", "group7", "group300", "group450"}, hosts: 142},
		"pools in pools":          {files: files, user: "user9005", hosts: 202},
		"nobody with many groups": {files: files, user: "nobody", groups: make([]string, 64)},
	} {
		rules, err := session.ParseRules(bench.files)
		require.NoError(b, err)
		require.Len(b, rules.Access(bench.user, bench.groups).Hosts, bench.hosts, name)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rules.Access(bench.user, bench.groups)
			}
		})
	}
}

func BenchmarkHostProblems(b *testing.B) {
	rules, err := session.ParseRules(largePolicy())
	require.NoError(b, err)
	var agents [][]dcvix.Hostname
	for i := range 10_000 {
		agents = append(agents, []dcvix.Hostname{dcvix.Hostname(fmt.Sprintf("ws%d.lab", i))})
	}
	b.ReportAllocs()
	for b.Loop() {
		rules.HostProblems(session.NewHostNames(agents))
	}
}

// BenchmarkAccessDuringReloads is of readers while the policy is read again without
// end, and for comparison while another one is, that no reader uses: what they wait
// longer than that, they wait on the policy; the rest is what sharing processors and a
// heap costs. Of each reader that took longer than 5 ms it is counted too.
func BenchmarkAccessDuringReloads(b *testing.B) {
	files, dir := largePolicy(), b.TempDir()
	for name, data := range map[string][]byte{session.UsersFile: files.Users, session.PoolsFile: files.Pools, session.GroupsFile: files.Groups} {
		require.NoError(b, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	open := func() *session.PolicyDir {
		p, err := session.OpenPolicyDir(b.Context(), session.PolicyDirConfig{Dir: dir})
		require.NoError(b, err)
		return p
	}
	used, other := open(), open()
	b.Run("nothing is read", func(b *testing.B) { readMeanwhile(b, used, func() {}) })
	b.Run("another is read", func(b *testing.B) { readMeanwhile(b, used, reloadsOf(b, other)) })
	b.Run("this one is read", func(b *testing.B) { readMeanwhile(b, used, reloadsOf(b, used)) })
}

// reloadsOf reads a policy again and again, until what it returns is called.
func reloadsOf(b *testing.B, p *session.PolicyDir) (stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	var reloads sync.WaitGroup
	reloads.Go(func() {
		for ctx.Err() == nil {
			assert.NoError(b, p.Reload(b.Context()))
		}
	})
	return func() { cancel(); reloads.Wait() }
}

func readMeanwhile(b *testing.B, p *session.PolicyDir, stop func()) {
	b.Helper()
	var longest time.Duration
	late := 0
	for b.Loop() {
		begin := time.Now()
		p.Rules().Access("user9499", nil)
		took := time.Since(begin)
		longest = max(longest, took)
		if took > 5*time.Millisecond {
			late++
		}
	}
	stop()
	b.ReportMetric(float64(longest.Microseconds()), "longest-µs")
	b.ReportMetric(float64(late), "over-5ms")
}
