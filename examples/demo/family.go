package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A program is one process to run.
type program struct {
	name string // of its log file
	path string
	args []string
}

// A family is the processes that were started. They end together.
type family struct {
	dir    string // of the log files
	failed chan error
	ended  sync.WaitGroup
	all    []*exec.Cmd
}

func (f *family) start(p program) error {
	if f.failed == nil {
		f.failed = make(chan error, 8) // more than there are programs
	}
	logPath := filepath.Join(f.dir, p.name+".log")
	log, err := os.OpenFile(logPath, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	cmd := exec.Command(p.path, p.args...) //nolint:noctx,gosec // ours, and ended in good order by stop
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = ownGroup() // Ctrl-C in the terminal reaches this program alone, which ends the others
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start %s: run \"make build\" first: %w", p.name, err), log.Close())
	}
	f.all = append(f.all, cmd)
	f.ended.Go(func() {
		err := cmd.Wait()
		_ = log.Close()
		f.failed <- fmt.Errorf("%s has ended (%v); the end of %s says:\n%s", p.name, exitOf(err), logPath, tail(logPath))
	})
	return nil
}

func exitOf(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

func tail(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		return []byte(err.Error())
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-5):], []byte("\n"))
}

// stop ends the processes in the reverse order of their start and waits for them.
func (f *family) stop() error {
	for _, cmd := range slices.Backward(f.all) {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	}
	done := make(chan struct{})
	go func() { f.ended.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-time.After(30 * time.Second):
	}
	for _, cmd := range f.all {
		_ = cmd.Process.Kill()
	}
	<-done
	return errors.New("a program did not end within 30 s and was killed")
}
