package session_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

func candidate(host dcvix.Hostname, cpu float64, sessions int) *session.Candidate {
	return &session.Candidate{Host: host, Stats: dcvix.Stats{CPUUsage: cpu, Cores: 4}, Sessions: sessions}
}

func TestStrategies(t *testing.T) {
	tests := map[string]struct {
		strategy   string
		placement  session.Placement
		candidates []*session.Candidate
		want       dcvix.Hostname
	}{
		"least-loaded takes the smallest load":     {"least-loaded", session.Placement{}, []*session.Candidate{candidate("a", 30, 0), candidate("b", 10, 5), candidate("c", 20, 0)}, "b"},
		"it is the default":                        {"", session.Placement{}, []*session.Candidate{candidate("a", 30, 0), candidate("b", 10, 5)}, "b"},
		"among equals the one with fewer sessions": {"least-loaded", session.Placement{}, []*session.Candidate{candidate("a", 10, 2), candidate("b", 10, 1), candidate("c", 10, 1)}, "b"},
		"spread takes the fewest sessions":         {"spread", session.Placement{}, []*session.Candidate{candidate("a", 0, 2), candidate("b", 90, 1), candidate("c", 20, 1)}, "c"},
		"pack fills the fullest":                   {"pack", session.Placement{}, []*session.Candidate{candidate("a", 10, 2), candidate("b", 70, 3), candidate("c", 0, 0)}, "b"},
		"but none that has no room":                {"pack", session.Placement{}, []*session.Candidate{candidate("a", 10, 2), candidate("b", 80, 3)}, "a"},
		"of full ones it takes the least":          {"pack", session.Placement{}, []*session.Candidate{candidate("a", 99, 2), candidate("b", 85, 1)}, "b"},
		"round-robin begins with the first name":   {"round-robin", session.Placement{}, []*session.Candidate{candidate("b", 0, 0), candidate("a", 0, 0)}, "a"},
		"it goes on after the last":                {"round-robin", session.Placement{Last: "b"}, []*session.Candidate{candidate("d", 0, 0), candidate("a", 0, 0), candidate("c", 0, 0)}, "c"},
		"it begins anew":                           {"round-robin", session.Placement{Last: "d"}, []*session.Candidate{candidate("d", 0, 0), candidate("a", 0, 0)}, "a"},
		"random takes the first":                   {"random", session.Placement{}, []*session.Candidate{candidate("a", 0, 0), candidate("b", 0, 0)}, "a"},
		"or the last":                              {"random", session.Placement{Draw: 0.999999}, []*session.Candidate{candidate("a", 0, 0), candidate("b", 0, 0)}, "b"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := session.NewPlacer(tt.strategy)
			require.NoError(t, err)
			assert.Equal(t, tt.want, tt.candidates[p.Place(tt.placement, tt.candidates)].Host)
		})
	}
	_, err := session.NewPlacer("best")
	require.ErrorIs(t, err, session.ErrInvalid)
	for _, s := range session.Strategies() {
		_, err := session.NewPlacer(s)
		require.NoError(t, err)
	}
}

func TestTheLoadIsOfWhatAHostHasLeastOf(t *testing.T) {
	tests := map[string]struct {
		c    session.Candidate
		want float64
	}{
		"nothing is known":                      {session.Candidate{}, 0},
		"processors":                            {session.Candidate{Stats: dcvix.Stats{CPUUsage: 40, Cores: 4, Load1: 1}}, 0.4},
		"a queue for them":                      {session.Candidate{Stats: dcvix.Stats{CPUUsage: 40, Cores: 4, Load1: 8}}, 2},
		"memory":                                {session.Candidate{Stats: dcvix.Stats{CPUUsage: 40, FreeMemory: 1, TotalMemory: 4}}, 0.75},
		"memory that cannot be":                 {session.Candidate{Stats: dcvix.Stats{CPUUsage: 40, FreeMemory: 5, TotalMemory: 4}}, 0.4},
		"the least busy graphics card":          {session.Candidate{GPUs: []dcvix.GPU{{Usage: 90}, {Usage: 50}}}, 0.5},
		"sessions that its figures do not show": {session.Candidate{Stats: dcvix.Stats{CPUUsage: 40}, Recent: 2}, 0.6},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { assert.InDelta(t, tt.want, tt.c.Load(), 1e-9) })
	}
}

// Whatever a Placer is asked, it names one of the candidates.
func FuzzStrategies(f *testing.F) {
	f.Add("pack", "ws1", 0.5, []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, strategy, last string, draw float64, hosts []byte) {
		p, err := session.NewPlacer(strategy)
		if err != nil || len(hosts) == 0 || draw < 0 || draw >= 1 {
			t.Skip()
		}
		candidates := make([]*session.Candidate, len(hosts))
		for i, h := range hosts {
			candidates[i] = candidate(dcvix.Hostname(fmt.Sprintf("h%d", h%16)), float64(h)-100, int(h%7))
		}
		i := p.Place(session.Placement{Last: dcvix.Hostname(last), Draw: draw}, candidates)
		if i < 0 || i >= len(candidates) {
			t.Errorf("%s of %d candidates: %d", strategy, len(candidates), i)
		}
	})
}
