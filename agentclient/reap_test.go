package agentclient_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// oursByID is an id as directors make them.
const oursByID = "dcvix_0b5a1e64-9a4e-4d0c-8a53-6a7d3c9f2b10"

// reaping closes what was idle for an hour.
func reaping(c *agentclient.Config) { c.IdleTimeout = time.Hour }

// desktop is a virtual session of ada without clients that was created just now.
func desktop(id string) dcvclitest.Session {
	return dcvclitest.Session{ID: id, Owner: "ada", User: "ada", Type: "virtual", CreationTime: time.Now()}
}

// there returns the ids of the host's sessions.
func there(t *testing.T, h *host) []string {
	t.Helper()
	state, err := h.dcv.State()
	require.NoError(t, err)
	ids := []string{}
	for _, s := range state.Sessions {
		ids = append(ids, s.ID)
	}
	return ids
}

// connect and disconnect are what a viewer does.
func connect(t *testing.T, h *host, id string) {
	t.Helper()
	changeSession(t, h, id, func(s *dcvclitest.Session) {
		s.Connections = append(s.Connections, dcvclitest.Connection{ID: 1, User: "ada", ConnectionTime: time.Now()})
	})
}

func disconnect(t *testing.T, h *host, id string) {
	t.Helper()
	changeSession(t, h, id, func(s *dcvclitest.Session) { s.Connections, s.LastDisconnectionTime = nil, time.Now() })
}

func changeSession(t *testing.T, h *host, id string, change func(*dcvclitest.Session)) {
	t.Helper()
	require.NoError(t, h.dcv.Update(func(state *dcvclitest.State) error {
		s, ok := state.Session(id)
		require.True(t, ok, "there is no session %s", id)
		change(s)
		return nil
	}))
}

// TestWhichIdleSessionsAreClosed has sessions that are older than the agent and
// watches for three hours.
func TestWhichIdleSessionsAreClosed(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	console := func(s *dcvclitest.Session) { s.Type = "console" }
	tests := map[string]struct {
		id     string
		change func(*dcvclitest.Session)
		config func(*agentclient.Config)
		gone   time.Duration // how long after the start; 0 means never
	}{
		"never connected":                               {id: oursByID, gone: time.Hour},
		"created half an hour ago":                      {id: oursByID, change: func(s *dcvclitest.Session) { s.CreationTime = ago(30 * time.Minute) }, gone: 30 * time.Minute},
		"created two days ago":                          {id: oursByID, change: func(s *dcvclitest.Session) { s.CreationTime = ago(2 * day) }, gone: time.Minute},
		"left ten minutes ago":                          {id: oursByID, change: func(s *dcvclitest.Session) { s.CreationTime, s.LastDisconnectionTime = ago(2*day), ago(10*time.Minute) }, gone: 50 * time.Minute},
		"created in the future":                         {id: oursByID, change: func(s *dcvclitest.Session) { s.CreationTime = ago(-5 * day) }, gone: time.Hour},
		"left in the future":                            {id: oursByID, change: func(s *dcvclitest.Session) { s.CreationTime, s.LastDisconnectionTime = ago(2*day), ago(-5*day) }, gone: time.Hour},
		"no idle timeout":                               {id: oursByID, config: func(c *agentclient.Config) { c.IdleTimeout = 0 }},
		"looks turned off":                              {id: oursByID, config: func(c *agentclient.Config) { c.ReapInterval = -1 }},
		"reports turned off":                            {id: oursByID, config: func(c *agentclient.Config) { c.UpdateInterval = -1 }, gone: time.Hour},
		"foreign":                                       {id: "cad-1"},
		"foreign, and asked for":                        {id: "cad-1", config: func(c *agentclient.Config) { c.ReapForeign = true }, gone: time.Hour},
		"foreign with an id that nobody acts on":        {id: "a b", config: func(c *agentclient.Config) { c.ReapForeign = true }},
		"an id almost as directors make them":           {id: "dcvix_0b5a1e64"},
		"a console of ours":                             {id: oursByID, change: console},
		"a console of ours, and asked for":              {id: oursByID, change: console, config: func(c *agentclient.Config) { c.ReapConsole = true }, gone: time.Hour},
		"the automatic console, and consoles asked for": {id: "console", change: console, config: func(c *agentclient.Config) { c.ReapConsole = true }},
		"the automatic console, and all asked for": {
			id: "console", change: console, gone: time.Hour,
			config: func(c *agentclient.Config) { c.ReapConsole, c.ReapForeign = true, true },
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				d.approved = true
				h := newHost(t, d, reaping)
				h.cfg.UpdateInterval = 10 * time.Minute
				if tt.config != nil {
					tt.config(&h.cfg)
				}
				s := desktop(tt.id)
				if tt.change != nil {
					tt.change(&s)
				}
				putSession(t, h, s)
				began := time.Now()
				h.start()
				for time.Since(began) < 3*time.Hour && len(there(t, h)) == 1 {
					time.Sleep(10 * time.Second)
				}
				took := time.Since(began)
				time.Sleep(time.Second) // the agent sees the end of its close, and says so
				synctest.Wait()
				if tt.gone == 0 {
					assert.Len(t, there(t, h), 1)
				} else {
					assert.Empty(t, there(t, h))
					assert.GreaterOrEqual(t, took, tt.gone, "never early")
					assert.LessOrEqual(t, took, tt.gone+70*time.Second, "at the next look")
					assert.Contains(t, h.log.String(), `msg="session closed: it had no client for too long" session_id=`+tt.id+` owner=ada`)
					assert.Contains(t, h.log.String(), "idle_timeout=1h0m0s")
				}
				h.stop()
			})
		})
	}
}

// TestWhoUsesASessionKeepsIt lets somebody do something 50 minutes after the start
// and looks when the session goes: an hour after it was last used.
func TestWhoUsesASessionKeepsIt(t *testing.T) {
	t.Parallel()
	const at = 50 * time.Minute
	tests := map[string]struct {
		act  func(t *testing.T, h *host)
		gone time.Duration // 0 means never
	}{
		"nobody does anything":        {act: func(*testing.T, *host) {}, gone: time.Hour},
		"connects and stays":          {act: func(t *testing.T, h *host) { connect(t, h, oursByID) }},
		"connects and leaves, unseen": {act: func(t *testing.T, h *host) { connect(t, h, oursByID); disconnect(t, h, oursByID) }, gone: at + time.Hour},
		"connects for ten minutes": {act: func(t *testing.T, h *host) {
			connect(t, h, oursByID)
			time.Sleep(10 * time.Minute)
			disconnect(t, h, oursByID)
		}, gone: at + 70*time.Minute},
		"connects to a DCV whose clock is slow": {gone: at + 65*time.Minute, act: func(t *testing.T, h *host) {
			connect(t, h, oursByID)
			time.Sleep(5 * time.Minute)
			changeSession(t, h, oursByID, func(s *dcvclitest.Session) {
				s.Connections, s.LastDisconnectionTime = nil, time.Now().Add(-9*time.Hour)
			})
		}},
		"is given it by the director": {gone: at + time.Hour, act: func(t *testing.T, h *host) {
			got := call(t, h, http.MethodPost, dcvix.PathSessions, `{"userId":"ada","sessionType":"virtual","sessionId":"other"}`)
			assert.Equal(t, `{"sessionID":"`+oursByID+`"}`, got.body)
		}},
		"creates it anew under its id": {gone: at + time.Hour, act: func(t *testing.T, h *host) {
			changeSession(t, h, oursByID, func(s *dcvclitest.Session) { s.CreationTime = time.Now() })
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				d.approved = true
				h := newHost(t, d, reaping)
				putSession(t, h, desktop(oursByID))
				began := time.Now()
				h.start()
				time.Sleep(at)
				tt.act(t, h)
				for time.Since(began) < 5*time.Hour && len(there(t, h)) == 1 {
					time.Sleep(10 * time.Second)
				}
				if tt.gone == 0 {
					assert.Len(t, there(t, h), 1)
				} else {
					assert.InDelta(t, tt.gone.Minutes()+1, time.Since(began).Minutes(), 1.2, h.log.String())
					assert.GreaterOrEqual(t, time.Since(began), tt.gone)
				}
				h.stop()
			})
		})
	}
}

func TestAClockThatIsSetClosesNoSession(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"ahead": 30 * day, "behind": -30 * day} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d, c := newDirector(t), &clock{}
				d.approved = true
				h := newHost(t, d, func(cfg *agentclient.Config) { cfg.Now, cfg.IdleTimeout = c.now, time.Hour })
				putSession(t, h, desktop(oursByID))
				h.start()
				time.Sleep(30 * time.Minute)
				c.wrongBy(off) // as at the first synchronisation after a boot, or after a sleep
				time.Sleep(29 * time.Minute)
				assert.Len(t, there(t, h), 1)
				time.Sleep(3 * time.Minute)
				assert.Empty(t, there(t, h), "an hour is an hour")
				h.stop()
			})
		})
	}
}

func TestASessionThatTheAgentCreatedIsOursAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, reaping)
		got := call(t, h, http.MethodPost, dcvix.PathSessions, `{"userId":"ada","sessionType":"virtual","sessionId":"cad-42"}`)
		require.Equal(t, http.StatusCreated, got.status, got.body)
		h.restart()
		time.Sleep(59 * time.Minute)
		assert.Equal(t, []string{"cad-42"}, there(t, h))
		time.Sleep(3 * time.Minute)
		assert.Empty(t, there(t, h))
		time.Sleep(2 * time.Minute)
		record, err := os.ReadFile(filepath.Join(h.cfg.StateDir, agentclient.SessionsFile))
		require.NoError(t, err)
		assert.Equal(t, "[]\n", string(record), "what is gone is forgotten")
		h.stop()
	})
}

func TestAnIDThatSomebodyElseUsesAnewIsNotOurs(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, reaping)
		got := call(t, h, http.MethodPost, dcvix.PathSessions, `{"userId":"ada","sessionType":"virtual","sessionId":"cad-42"}`)
		require.Equal(t, http.StatusCreated, got.status, got.body)
		h.stop()
		time.Sleep(time.Minute)
		changeSession(t, h, "cad-42", func(s *dcvclitest.Session) { s.CreationTime = time.Now() })
		h.start()
		time.Sleep(3 * time.Hour)
		assert.Equal(t, []string{"cad-42"}, there(t, h))
		h.stop()
	})
}

// oldCLI is dcv of a server that gives lists in text alone: without clients and
// without times.
type oldCLI struct{ agentclient.DCV }

func (c oldCLI) List(ctx context.Context) ([]dcvcli.Session, error) {
	listed, err := c.DCV.List(ctx)
	for i, s := range listed {
		listed[i] = dcvcli.Session{ID: s.ID, Owner: s.Owner, Type: s.Type, Name: s.Name, ActivityUnknown: true}
	}
	return listed, err
}

func TestWhatCannotBeJudgedIsNotClosedAndSaidOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		d.approved = true
		h := newHost(t, d, reaping)
		h.cfg.DCV = oldCLI{h.cfg.DCV}
		s := desktop(oursByID)
		s.CreationTime = time.Now().Add(-9 * day)
		putSession(t, h, s)
		h.start()
		time.Sleep(10 * time.Hour)
		assert.Len(t, there(t, h), 1)
		const says = "DCV does not say whether its sessions have clients, so idle ones are not closed: update the DCV server"
		assert.Equal(t, []string{says}, d.lastUpdate().Problems)
		assert.Equal(t, 1, h.log.count(says))
		h.stop()
	})
}

// A moment calls a function at one kind of call of dcv, before it is made.
type moment struct {
	agentclient.DCV

	list, closing func() error
	create        func(ctx context.Context, opts dcvcli.CreateOptions) error
}

func (m *moment) List(ctx context.Context) ([]dcvcli.Session, error) {
	if m.list != nil {
		if err := m.list(); err != nil {
			return nil, err
		}
	}
	return m.DCV.List(ctx)
}

func (m *moment) Close(ctx context.Context, id string) error {
	if m.closing != nil {
		if err := m.closing(); err != nil {
			return err
		}
	}
	return m.DCV.Close(ctx, id)
}

func (m *moment) Create(ctx context.Context, opts dcvcli.CreateOptions) error {
	if m.create != nil {
		if err := m.create(ctx, opts); err != nil {
			return err
		}
	}
	return m.DCV.Create(ctx, opts)
}

func TestWhoConnectsInTheLastMomentIsNotThrownOut(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		d.approved = true
		h := newHost(t, d, reaping)
		h.cfg.UpdateInterval = -1
		s := desktop(oursByID)
		s.CreationTime = time.Now().Add(-2 * day)
		putSession(t, h, s)
		var looks atomic.Int32
		h.cfg.DCV = &moment{DCV: h.cfg.DCV, list: func() error {
			if looks.Add(1) == 2 { // the one right before the close
				connect(t, h, oursByID)
			}
			return nil
		}}
		h.start()
		time.Sleep(10 * time.Minute)
		assert.Greater(t, int(looks.Load()), 2)
		assert.Len(t, there(t, h), 1)
		h.stop()
	})
}

func TestASessionThatIsBeingGivenToItsOwnerIsNotClosed(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		d.approved = true
		h := newHost(t, d, reaping)
		putSession(t, h, desktop(oursByID))
		h.start()
		time.Sleep(59 * time.Minute)
		setFaults(t, h, dcvclitest.Faults{Slow: 8 * time.Second}) // the call and the look of the reaper meet
		for range 10 {
			got := call(t, h, http.MethodPost, dcvix.PathSessions, `{"userId":"ada","sessionType":"virtual","sessionId":"other"}`)
			require.Equal(t, http.StatusCreated, got.status, got.body)
			require.Contains(t, got.body, oursByID)
		}
		time.Sleep(50 * time.Minute)
		assert.Equal(t, []string{oursByID}, there(t, h), "it was promised to somebody")
		h.stop()
	})
}

func TestAListThatFailsClosesNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		d.approved = true
		h := newHost(t, d, reaping)
		putSession(t, h, desktop(oursByID))
		var broken atomic.Bool
		h.cfg.DCV = &moment{DCV: h.cfg.DCV, list: func() error {
			if broken.Load() {
				return context.DeadlineExceeded
			}
			return nil
		}}
		h.start()
		time.Sleep(30 * time.Minute)
		broken.Store(true)
		time.Sleep(3 * time.Hour)
		assert.Len(t, there(t, h), 1)
		broken.Store(false)
		time.Sleep(2 * time.Minute)
		assert.Empty(t, there(t, h))
		h.stop()
	})
}

func TestACloseThatFailsIsTriedAgainAndSaidOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		d.approved = true
		h := newHost(t, d, reaping)
		putSession(t, h, desktop(oursByID))
		var tries atomic.Int32
		h.cfg.DCV = &moment{DCV: h.cfg.DCV, closing: func() error {
			if tries.Add(1) < 10 {
				return &dcvcli.CommandError{Verb: "close-session", ExitCode: 1, Stderr: "busy"}
			}
			return nil
		}}
		h.start()
		time.Sleep(65 * time.Minute)
		assert.InDelta(t, 5, tries.Load(), 1, "at every look")
		assert.Len(t, there(t, h), 1)
		time.Sleep(10 * time.Minute)
		assert.Empty(t, there(t, h))
		assert.Equal(t, 1, h.log.count("an idle session could not be closed"))
		h.stop()
	})
}

func TestTheReaperWorksWithoutADirector(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		h := newHost(t, newDirector(t), reaping) // nobody approves it
		putSession(t, h, desktop(oursByID))
		h.start()
		synctest.Wait()
		time.Sleep(time.Hour + 2*time.Minute)
		assert.Empty(t, there(t, h))
		h.stop()
	})
}
