package crashtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/internal/crashtest"
)

func shell(t *testing.T, dir, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", script)
	cmd.Dir = dir
	return cmd
}

func TestARecordingIsWhatTheProgramsDid(t *testing.T) {
	dir := t.TempDir()
	rec := crashtest.Record(t, dir)
	first := shell(t, dir, `mkdir "$PWD/f"; printf one > "$PWD/f/a"; printf two >> "$PWD/f/a"; chmod 600 "$PWD/f/a"`)
	rec.Run(first)
	require.NoError(t, first.Run())
	mark := rec.Mark()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), []byte("x"), 0o600))
	second := shell(t, dir, `mv "$PWD/f/a" "$PWD/f/b"; rm "$PWD/other"`)
	rec.Run(second)
	require.NoError(t, second.Run())

	var last crashtest.Moment
	before, after := 0, 0
	for m := range rec.Moments() { // compares the end with the folder
		if m.Run == 0 {
			before++
			assert.True(t, m.Mark.Before(mark) || m.Mark == mark)
		} else {
			after++
			assert.True(t, mark.Before(m.Mark))
		}
		last = m
	}
	assert.GreaterOrEqual(t, before, 5)
	assert.Equal(t, 2, after)
	assert.Equal(t, "onetwo", string(last.Disk.Killed()["f/b"].Data))
	assert.True(t, last.Full)
}

func TestAKilledProgramLeavesWhatTheNextOneCanLose(t *testing.T) {
	dir := t.TempDir()
	rec := crashtest.Record(t, dir)
	first := shell(t, dir, `set -e; printf one > "$PWD/a"; mv "$PWD/a" "$PWD/b"`)
	rec.Run(first, crashtest.Kill("renameat2", 1)...)
	require.Error(t, first.Run())
	second := shell(t, dir, `printf two > "$PWD/d"`)
	rec.Continue(second)
	require.NoError(t, second.Run())

	var left []crashtest.Tree
	var last crashtest.Tree
	for m := range rec.Moments() {
		assert.NotContains(t, m.Disk.Killed(), "b", "it was killed before that")
		last = m.Disk.Killed()
		for s := range m.Disk.States(true) {
			left = append(left, s.Tree)
		}
	}
	assert.Contains(t, left, crashtest.Tree{})
	assert.Equal(t, "one", string(last["a"].Data))
}

func TestASignalGoesToTheProgram(t *testing.T) {
	dir := t.TempDir()
	rec := crashtest.Record(t, dir)
	cmd := shell(t, dir, `trap ': > "$PWD/trapped"; exit' TERM; : > "$PWD/ready"; while :; do sleep 0.01; done`)
	rec.Run(cmd)
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(dir, "ready"))
		return err == nil
	}, 20*time.Second, 5*time.Millisecond)
	rec.Signal(syscall.SIGTERM)
	require.NoError(t, cmd.Wait())
	assert.FileExists(t, filepath.Join(dir, "trapped"))
}
