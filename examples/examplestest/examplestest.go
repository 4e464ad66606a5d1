// Package examplestest runs the programs of this folder as processes inside
// their tests.
package examplestest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"testing"
	"time"
)

// asProgram is set for a test binary that is to be the program itself.
const asProgram = "DCVIX_EXAMPLE_PROCESS"

// patience is how long a program may take for what a test waits for.
const patience = 20 * time.Second

// Main is what a TestMain calls: it runs the tests, or the program when
// [Start] started this binary. A program built aside would hide changes from the
// cache of test results.
func Main(m *testing.M, program func()) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	program()
}

// A Process is the program under test.
type Process struct {
	t   testing.TB
	cmd *exec.Cmd

	mu  sync.Mutex
	out bytes.Buffer
}

// Write implements [io.Writer] for what the program prints.
func (p *Process) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(data)
}

// Output returns what the program has printed, on either of its outputs.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// Start starts the program in a working directory of its own with more variables
// in its environment. It runs until [Process.Stop], at the latest until the test
// ends.
func Start(t testing.TB, environ []string, args ...string) *Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(context.WithoutCancel(t.Context()))
	p := &Process{t: t, cmd: exec.CommandContext(ctx, self, args...)} //nolint:gosec // this very binary
	p.cmd.Dir = t.TempDir()
	// With the race detector a process would wait a second at its end.
	p.cmd.Env = append(append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE")), environ...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		kill()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		kill()
		_ = p.cmd.Wait() // it was killed, or has ended long ago
		if t.Failed() {
			t.Logf("the program said:\n%s", p.Output())
		}
	})
	return p
}

// Await waits until the program has printed what the pattern matches and returns
// the match and its groups; it fails the test after 20 s.
func (p *Process) Await(pattern string) []string {
	p.t.Helper()
	want := regexp.MustCompile(pattern)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if found := want.FindStringSubmatch(p.Output()); found != nil {
			return found
		}
	}
	p.t.Fatalf("the program did not print %q within %s", pattern, patience)
	return nil
}

// Wait waits for the end of the program and returns its exit code.
func (p *Process) Wait() int {
	p.t.Helper()
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	err := p.cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// Stop interrupts the program as Ctrl-C does. The test fails unless it then ends
// with exit code 0.
func (p *Process) Stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	if code := p.Wait(); code != 0 {
		p.t.Fatalf("interrupted, the program ended with %d", code)
	}
}
