package dcvcli_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"

	"github.com/dcvix/dcvix/dcvcli"
)

// The test program plays dcv: a wrapper that starts a sleeper, notes its process
// id in the file of this variable, and waits for it.
const wrapperVariable = "DCVIX_TEST_WRAPPER"

func TestMain(m *testing.M) {
	switch file := os.Getenv(wrapperVariable); file {
	case "":
		os.Exit(m.Run())
	case "sleep":
		time.Sleep(time.Minute)
	default:
		os.Exit(wrap(file))
	}
}

func wrap(file string) int {
	sleeper := exec.Command(os.Args[0])
	sleeper.Env = append(os.Environ(), wrapperVariable+"=sleep")
	if sleeper.Start() != nil {
		return 1
	}
	note := file + ".new"
	if os.WriteFile(note, []byte(strconv.Itoa(sleeper.Process.Pid)), 0o600) != nil || os.Rename(note, file) != nil {
		return 1
	}
	if sleeper.Wait() != nil {
		return 1
	}
	return 0
}

func TestCommandKillsWhatAWrapperStarted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	t.Setenv(wrapperVariable, file)
	var sleeper windows.Handle
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		assert.Eventually(t, func() bool {
			text, err := os.ReadFile(file)
			if err != nil {
				return false
			}
			pid, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
			if err != nil {
				return false
			}
			sleeper, err = windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(pid))
			return err == nil
		}, 30*time.Second, 10*time.Millisecond)
	}()
	start := time.Now()
	_, err := (&dcvcli.Command{Path: os.Args[0]}).Run(ctx, "list-sessions")
	require.ErrorIs(t, err, context.Canceled)
	assert.Less(t, time.Since(start), 40*time.Second)
	defer func() { assert.NoError(t, windows.CloseHandle(sleeper)) }()
	event, err := windows.WaitForSingleObject(sleeper, 10_000)
	require.NoError(t, err)
	assert.Equal(t, uint32(windows.WAIT_OBJECT_0), event)
}
