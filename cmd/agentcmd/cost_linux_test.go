package agentcmd_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkAnAgentOnItsHost is what the program costs the people who work on the
// host: resident memory, and CPU in percent of one core.
//
// The default interval of 30 s would take long to measure. So it counts the CPU
// time i of a second without reports and the time r of a second with one report,
// and what it gives is i + (r - i)/30: an idle second each second, and what one
// report takes beyond that every 30. The dcv command, which is not ours, is a
// figure of its own.
func BenchmarkAnAgentOnItsHost(b *testing.B) {
	const stretch = 3 * time.Second
	bin := b.TempDir()
	for name, pkg := range map[string]string{"dcvix-agent": "github.com/dcvix/dcvix/cmd/dcvix-agent", "dcv": "github.com/dcvix/dcvix/examples/fakehost"} {
		build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(bin, name), pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := build.CombinedOutput()
		require.NoError(b, err, "%s", out)
	}
	d := newDirector(b)
	var idle, busy, dcv time.Duration // of CPU
	var resident, anonymous, reports int
	for b.Loop() {
		quiet := startCosted(b, bin, d, "0")
		idle += quiet.over(stretch)
		quiet.end()

		before := d.reports()
		agent := startCosted(b, bin, d, "1s")
		from := d.reports()
		busy += agent.over(stretch)
		reports += d.reports() - from
		resident, anonymous = agent.kilobytes("VmRSS"), agent.kilobytes("RssAnon")
		dcv += agent.end() / time.Duration(max(1, d.reports()-before))
	}
	seconds := stretch.Seconds() * float64(b.N)
	perSecond := idle.Seconds() / seconds
	perReport := (busy - idle).Seconds() / float64(max(1, reports))
	b.ReportMetric(float64(resident)/1024, "MB-resident")
	b.ReportMetric(float64(anonymous)/1024, "MB-anonymous")
	b.ReportMetric(100*perSecond, "%core-idle")
	b.ReportMetric(1000*perReport, "ms-CPU/report")
	b.ReportMetric(100*(perSecond+perReport/30), "%core")
	b.ReportMetric(1000*dcv.Seconds()/float64(b.N), "ms-CPU-of-dcv/report")
	b.ReportMetric(0, "ns/op")
}

// reports is how many the director has.
func (d *director) reports() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.updates)
}

// A costed is an agent that is measured.
type costed struct {
	b   *testing.B
	cmd *exec.Cmd
}

// startCosted starts the program and waits until its start is over.
func startCosted(b *testing.B, bin string, d *director, interval string) *costed {
	b.Helper()
	dir := b.TempDir()
	path := filepath.Join(dir, "dcvix-agent.conf")
	text := fmt.Sprintf("[agent]\n%s\ndata_dir = state\nbind_address = 127.0.0.1\nagent_port = %d\nhostname = ws1\ndcv_path = %s\nupdate_interval = %s\n",
		d.lines(), freePort(b), filepath.Join(bin, "dcv"), interval)
	require.NoError(b, os.WriteFile(path, []byte(text), 0o600))
	log := &buffer{}
	cmd := exec.CommandContext(context.WithoutCancel(b.Context()), filepath.Join(bin, "dcvix-agent"), "--conf", path)
	cmd.Stderr = log
	require.NoError(b, cmd.Start())
	c := &costed{b: b, cmd: cmd}
	for end := time.Now().Add(20 * time.Second); !strings.Contains(log.String(), "listening for the director"); time.Sleep(10 * time.Millisecond) {
		require.True(b, time.Now().Before(end), "%s", log)
	}
	time.Sleep(500 * time.Millisecond) // it looks at its host for the first time
	return c
}

// over is the CPU time that the agent takes in that stretch, without its children.
func (c *costed) over(stretch time.Duration) time.Duration {
	c.b.Helper()
	before := c.cpu()
	time.Sleep(stretch)
	return c.cpu() - before
}

// cpu is the time its threads had, in nanoseconds (proc(5) counts ticks of 10 ms,
// the scheduler's own figures are exact).
func (c *costed) cpu() time.Duration {
	c.b.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", c.cmd.Process.Pid))
	require.NoError(c.b, err)
	require.NotEmpty(c.b, threads)
	var sum time.Duration
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		require.NoError(c.b, err)
		ran, err := strconv.ParseInt(string(bytes.Fields(text)[0]), 10, 64)
		require.NoError(c.b, err)
		sum += time.Duration(ran)
	}
	return sum
}

// kilobytes is a figure of /proc/PID/status.
func (c *costed) kilobytes(name string) int {
	c.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	require.NoError(c.b, err)
	_, rest, found := strings.Cut(string(text), name+":")
	require.True(c.b, found)
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(c.b, err)
	return n
}

// end stops the agent and returns the CPU time of what it started: dcv.
func (c *costed) end() time.Duration {
	c.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	require.NoError(c.b, err)
	_, rest, _ := strings.Cut(string(text), ") ") // from the third field on
	fields := strings.Fields(rest)
	user, err := strconv.Atoi(fields[13])
	require.NoError(c.b, err)
	system, err := strconv.Atoi(fields[14])
	require.NoError(c.b, err)
	require.NoError(c.b, c.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(c.b, c.cmd.Wait())
	return time.Duration(user+system) * 10 * time.Millisecond
}
