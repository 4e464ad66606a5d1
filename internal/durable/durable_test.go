package durable_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/internal/durable"
	"github.com/dcvix/dcvix/internal/private"
)

// rewriteEnv makes the test binary a child that rewrites one file for ever.
const rewriteEnv = "DCVIX_TEST_REWRITE"

func TestMain(m *testing.M) {
	if path := os.Getenv(rewriteEnv); path != "" { //nolint:forbidigo // how the test speaks with its child
		rewriteForEver(path)
	}
	os.Exit(m.Run()) //nolint:forbidigo // TestMain has to
}

// content is whole when it is n copies of one letter.
func content(i int) []byte { return bytes.Repeat([]byte{'a' + byte(i%26)}, 64<<10+i%1000) }

func rewriteForEver(path string) {
	for i := 0; ; i++ {
		if err := durable.WriteFile(path, content(i), 0o600); err != nil {
			panic(err)
		}
	}
}

// alone sees that nobody but its owner can read or write a file.
func alone(t testing.TB, path string) {
	t.Helper()
	remedy, err := private.Remedy(path)
	require.NoError(t, err)
	assert.Empty(t, remedy, path)
}

// snapshot returns what is in the files of a folder.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	files := make(map[string]string)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		files[e.Name()] = string(data)
	}
	return files
}

func TestAFileIsWholeWhenItsWriterIsKilled(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "server.key")
	require.NoError(t, durable.WriteFile(path, content(0), 0o600))
	for range 12 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond+rand.N(40*time.Millisecond))
		child := exec.CommandContext(ctx, os.Args[0])
		child.Env = append(os.Environ(), rewriteEnv+"="+path)
		output, err := child.CombinedOutput() // ends with the kill
		cancel()
		require.Error(t, err)
		require.Empty(t, string(output))

		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotEmpty(t, got)
		require.Equal(t, bytes.Repeat(got[:1], len(got)), got, "old or new, and nothing of both")
		require.GreaterOrEqual(t, len(got), 64<<10)
		alone(t, path)
	}
	require.NoError(t, durable.WriteFile(path, []byte("after"), 0o600), "what a killed writer left is no obstacle")
	assert.Len(t, snapshot(t, dir), 1, "and is gone")
}

func TestReadersSeeTheOldFileOrTheNewOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.crt")
	require.NoError(t, durable.WriteFile(path, content(0), 0o644))
	done := make(chan error)
	go func() {
		var err error
		for i := range 200 {
			err = errors.Join(err, durable.WriteFile(path, content(i), 0o644))
		}
		done <- err
	}()
	for {
		select {
		case err := <-done:
			require.NoError(t, err)
			return
		default:
		}
		got, err := os.ReadFile(path)
		if runtime.GOOS == "windows" && err != nil { // it is just being replaced
			continue
		}
		require.NoError(t, err)
		require.Equal(t, bytes.Repeat(got[:1], len(got)), got)
	}
}

func TestAFileHasItsPermissionsFromTheFirstInstant(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "durable.key")
	stop, seen := make(chan struct{}), make(chan map[string]bool)
	go func() {
		bad := make(map[string]bool)
		for {
			select {
			case <-stop:
				seen <- bad
				return
			default:
			}
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				if remedy, err := private.Remedy(filepath.Join(dir, e.Name())); err == nil && remedy != "" {
					bad[remedy] = true
				}
			}
		}
	}()
	for i := range 200 {
		require.NoError(t, durable.WriteFile(path, content(i), 0o600))
	}
	close(stop)
	assert.Empty(t, <-seen, "also under its temporary name")
}

func TestAProgramOfItsOwnerAloneCanBeRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	path := filepath.Join(t.TempDir(), "login.sh")
	require.NoError(t, durable.WriteFile(path, []byte("#!/bin/sh\n"), 0o700))
	require.NoError(t, exec.CommandContext(t.Context(), path).Run())
	alone(t, path)
}

func TestAnOlderFileWithMorePermissionsGetsFewer(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "agent.key"), []byte("old"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".agent.key.tmp"), []byte("left by a killed writer"), 0o644))
	require.NoError(t, durable.WriteFile(filepath.Join(dir, "agent.key"), []byte("new"), 0o600))
	alone(t, filepath.Join(dir, "agent.key"))
	assert.Equal(t, map[string]string{"agent.key": "new"}, snapshot(t, dir))
}

func TestAFullDiskLeavesTheOldFile(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "ca.pem")
	require.NoError(t, durable.WriteFile(path, []byte("old"), 0o644))

	err := durable.WriteFile(path, make([]byte, 1<<20), 0o644)

	require.ErrorContains(t, err, path)
	assert.Equal(t, map[string]string{"ca.pem": "old"}, snapshot(t, dir), "and nothing else is left on the disk")
}

func TestWriteFileSaysWhichFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "absent", "ca.pem")
	assert.ErrorContains(t, durable.WriteFile(path, nil, 0o600), path)
}

func TestAFolderIsMadeWithThoseAboveIt(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b")
	for range 2 { // the second time it is there
		require.NoError(t, durable.MakeFolder(dir))
	}
	info, err := os.Stat(dir)
	require.NoError(t, err)
	assert.True(t, info.IsDir())
	if runtime.GOOS != "windows" {
		assert.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	}
	t.Chdir(top)
	require.NoError(t, durable.MakeFolder("c"), "a relative one")
	require.NoError(t, os.WriteFile("file", nil, 0o600))
	assert.Error(t, durable.MakeFolder(filepath.Join("file", "d")))
}

func TestAFileIsRemovedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	for range 2 { // the second time it is gone
		require.NoError(t, durable.RemoveFile(path))
		assert.NoFileExists(t, path)
	}
	require.NoError(t, os.MkdirAll(filepath.Join(path, "full"), 0o700))
	assert.ErrorContains(t, durable.RemoveFile(path), path)
}
