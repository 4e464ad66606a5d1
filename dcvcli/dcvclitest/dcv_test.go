package dcvclitest_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

func TestTheRealClientDrivesTheFake(t *testing.T) {
	now := time.Date(2026, 3, 1, 10, 0, 0, 123456000, time.UTC)
	dcv := newDCV(t, dcvclitest.Config{Now: func() time.Time { return now }})
	cli := newCLI(t, dcv, "linux")
	ctx := t.Context()

	version, err := cli.Version(ctx)
	require.NoError(t, err)
	assert.Equal(t, "2025.0-20103", version)

	require.NoError(t, cli.Create(ctx, dcvcli.CreateOptions{ID: "a", Type: dcvcli.Virtual, Owner: "alice", Name: `"A": <b>`}))
	want := dcvcli.Session{
		ID: "a", Owner: "alice", User: "alice", Name: `"A": <b>`, Type: dcvcli.Virtual, Status: "created", CreationTime: now,
		LicensingMode: "demo", X11Display: ":1", X11Authority: "/run/user/1000/dcv/a.xauth",
		Licenses: []dcvcli.License{{
			Product: "dcv", Status: "licensed", CheckTimestamp: now, ExpirationDate: time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC),
		}},
		DisplayLayout: []dcvcli.Display{{Width: 1024, Height: 768}},
	}
	sessions, err := cli.List(ctx)
	require.NoError(t, err)
	assert.Equal(t, []dcvcli.Session{want}, sessions)
	session, err := cli.Describe(ctx, "a")
	require.NoError(t, err)
	assert.Equal(t, want, session)
	connections, err := cli.Connections(ctx, "a")
	require.NoError(t, err)
	assert.Empty(t, connections)

	require.NoError(t, cli.Close(ctx, "a"))
	require.ErrorIs(t, cli.Close(ctx, "a"), dcvcli.ErrNotFound)
	_, err = cli.Describe(ctx, "a")
	require.ErrorIs(t, err, dcvcli.ErrNotFound)
}

func TestEveryPlatformTakesWhatTheClientPassesIt(t *testing.T) {
	profiles := []dcvclitest.Profile{dcvclitest.Linux2025, dcvclitest.Linux2023, dcvclitest.Windows2025, dcvclitest.MacOS2025}
	for _, profile := range profiles {
		t.Run(string(profile), func(t *testing.T) {
			cli := newCLI(t, newDCV(t, dcvclitest.Config{Profile: profile}), profile.Platform())
			require.NoError(t, cli.Create(t.Context(), dcvcli.CreateOptions{ID: "c", Type: dcvcli.Console, Owner: "alice"}))
			session, err := cli.Describe(t.Context(), "c")
			require.NoError(t, err)
			assert.Equal(t, dcvcli.Console, session.Type)
			assert.Equal(t, "alice", session.Owner)
		})
	}
	_, err := dcvclitest.New(dcvclitest.Config{Profile: "1999.0-beos"})
	require.Error(t, err)
}

// TestTheCommandKeepsTheRulesOfTheGuide gives one command after others that must
// succeed. Nothing is asserted of the words of errors: they are the fake's.
func TestTheCommandKeepsTheRulesOfTheGuide(t *testing.T) {
	long := strings.Repeat("é", 256)
	tests := map[string]struct {
		profile dcvclitest.Profile
		before  []string
		args    string
		refused bool
	}{
		"an option after the id":        {args: "create-session a --type virtual --owner=bob"},
		"no type is virtual":            {before: []string{"create-session a"}, args: "create-session b"},
		"no id":                         {args: "create-session --type=console", refused: true},
		"two ids":                       {args: "create-session a b", refused: true},
		"an id taken":                   {before: []string{"create-session a"}, args: "create-session a", refused: true},
		"another type of session":       {args: "create-session --type=both a", refused: true},
		"a second console":              {before: []string{"create-session --type=console a"}, args: "create-session --type=console b", refused: true},
		"a console beside a virtual":    {before: []string{"create-session a"}, args: "create-session --type=console b", refused: true},
		"a virtual beside a console":    {before: []string{"create-session --type=console a"}, args: "create-session b", refused: true},
		"a user of a console":           {args: "create-session --type=console --user=bob a", refused: true},
		"a name of 256 characters":      {args: "create-session --name=" + long + " a"},
		"a name of 257 characters":      {args: "create-session --name=" + long + "x a", refused: true},
		"a limit that is no number":     {args: "create-session --max-concurrent-clients=many a", refused: true},
		"an unknown option":             {args: "create-session --force a", refused: true},
		"a value that is missing":       {args: "create-session a --owner", refused: true},
		"a value that is too much":      {args: "create-session --disable-login-monitor=yes a", refused: true},
		"an id behind two dashes":       {args: "create-session -- -a"},
		"no --type on Windows":          {profile: dcvclitest.Windows2025, args: "create-session --type=console a", refused: true},
		"no --user on macOS":            {profile: dcvclitest.MacOS2025, args: "create-session --user=bob a", refused: true},
		"a second session on Windows":   {profile: dcvclitest.Windows2025, before: []string{"create-session a"}, args: "create-session b", refused: true},
		"close what is not there":       {args: "close-session a", refused: true},
		"log out of a virtual session":  {before: []string{"create-session a"}, args: "close-session --logout-user a", refused: true},
		"log out of a console":          {before: []string{"create-session --type=console a"}, args: "close-session --logout-user a"},
		"describe what is not there":    {args: "describe-session a", refused: true},
		"connections of nothing":        {args: "list-connections a -j", refused: true},
		"connections, option first":     {before: []string{"create-session a"}, args: "list-connections -j a"},
		"list one that is not there":    {args: "list-sessions a", refused: true},
		"list with a value for -j":      {args: "list-sessions --json=yes", refused: true},
		"a setting":                     {args: "set-config --section display --key quality (30,80)"},
		"a setting without a value":     {args: "set-config --section display --key quality", refused: true},
		"a command nobody has heard of": {args: "reload-config", refused: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dcv := newDCV(t, dcvclitest.Config{Profile: tt.profile})
			for _, command := range tt.before {
				_, err := dcv.Run(t.Context(), strings.Fields(command)...)
				require.NoError(t, err)
			}
			before, err := dcv.State()
			require.NoError(t, err)
			_, err = dcv.Run(t.Context(), strings.Fields(tt.args)...)
			if !tt.refused {
				require.NoError(t, err)
				return
			}
			var failure *dcvcli.CommandError
			require.ErrorAs(t, err, &failure)
			assert.NotZero(t, failure.ExitCode)
			assert.Contains(t, failure.Stderr, "fake")
			after, err := dcv.State()
			require.NoError(t, err)
			assert.Equal(t, before, after, "a refused command changed something")
		})
	}
	_, err := newDCV(t, dcvclitest.Config{}).Run(t.Context())
	require.Error(t, err)
}

func TestTheCommandPrintsInTheStyleOfDCV(t *testing.T) {
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	dcv := newDCV(t, dcvclitest.Config{Profile: dcvclitest.Linux2023, Now: func() time.Time { return now }})
	run := func(args ...string) string {
		out, err := dcv.Run(t.Context(), args...)
		require.NoError(t, err)
		return string(out)
	}
	assert.Equal(t, "[]\n", run("list-sessions", "-j"))
	assert.Equal(t, "There are no sessions available.\n", run("list-sessions"))
	run("create-session", "--type", "console", "--owner", "alice", "--name", `a "b": c`, "ws1")
	assert.Equal(t, `[
  {
    "id" : "ws1",
    "owner" : "alice",
    "user" : "dcv",
    "name" : "a \"b\": c",
    "num-of-connections" : 0,
    "creation-time" : "2026-03-01T10:00:00.000000Z",
    "last-disconnection-time" : "",
    "licenses" : [
      {
        "product" : "dcv",
        "status" : "licensed",
        "check-timestamp" : "2026-03-01T10:00:00.000000Z",
        "expiration-date" : "2026-03-31T00:00:00Z"
      }
    ],
    "licensing-mode" : "demo",
    "storage-root" : "",
    "type" : "console",
    "status" : "created",
    "x11-display" : "",
    "x11-authority" : ""
  }
]
`, run("list-sessions", "ws1", "--json"))
	assert.Equal(t, "Session: 'ws1' (owner:alice type:console name:'a \"b\": c')\n", run("list-sessions"))
	assert.True(t, strings.HasPrefix(run("describe-session", "ws1"), "Session: ws1\n    owner: alice\n"))
	assert.True(t, strings.HasPrefix(run("version"), "NICE DCV 2023.1 (r16388)\n"))
	assert.Contains(t, run("version", "--json"), `"fake-version" : "2023.1"`)
}

func TestSettingsAreKept(t *testing.T) {
	dcv := newDCV(t, dcvclitest.Config{})
	_, err := dcv.Run(t.Context(), "set-config", "--section=display", "--key=quality", "(30, 80)")
	require.NoError(t, err)
	state, err := dcv.State()
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"display/quality": "(30, 80)"}, state.Config)
}

func TestFaultsCanBeSwitchedOn(t *testing.T) {
	create := dcvcli.CreateOptions{ID: "a", Owner: "alice"}
	tests := map[string]struct {
		faults dcvclitest.Faults
		check  func(t *testing.T, cli *dcvcli.CLI)
	}{
		"daemon down": {
			faults: dcvclitest.Faults{Down: true},
			check: func(t *testing.T, cli *dcvcli.CLI) {
				_, err := cli.List(t.Context())
				var failure *dcvcli.CommandError
				require.ErrorAs(t, err, &failure)
			},
		},
		"exit 0 but nothing created": {
			faults: dcvclitest.Faults{LoseCreated: true},
			check: func(t *testing.T, cli *dcvcli.CLI) {
				require.ErrorIs(t, cli.Create(t.Context(), create), dcvcli.ErrNotCreated)
			},
		},
		"the desktop crashes": {
			faults: dcvclitest.Faults{VanishAfter: time.Minute},
			check: func(t *testing.T, cli *dcvcli.CLI) {
				require.NoError(t, cli.Create(t.Context(), create))
				time.Sleep(time.Minute)
				sessions, err := cli.List(t.Context())
				require.NoError(t, err)
				assert.Empty(t, sessions)
			},
		},
		"slower than the limit": {
			faults: dcvclitest.Faults{Slow: time.Hour},
			check: func(t *testing.T, cli *dcvcli.CLI) {
				start := time.Now()
				_, err := cli.List(t.Context())
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, 30*time.Second, time.Since(start))
			},
		},
		"a warning beside success": {
			faults: dcvclitest.Faults{Warning: "something is old"},
			check: func(t *testing.T, cli *dcvcli.CLI) {
				require.NoError(t, cli.Create(t.Context(), create))
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dcv := newDCV(t, dcvclitest.Config{})
				set(t, dcv, tt.faults)
				tt.check(t, newCLI(t, dcv, "linux"))
			})
		})
	}
}

func TestAStateIsACopy(t *testing.T) {
	dcv := newDCV(t, dcvclitest.Config{})
	_, err := dcv.Run(t.Context(), "create-session", "a")
	require.NoError(t, err)
	state, err := dcv.State()
	require.NoError(t, err)
	state.Sessions[0].ID = "b"
	again, err := dcv.State()
	require.NoError(t, err)
	assert.Equal(t, "a", again.Sessions[0].ID)
}

func FuzzRun(f *testing.F) {
	for _, seed := range []string{
		"create-session --type=console --owner alice a", "list-sessions -j", "close-session -- a", "set-config --section=a --key b c", "version",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		dcv := newDCV(t, dcvclitest.Config{})
		args := strings.Split(line, " ")
		if _, err := dcv.Run(t.Context(), args...); err != nil {
			var failure *dcvcli.CommandError
			require.ErrorAs(t, err, &failure)
		}
		_, err := newCLI(t, dcv, "linux").List(t.Context())
		require.NoError(t, err, "the client cannot read the fake after %q", args)
	})
}
