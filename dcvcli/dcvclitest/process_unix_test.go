//go:build unix

package dcvclitest_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// program returns the path of this test binary under another name, and the
// directory of its state.
func program(t testing.TB, name string) (path, state string) {
	t.Helper()
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else the race detector holds every process for a second
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	path = filepath.Join(dir, name)
	require.NoError(t, os.Symlink(self, path))
	return path, filepath.Join(dir, "state")
}

func TestTheFakeIsARealProcessToo(t *testing.T) {
	path, state := program(t, "dcv")
	cli, err := dcvcli.New(dcvcli.Config{Path: path, Platform: "linux"})
	require.NoError(t, err)
	ctx := t.Context()
	require.NoError(t, cli.Create(ctx, dcvcli.CreateOptions{ID: "a", Type: dcvcli.Virtual, Owner: "alice"}))
	require.ErrorIs(t, cli.Create(ctx, dcvcli.CreateOptions{ID: "a", Type: dcvcli.Virtual}), dcvcli.ErrExists)

	set(t, newDCV(t, dcvclitest.Config{Dir: state}), dcvclitest.Faults{Warning: "a warning"})
	session, err := cli.Describe(ctx, "a")
	require.NoError(t, err)
	assert.Equal(t, "alice", session.Owner)

	err = cli.Create(ctx, dcvcli.CreateOptions{ID: "b", Type: dcvcli.Console})
	var failure *dcvcli.CommandError
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, 1, failure.ExitCode)
	require.NoError(t, cli.Close(ctx, "a"))
}

func TestManyProcessesLoseNothing(t *testing.T) {
	path, state := program(t, "dcv")
	const processes = 20
	var all sync.WaitGroup
	for i := range processes {
		all.Go(func() {
			out, err := exec.CommandContext(t.Context(), path, "create-session", fmt.Sprint("s", i)).CombinedOutput()
			assert.NoError(t, err, string(out))
		})
	}
	all.Wait()
	got, err := newDCV(t, dcvclitest.Config{Dir: state}).State()
	require.NoError(t, err)
	assert.Len(t, got.Sessions, processes)
	assert.Equal(t, processes, got.Displays)
}

func TestAKilledWriterLeavesAWholeState(t *testing.T) {
	path, state := program(t, "writer")
	dcv := newDCV(t, dcvclitest.Config{Dir: state})
	for range 15 {
		var stderr bytes.Buffer
		writer := exec.CommandContext(t.Context(), path)
		writer.Stderr = &stderr
		require.NoError(t, writer.Start())
		generation := func() int {
			got, err := dcv.State()
			require.NoError(t, err)
			return got.Displays
		}
		before := generation()
		require.Eventually(t, func() bool { return generation() > before }, 20*time.Second, time.Millisecond, &stderr)
		time.Sleep(rand.N(5 * time.Millisecond)) // kill it anywhere
		require.NoError(t, writer.Process.Kill())
		require.Error(t, writer.Wait())

		got, err := dcv.State()
		require.NoError(t, err)
		assert.Len(t, got.Sessions, 200)
		for _, session := range got.Sessions {
			assert.True(t, strings.HasPrefix(session.ID, fmt.Sprint("s", got.Displays-1, "-")), session.ID)
		}
	}
}

func TestADamagedStateIsSaidSo(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "state.json"), []byte("{"), 0o600))
	_, err := newDCV(t, dcvclitest.Config{Dir: dir}).Run(t.Context(), "list-sessions")
	require.ErrorContains(t, err, "state.json is damaged, remove it")
}

func TestAProfileIsKeptInTheDirectory(t *testing.T) {
	dir := t.TempDir()
	newDCV(t, dcvclitest.Config{Dir: dir, Profile: dcvclitest.Windows2025})
	var stdout, stderr bytes.Buffer
	assert.Equal(t, 1, dcvclitest.Main(dir, []string{"create-session", "--type=console", "a"}, &stdout, &stderr))
	assert.Equal(t, 0, dcvclitest.Main(dir, []string{"create-session", "a"}, &stdout, &stderr))
	state, err := newDCV(t, dcvclitest.Config{Dir: dir}).State()
	require.NoError(t, err)
	assert.Equal(t, "Administrator", state.Sessions[0].Owner)
}

// TestEveryFaultShowsInARealProcessToo is slower than the test in process: its
// durations are real, so they are short.
func TestEveryFaultShowsInARealProcessToo(t *testing.T) {
	for _, fault := range dcvclitest.AllFaults() {
		show := faultShows()[fault.Name]
		t.Run(fault.Name, func(t *testing.T) {
			path, state := program(t, "dcv")
			h := faulty{dcv: newDCV(t, dcvclitest.Config{Dir: state}), runner: &dcvcli.Command{Path: path}}
			h.must(t, "create-session old")
			fault.Apply(&h.faults)
			for _, d := range []*time.Duration{&h.faults.Slow, &h.faults.VanishAfter, &h.faults.Lag} {
				*d = min(*d, 3*time.Second/2)
			}
			set(t, h.dcv, h.faults)
			show(t, h)
		})
	}
}
