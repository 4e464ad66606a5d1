package launchercmd_test

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/directorapi/client"
)

// steps are what a window would show.
type steps struct {
	mu  sync.Mutex
	all []string
}

func (s *steps) add(step launchercmd.Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, string(step.Stage)+": "+step.Text)
}

func (s *steps) said() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

func (d *desk) engine(t *testing.T, command string) (*launchercmd.Engine, *steps) {
	t.Helper()
	transport, ok := d.stand.Client().Transport.(*http.Transport)
	require.True(t, ok)
	var err error
	if command == "" {
		command, err = os.Executable()
		require.NoError(t, err)
	}
	told := new(steps)
	engine, err := launchercmd.NewEngine(launchercmd.EngineConfig{
		Director: client.Config{URL: d.stand.URL, TLS: transport.TLSClientConfig.Clone()}, Trust: launchercmd.TrustFile,
		Home: filepath.Join(d.dir, "home"), Folder: filepath.Join(d.dir, "folder"), Command: command,
		Progress: told.add, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	require.NoError(t, err)
	return engine, told
}

var login = dcvix.LoginRequest{UserID: "alice", Password: goodPassword}

func TestEachStepIsToldInWords(t *testing.T) {
	d := newDesk(t, "")
	d.stand.created.Reused = true
	engine, told := d.engine(t, "")
	require.NoError(t, engine.Login(t.Context(), login))
	require.NoError(t, engine.Connect(t.Context(), launchercmd.Wish{Name: "ws1", Type: dcvix.SessionVirtual}))
	require.NoError(t, engine.Logout(t.Context()))
	assert.Equal(t, []string{
		"login: Logging in to " + d.stand.URL,
		"ask: Asking ws1 for a virtual desktop",
		"ready: Your desktop on ws1 is running already: going back to it",
		"key: Fetching the key to it",
		"start: Starting the viewer",
		"runs: The viewer runs: this ends when you close it",
		"ended: The viewer has ended at once: if you saw no desktop, look into its log (" + launchercmd.ViewerLog + ")",
	}, told.said())
}

func TestADirectorSaysWhatALoginNeeds(t *testing.T) {
	d := newDesk(t, "")
	d.stand.otp = dcvix.OTPRequired
	engine, _ := d.engine(t, "")
	form, err := engine.Reach(t.Context())
	require.NoError(t, err)
	assert.True(t, form.OTP && form.Must)

	d.stand.old = true
	form, err = engine.Reach(t.Context())
	require.NoError(t, err)
	assert.False(t, form.OTP || form.Must, "one of the 0.1 generation has no opinion")

	d.stand.Close()
	_, err = engine.Reach(t.Context())
	require.ErrorIs(t, err, client.ErrUnreachable)
}

func TestLoginsThatCannotBeRightAreNotSent(t *testing.T) {
	d := newDesk(t, "")
	engine, _ := d.engine(t, "")
	for name, req := range map[string]dcvix.LoginRequest{
		"no user":           {Password: "x"},
		"a line in a user":  {UserID: "a\nb", Password: "x"},
		"an option as user": {UserID: "-x", Password: "x"},
		"no password":       {UserID: "alice"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, engine.Login(t.Context(), req))
			assert.Zero(t, d.stand.seen("POST /v1/user/login"))
		})
	}
}

func TestAHostThatIsNotInTheListIsMeantAsPoliciesMeanIt(t *testing.T) {
	tests := map[string]struct {
		name, host string
		same       bool
	}{
		"the same name":           {"ws1", "ws1", true},
		"another case":            {"WS1", "ws1", true},
		"a final dot":             {"ws1.lab.example.", "ws1.lab.example", true},
		"a short name in policy":  {"ws1", "ws1.lab.example", true},
		"a short name of a host":  {"ws1.lab.example", "ws1", true},
		"another host":            {"ws1", "ws10", false},
		"the same label, another": {"ws1.lab.example", "ws1.office.example", false},
		"a host that is not said": {"ws1", "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, "")
			d.stand.servers = []string{dcvix.AllowCustom}
			d.stand.sessions = []dcvix.Session{{ID: "x", Type: dcvix.SessionConsole, ServerID: dcvix.Hostname(tt.host)}}
			engine, _ := d.engine(t, "")
			require.NoError(t, engine.Login(t.Context(), login))
			closed, err := engine.Close(t.Context(), tt.name, "")
			assert.Equal(t, tt.same, err == nil, "%v", err)
			assert.Equal(t, tt.same, len(closed) == 1)
		})
	}
}

func TestALoginThatRanOutIsSaidSo(t *testing.T) {
	d := newDesk(t, "")
	engine, _ := d.engine(t, "")
	_, err := engine.Desktops(t.Context())
	var refusal *dcvix.Error
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, dcvix.CodeUnauthenticated, refusal.Code)
	require.ErrorAs(t, engine.Connect(t.Context(), launchercmd.Wish{Name: "ws1"}), &refusal)
	_, err = engine.Close(t.Context(), "ws1", "")
	require.ErrorAs(t, err, &refusal)
}

func TestCloseSaysWhatItClosedBeforeItFailed(t *testing.T) {
	d := newDesk(t, "")
	d.stand.sessions = []dcvix.Session{{ID: "a", ServerID: "ws1"}, {ID: "b", ServerID: "ws1"}, {ID: "c", ServerID: "ws1"}}
	d.stand.refuse["DELETE /v1/sessions/b"] = dcvix.Problem{Status: 502, Detail: "ws1 does not answer."}
	engine, _ := d.engine(t, "")
	require.NoError(t, engine.Login(t.Context(), login))
	closed, err := engine.Close(t.Context(), "ws1", "")
	require.EqualError(t, err, "ws1 does not answer.")
	assert.Equal(t, []dcvix.SessionID{"a"}, closed)
}

func TestSeveralDesktopsCanBeOpenAtOnce(t *testing.T) {
	d := newDesk(t, "")
	engine, _ := d.engine(t, "")
	require.NoError(t, engine.Login(t.Context(), login))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			assert.NoError(t, engine.Connect(t.Context(), launchercmd.Wish{Name: "ws1", Type: dcvix.SessionVirtual}))
		})
	}
	wg.Wait()
	left, err := os.ReadDir(filepath.Join(d.dir, "folder"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestTheEndOfTheContextEndsTheViewer(t *testing.T) {
	d := newDesk(t, "stays")
	engine, _ := d.engine(t, "")
	require.NoError(t, engine.Login(t.Context(), login))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- engine.Connect(ctx, launchercmd.Wish{Name: "ws1"}) }()
	require.Eventually(t, func() bool { _, err := os.Stat(d.record); return err == nil }, 20*time.Second, 10*time.Millisecond)
	cancel()
	err := <-ended
	require.ErrorIs(t, err, context.Canceled)
	var viewer *launchercmd.ViewerError
	assert.NotErrorAs(t, err, &viewer, "a viewer that was asked to end has not failed")
}

func TestTheViewerIsFoundByItsName(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a right of their own there")
	}
	d := newDesk(t, "")
	bin := filepath.Join(d.dir, "bin")
	require.NoError(t, os.Mkdir(bin, 0o700))
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, filepath.Join(bin, "dcvviewer")))
	t.Setenv("PATH", bin)
	engine, _ := d.engine(t, "dcvviewer")
	require.NoError(t, engine.Login(t.Context(), login))
	require.NoError(t, engine.Connect(t.Context(), launchercmd.Wish{Name: "ws1"}))
	assert.FileExists(t, d.record)
}

func TestAViewerThatCannotRunIsNotAskedFor(t *testing.T) {
	d := newDesk(t, "")
	text := filepath.Join(d.dir, "viewer")
	require.NoError(t, os.WriteFile(text, []byte("not a program"), 0o600))
	engine, _ := d.engine(t, text)
	require.NoError(t, engine.Login(t.Context(), login))
	require.ErrorIs(t, engine.Connect(t.Context(), launchercmd.Wish{Name: "ws1"}), launchercmd.ErrNoViewer)
	assert.Zero(t, d.stand.seen("POST /v1/user/sessions"), "no session is started that nobody can look at")
}

func TestAProgramThatIsNoneLeavesNoFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no x bit there")
	}
	d := newDesk(t, "")
	text := filepath.Join(d.dir, "viewer")
	require.NoError(t, os.WriteFile(text, []byte("\x7fELF, but not really"), 0o700))
	engine, _ := d.engine(t, text)
	require.NoError(t, engine.Login(t.Context(), login))
	require.ErrorContains(t, engine.Connect(t.Context(), launchercmd.Wish{Name: "ws1"}), "the DCV viewer cannot be started")
	left, err := os.ReadDir(filepath.Join(d.dir, "folder"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestALinkIsNoFolderForSecrets(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a right of their own there")
	}
	d := newDesk(t, "")
	open := filepath.Join(d.dir, "open")
	require.NoError(t, os.Mkdir(open, fs.FileMode(0o777)))
	require.NoError(t, os.Symlink(open, filepath.Join(d.dir, "folder")))
	engine, _ := d.engine(t, "")
	require.NoError(t, engine.Login(t.Context(), login))
	require.ErrorContains(t, engine.Connect(t.Context(), launchercmd.Wish{Name: "ws1"}), "is no folder")
}
