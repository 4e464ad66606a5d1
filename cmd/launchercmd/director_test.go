package launchercmd_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient/agentclienttest"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

// patience is how long a test waits for what must come.
const patience = time.Minute

// A seat is a person at a real director. The viewer is this test binary.
type seat struct {
	director *directorapitest.Server
	dir      string
	told     *steps
	record   string // what the viewer saw
}

func newSeat(t *testing.T, viewer string) *seat {
	t.Helper()
	s := &seat{director: directorapitest.NewServer(t), dir: t.TempDir(), told: new(steps)}
	s.record = filepath.Join(s.dir, "record")
	t.Setenv("VIEWER_MODE", viewer)
	t.Setenv("VIEWER_RECORD", s.record)
	return s
}

// engine is what a start of the launcher makes; it remembers what earlier ones did.
func (s *seat) engine(t *testing.T, change func(*launchercmd.EngineConfig)) *launchercmd.Engine {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cfg := launchercmd.EngineConfig{
		Director: client.Config{URL: s.director.URL, TLS: s.director.TLS()}, Trust: launchercmd.TrustFile,
		Home: filepath.Join(s.dir, "home"), Folder: filepath.Join(s.dir, "folder"), Command: self,
		Progress: s.told.add, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if change != nil {
		change(&cfg)
	}
	e, err := launchercmd.NewEngine(cfg)
	require.NoError(t, err)
	t.Cleanup(e.End)
	return e
}

// strange makes a start know nothing about the director.
func strange(cfg *launchercmd.EngineConfig) {
	cfg.Director.TLS, cfg.Trust = nil, ""
}

var alice = dcvix.LoginRequest{UserID: directorapitest.Alice, Password: directorapitest.Password}

// follow returns the updates of an engine, and what Follow returned once stop was called.
func follow(t *testing.T, e *launchercmd.Engine) (updates <-chan launchercmd.Update, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	all := make(chan launchercmd.Update, 1000)
	ended := make(chan error, 1)
	go func() { ended <- e.Follow(ctx, func(u launchercmd.Update) { all <- u }) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { _ = stop() })
	return all, stop
}

// await returns the first update that is so.
func await(t *testing.T, updates <-chan launchercmd.Update, what string, so func(launchercmd.Update) bool) launchercmd.Update {
	t.Helper()
	end := time.After(patience)
	for {
		select {
		case u := <-updates:
			if so(u) {
				return u
			}
		case <-end:
			t.Fatalf("no update says that %s", what)
		}
	}
}

// state returns the state of a desktop in an update, empty when it is not there.
func state(u launchercmd.Update, name string) string {
	if u.List == nil {
		return ""
	}
	for _, d := range u.List.Desktops {
		if d.Name == name {
			return d.State
		}
	}
	return ""
}

func TestTheWholeWayToADesktopInAPool(t *testing.T) {
	s := newSeat(t, "stays")
	s.director.Policy.Set(t, `[{"id": "root", "admin": true}, {"id": "alice", "workstations": ["ws2"], "pools": ["GPU pool"]}]`, `[{"id": "GPU pool", "workstations": ["ws1"]}]`)
	s.director.Agent()
	e := s.engine(t, nil)
	require.NoError(t, e.Login(t.Context(), alice))

	updates, stop := follow(t, e)
	u := await(t, updates, "the pool is ready", func(u launchercmd.Update) bool { return state(u, "GPU pool") == "ready" })
	assert.True(t, u.Live)
	assert.Equal(t, dcvix.DesktopPool, u.List.Desktops[0].Kind)
	assert.Equal(t, "1 of 1 free", u.List.Desktops[0].StateText(nil))
	assert.Equal(t, "unusable", state(u, "ws2"), "no such host is registered")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	stages := make(chan launchercmd.Stage, 100)
	go func() {
		err := e.Connect(ctx, launchercmd.Wish{Name: "gpu pool", Progress: func(step launchercmd.Step) { stages <- step.Stage }})
		assert.ErrorIs(t, err, context.Canceled)
		ended <- err
	}()
	await(t, updates, "the session runs", func(u launchercmd.Update) bool { return state(u, "GPU pool") == "own" })
	require.Eventually(t, func() bool { _, err := os.Stat(s.record); return err == nil }, patience, 5*time.Millisecond)
	for want := launchercmd.StageRuns; <-stages != want; {
	}

	seen, err := os.ReadFile(s.record)
	require.NoError(t, err)
	list, err := e.Desktops(t.Context())
	require.NoError(t, err)
	require.Len(t, list.Desktops[0].Sessions, 1)
	session := list.Desktops[0].Sessions[0]
	assert.Equal(t, dcvix.Hostname("ws1"), session.Server)
	assert.Contains(t, string(seen), "host=ws1\n")
	assert.Contains(t, string(seen), "sessionid="+string(session.ID)+"\n")
	assert.False(t, list.Desktops[0].Used.IsZero())

	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	closed, err := e.Close(t.Context(), "GPU pool", "")
	require.NoError(t, err)
	assert.Equal(t, []dcvix.SessionID{session.ID}, closed)
	await(t, updates, "it is free again", func(u launchercmd.Update) bool { return state(u, "GPU pool") == "ready" })
	require.NoError(t, e.CloseSession(t.Context(), session), "what is gone is closed")
	require.NoError(t, stop())
}

func TestADirectorIsTrustedOnceItsFingerprintIsConfirmed(t *testing.T) {
	s := newSeat(t, "")
	e := s.engine(t, strange)
	assert.Equal(t, launchercmd.TrustSystem, e.Trusted())
	_, err := e.Reach(t.Context())
	assert.Equal(t, launchercmd.TroubleUntrusted, e.Explain(err).Trouble)

	met, err := e.Introduce(t.Context())
	require.NoError(t, err)
	assert.Equal(t, client.Fingerprint(s.director.CA.Certificate()), met.Fingerprint, "the form that the director logs")
	assert.Equal(t, s.director.URL, met.URL)
	assert.False(t, met.Changed)

	require.Error(t, e.Trust(t.Context(), "AB:CD"))
	require.ErrorContains(t, e.Trust(t.Context(), strings.Repeat("ab", 32)), met.Fingerprint)
	_, err = e.Reach(t.Context())
	assert.Equal(t, launchercmd.TroubleUntrusted, e.Explain(err).Trouble, "nothing was confirmed yet")

	require.NoError(t, e.Trust(t.Context(), strings.ToLower(strings.ReplaceAll(met.Fingerprint, ":", " "))))
	assert.Equal(t, launchercmd.TrustPerson, e.Trusted())
	require.NoError(t, e.Login(t.Context(), alice))

	again := s.engine(t, strange)
	assert.Equal(t, launchercmd.TrustPerson, again.Trusted(), "it is remembered")
	assert.Equal(t, directorapitest.Alice, again.User())
	require.NoError(t, again.Login(t.Context(), alice))
}

func TestAnotherCAThanTheOneThatWasTrustedIsSaidSo(t *testing.T) {
	s := newSeat(t, "")
	impostor := directorapitest.NewServer(t)
	text, err := json.Marshal(map[string]any{"directors": map[string]any{s.director.URL: map[string]any{"ca": string(impostor.CA.PEM())}}})
	require.NoError(t, err)
	home := filepath.Join(s.dir, "home")
	require.NoError(t, os.MkdirAll(home, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(home, "dcvix-launcher.json"), text, 0o600))

	e := s.engine(t, strange)
	_, err = e.Reach(t.Context())
	assert.Equal(t, launchercmd.TroubleUntrusted, e.Explain(err).Trouble)
	met, err := e.Introduce(t.Context())
	require.NoError(t, err)
	assert.True(t, met.Changed)
}

func TestWhatTheConfigurationTrustsIsNotThePersonsToChange(t *testing.T) {
	s := newSeat(t, "")
	e := s.engine(t, nil)
	_, err := e.Introduce(t.Context())
	require.ErrorContains(t, err, "the configuration says whom to trust")
	require.Error(t, e.Trust(t.Context(), client.Fingerprint(s.director.CA.Certificate())))
}

func TestALoginThatIsEndedEndsFollowing(t *testing.T) {
	s := newSeat(t, "")
	e := s.engine(t, nil)
	require.ErrorIs(t, e.Follow(t.Context(), func(launchercmd.Update) {}), launchercmd.ErrLoggedOut)
	require.NoError(t, e.Login(t.Context(), alice))
	ended := make(chan error, 1)
	updates := make(chan launchercmd.Update, 100)
	go func() { ended <- e.Follow(t.Context(), func(u launchercmd.Update) { updates <- u }) }()
	await(t, updates, "there is a list", func(u launchercmd.Update) bool { return u.List != nil && u.Live })
	require.NoError(t, e.Logout(t.Context()))
	select {
	case err := <-ended:
		require.ErrorIs(t, err, launchercmd.ErrLoggedOut)
		assert.Equal(t, launchercmd.TroubleLoggedOut, e.Explain(err).Trouble)
	case <-time.After(patience):
		t.Fatal("it goes on after the login has ended")
	}
	require.NoError(t, e.Login(t.Context(), alice), "logging in again works")
	_, err := e.Desktops(t.Context())
	require.NoError(t, err)
}

func TestASessionIsGoneBackToThoughThePolicyGivesTheHostNoLonger(t *testing.T) {
	s := newSeat(t, "")
	s.director.Agent()
	e := s.engine(t, nil)
	require.NoError(t, e.Login(t.Context(), alice))
	require.NoError(t, e.Connect(t.Context(), launchercmd.Wish{Name: "ws1", Type: dcvix.SessionVirtual}))
	first, err := os.ReadFile(s.record)
	require.NoError(t, err)
	require.NoError(t, os.Remove(s.record))

	s.director.Policy.Set(t, `[{"id": "root", "admin": true}, {"id": "alice", "workstations": ["ws2"]}]`, "")
	wish := launchercmd.Wish{Name: "ws1", Kind: dcvix.DesktopHost}
	require.NoError(t, e.Connect(t.Context(), wish))
	again, err := os.ReadFile(s.record)
	require.NoError(t, err)
	id := func(record []byte) string {
		_, rest, _ := strings.Cut(string(record), "sessionid=")
		line, _, _ := strings.Cut(rest, "\n")
		return line
	}
	assert.Equal(t, id(first), id(again))

	wish.Type = dcvix.SessionConsole
	x := e.Explain(e.Connect(t.Context(), wish))
	assert.Equal(t, launchercmd.TroubleRefused, x.Trouble, "another session is not to be had there")
	_, err = e.Close(t.Context(), "ws1", "")
	require.NoError(t, err)
	require.Error(t, e.Connect(t.Context(), launchercmd.Wish{Name: "ws1"}))
}

func TestTheQualityIsSetOnTheHostBeforeTheViewerStarts(t *testing.T) {
	s := newSeat(t, "")
	s.director.Policy.Set(t, `[{"id": "root", "admin": true}, {"id": "alice", "pools": ["gpu"]}]`, `[{"id": "gpu", "workstations": ["ws1"]}]`)
	agent := s.director.Agent(agentclienttest.WithHostname("ws1"))
	e := s.engine(t, nil)
	require.NoError(t, e.Login(t.Context(), alice))
	require.NoError(t, e.SetPreferences(launchercmd.Preferences{QualityMin: 30, QualityMax: 80, FullScreen: true, Certificate: launchercmd.CertificateStrict}))
	require.NoError(t, e.Connect(t.Context(), launchercmd.Wish{Name: "gpu", Kind: dcvix.DesktopPool, Type: dcvix.SessionVirtual}))
	is, err := agent.DCV().State()
	require.NoError(t, err)
	assert.Equal(t, "(30, 80)", is.Config["display/quality"])
	seen, err := os.ReadFile(s.record)
	require.NoError(t, err)
	assert.Contains(t, string(seen), "certificatevalidationpolicy=strict\n\n[options]\nfullscreen=true\nuseallmonitors=false\n")
	assert.Contains(t, strings.Join(s.told.said(), "\n"), "quality: Setting the picture quality to 30–80 %")
}

func TestADesktopThatIsRefusedSaysWhyInTheDirectorsWords(t *testing.T) {
	s := newSeat(t, "")
	s.director.Agent()
	require.NoError(t, s.director.AdminClient().Drain(t.Context(), "ws1", "disk replacement until 14:00"))
	e := s.engine(t, nil)
	require.NoError(t, e.Login(t.Context(), alice))
	err := e.Connect(t.Context(), launchercmd.Wish{Name: "ws1"})
	x := e.Explain(err)
	assert.Equal(t, launchercmd.TroubleRefused, x.Trouble)
	assert.Equal(t, "The host is in maintenance: disk replacement until 14:00.", x.Sentence)
	assert.Regexp(t, `^conflict, request \S+$`, x.Detail)
	require.ErrorContains(t, e.Connect(t.Context(), launchercmd.Wish{Name: "ws9", Type: "console", Kind: "host"}), "")
	list, err := e.Desktops(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "in maintenance", list.Desktops[0].StateText(e.Words()))
	assert.False(t, list.Desktops[0].Openable())
}

func TestAPersonWithoutDesktopsLearnsWhy(t *testing.T) {
	s := newSeat(t, "")
	e := s.engine(t, nil)
	require.NoError(t, e.Login(t.Context(), dcvix.LoginRequest{UserID: directorapitest.Mallory, Password: directorapitest.Password}))
	list, err := e.Desktops(t.Context())
	require.NoError(t, err)
	assert.NotNil(t, list.Desktops)
	assert.Empty(t, list.Desktops)
	assert.NotEmpty(t, list.Reason)
}
