package directorcmd_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/internal/crashtest"
	"github.com/dcvix/dcvix/directorapi/standalone"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/auditfile"
)

func TestADirectorThatWasKilledComesUpAndGoesOn(t *testing.T) {
	// Each is made beside every write of a file, and by no request that only reads.
	calls := []string{"openat", "fsync", "pwrite64", "renameat"}
	if crashtest.Long() {
		calls = append(calls, "unlinkat", "unlink", "ftruncate")
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

// dieAndRise lets a director live that strace will kill, and starts it again. It
// returns false when it was not killed.
func (s *site) dieAndRise(kill []string) bool {
	s.env = append(s.env, "GOMAXPROCS=1") // strace counts the calls of each thread
	life := s.life()
	ended := make(chan error, 1)
	step := 0
	if s.starts(kill, ended) {
		for ; step < len(life); step++ {
			err := life[step].do()
			if status := new(statusError); err != nil {
				require.False(s.t, errors.As(err, &status), "%s: %v", life[step].act, err)
				break
			}
			s.done(life[step].act)
		}
	}
	if step == len(life) {
		s.rec.Signal(syscall.SIGTERM)
		step-- // it may be killed while it ends
	}
	select {
	case err := <-ended:
		if err == nil {
			return false
		}
		require.EqualError(s.t, err, "signal: killed", s.run.said())
	case <-time.After(20 * time.Second):
		s.t.Fatal("the director neither answers nor ends")
	}
	s.t.Logf("killed when %q was the last act answered", s.said(len(s.history)))
	s.rise(life[step])
	return true
}

// starts starts a director that may be killed, and says whether it came up.
// Ended gets its end.
func (s *site) starts(kill []string, ended chan<- error) bool {
	cmd := s.program(s.rec.Run, kill...)
	s.run = &running{t: s.t, cmd: cmd}
	cmd.Stdout, cmd.Stderr = s.run, s.run
	require.NoError(s.t, cmd.Start())
	died := make(chan struct{})
	go func() {
		ended <- cmd.Wait()
		close(died)
	}()
	for {
		if _, line, ok := strings.Cut(s.run.said(), `msg="director started" address=`); ok && strings.Contains(line, "\n") {
			s.address, _, _ = strings.Cut(line, " ")
			_, fingerprint, _ := strings.Cut(line, "ca_fingerprint=")
			s.now.ca, _, _ = strings.Cut(fingerprint, "\n")
			s.done(started)
			return true
		}
		select {
		case <-died:
			return false
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// rise starts the director again and looks for all that was answered. What was not
// is done once more; then the power may be cut.
func (s *site) rise(last step) {
	t := s.t
	before := s.now
	s.start(s.rec.Continue)
	if before.ca != "" { // it came up
		assert.Equal(t, before.ca, s.now.ca)
	}
	_, err := auditfile.Verify(s.file(standalone.AuditFile))
	require.NoError(t, err)
	audit := s.audit()
	require.GreaterOrEqual(t, len(audit), len(before.audit))
	assert.True(t, slices.Equal(before.audit, audit[:len(before.audit)]), "what was on record is still")
	for _, cookie := range before.logins {
		if _, err := s.call(http.MethodGet, dcvix.PathUserServers, request{cookie: cookie}); last.record != session.AuditLogout {
			require.NoError(t, err)
		}
	}
	var found []entry
	if s.admin != "" {
		found = s.list()
		s.reports(found)
	}
	s.redone = true
	err = last.do()
	if status := new(statusError); errors.As(err, &status) { // it was done, though not answered
		require.Contains(t, []int{http.StatusNotFound, http.StatusConflict, http.StatusUnauthorized}, status.status, "%s: %v", last.act, err)
	} else {
		require.NoError(t, err)
	}
	s.done(last.act)
	if before.agents != nil && !slices.Equal(unsigned(found), unsigned(before.agents)) {
		assert.Equal(t, unsigned(s.now.agents), unsigned(found), "what was not answered is done or not")
	}
	s.stop(syscall.SIGTERM)
	if before.ca != "" || crashtest.Long() { // else there was nothing to lose
		s.crash(crashtest.Scratch(t), 1)
	}
}

// unsigned returns the entries without the certificates' numbers, which change
// with every one.
func unsigned(agents []entry) []entry {
	agents = slices.Clone(agents)
	for i := range agents {
		agents[i].Serial = ""
	}
	return agents
}

// reports lets every agent report that has a certificate and is registered.
func (s *site) reports(agents []entry) {
	for _, a := range agents {
		h := s.hosts[a.ID]
		if h == nil || a.State != dcvix.AgentRegistered {
			continue
		}
		_, err := s.call(http.MethodPost, dcvix.PathAgentUpdate, request{cert: h.cert, body: dcvix.AgentUpdate{
			Stats: dcvix.Stats{Hostname: h.name}, Sessions: []dcvix.Session{}, Tags: []string{},
		}})
		assert.NoError(s.t, err, h.name)
	}
}
