package agentcmd_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/internal/crashtest"
)

func TestNoCrashOfTheAgentLosesItsIdentity(t *testing.T) {
	s := newSite(t)
	s.live()
	s.crash(crashtest.Scratch(t))
}

// crash goes along the recording and looks at every state a crash may leave.
func (s *site) crash(dir string) {
	s.t.Helper()
	checked := make(map[string]bool)
	states, moments := 0, 0
	for m := range s.rec.Moments() {
		moments++
		now, at := s.at(m)
		for state := range m.Disk.States(m.Full || crashtest.Long()) {
			states++
			key := fmt.Sprintf("%x %d", state.Tree.Hash(), at)
			if checked[key] {
				continue
			}
			checked[key] = true
			there := filepath.Join(dir, strconv.Itoa(len(checked)))
			require.NoError(s.t, state.Tree.WriteTo(there))
			if err := s.check(s.t.Context(), there, now); err != nil {
				s.t.Errorf("a crash after %s, when %s; %s: %v", m.Op, now.what, cmp.Or(state.How, "a kill"), err)
			}
			require.NoError(s.t, os.RemoveAll(there))
		}
		if s.t.Failed() {
			s.t.FailNow()
		}
	}
	s.t.Logf("%d operations, %d states of which %d differ", moments, states, len(checked))
}

// at returns the age in which a crash at that moment comes at the latest.
func (s *site) at(m crashtest.Moment) (now age, number int) {
	now = age{ca: s.first, what: "it was not started"}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, a := range s.ages {
		if a.from.Before(m.Next) {
			now, number = a, i
		}
	}
	return now, number
}
