package agentcmd_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/internal/crashtest"
)

func TestAnAgentThatWasKilledComesUpAsTheSame(t *testing.T) {
	calls := []string{"write", "fsync", "renameat"}
	if crashtest.Long() {
		calls = append(calls, "openat", "unlinkat")
	}
	for _, call := range calls {
		t.Run(call, func(t *testing.T) {
			killed := 0
			for n := range crashtest.Turns() {
				survived := true
				t.Run(fmt.Sprintf("number %d", n), func(t *testing.T) { survived = !newSite(t).dieAndRise(crashtest.Kill(call, n)) })
				if survived || t.Failed() {
					break
				}
				killed++
			}
			assert.Positive(t, killed)
		})
	}
}

// dieAndRise lets an agent live that strace will kill, and starts it again. It
// returns false when it was not killed.
func (s *site) dieAndRise(kill []string) bool {
	s.director.approved = true
	cmd := s.program(s.rec.Run, kill...)
	cmd.Env = append(cmd.Env, "GOMAXPROCS=1") // strace counts the calls of each thread
	log := &buffer{}
	cmd.Stdout, cmd.Stderr = log, log
	s.age("it was started", func(a *age) { a.approved = true })
	require.NoError(s.t, cmd.Start())
	ended := make(chan string, 1)
	go func() {
		_ = cmd.Wait() // the state says it all
		ended <- cmd.ProcessState.String()
	}()
	var end string
	select {
	case end = <-ended:
	case <-renewed(s.t, log):
		s.rec.Signal(syscall.SIGTERM)
		end = <-ended
	}
	if end == "exit status 0" {
		return false
	}
	require.Equal(s.t, "signal: killed", end, log)
	s.t.Logf("killed when %s", s.last().what)

	cmd = s.program(s.rec.Continue)
	start(s.t, cmd, "certificate renewed")
	s.enrolled()
	s.stop(cmd, syscall.SIGTERM)
	s.director.mu.Lock()
	assert.Len(s.t, s.director.pinned, 1, "it asks under one GUID, with one key")
	s.director.mu.Unlock()
	s.crash(crashtest.Scratch(s.t))
	return true
}

// renewed is closed when the agent has renewed its certificate.
func renewed(t *testing.T, log *buffer) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		for t.Context().Err() == nil {
			if strings.Contains(log.String(), "certificate renewed") {
				close(done)
				return
			}
			time.Sleep(2 * time.Millisecond)
		}
	}()
	return done
}
