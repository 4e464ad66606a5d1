package dcvcli_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
)

func TestCreateFollowsTheRulesOfThePlatform(t *testing.T) {
	tests := map[string]struct {
		platform string
		opts     dcvcli.CreateOptions
		want     string
	}{
		"console on Linux": {
			platform: "linux", opts: dcvcli.CreateOptions{ID: "console", Owner: "alice"},
			want: "create-session --type=console --owner=alice console",
		},
		"virtual on Linux runs as its owner": {
			platform: "linux", opts: dcvcli.CreateOptions{ID: "v", Type: dcvcli.Virtual, Owner: "alice"},
			want: "create-session --type=virtual --user=alice --owner=alice v",
		},
		"virtual on Linux for another account": {
			platform: "linux", opts: dcvcli.CreateOptions{ID: "v", Type: dcvcli.Virtual, Owner: `LAB\alice`, User: "alice"},
			want: `create-session --type=virtual --user=alice --owner=LAB\alice v`,
		},
		"Windows has no --type": {
			platform: "windows", opts: dcvcli.CreateOptions{ID: "console", Type: dcvcli.Console, Owner: `LAB\alice`},
			want: `create-session --owner=LAB\alice console`,
		},
		"macOS has no --type": {
			platform: "darwin", opts: dcvcli.CreateOptions{ID: "console", Owner: "alice"},
			want: "create-session --owner=alice console",
		},
		"all options": {
			platform: "linux",
			opts: dcvcli.CreateOptions{
				ID: "c", Owner: "alice", Name: "-Seat", StorageRoot: "%home%", PermissionsFile: "/p", MaxConcurrentClients: 2,
			},
			want: "create-session --type=console --owner=alice --name=-Seat --storage-root=%home% --permissions-file=/p --max-concurrent-clients=2 c",
		},
		"all options of a virtual session": {
			platform: "linux",
			opts: dcvcli.CreateOptions{
				ID: "v", Type: dcvcli.Virtual, Owner: "alice", GL: dcvcli.GLOff, InitScript: "/opt/start desktop", DisableLoginMonitor: true,
			},
			want: "create-session --type=virtual --user=alice --gl=off --init=/opt/start desktop --disable-login-monitor --owner=alice v",
		},
		"a console without the login monitor": {
			platform: "linux", opts: dcvcli.CreateOptions{ID: "c", DisableLoginMonitor: true},
			want: "create-session --type=console --disable-login-monitor c",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := &host{create: appears}
			require.NoError(t, newCLI(t, tt.platform, h.run).Create(t.Context(), tt.opts))
			assert.Equal(t, tt.want, strings.Join(h.ran("create-session"), " "))
		})
	}
}

func TestNothingDubiousReachesTheCommand(t *testing.T) {
	tests := map[string]struct {
		platform string
		opts     dcvcli.CreateOptions
		want     error
	}{
		"no id":                    {opts: dcvcli.CreateOptions{}, want: dcvcli.ErrInvalid},
		"an id like an option":     {opts: dcvcli.CreateOptions{ID: "--help"}, want: dcvcli.ErrInvalid},
		"an id with a newline":     {opts: dcvcli.CreateOptions{ID: "a\nb"}, want: dcvcli.ErrInvalid},
		"an id with a NUL":         {opts: dcvcli.CreateOptions{ID: "a\x00b"}, want: dcvcli.ErrInvalid},
		"an id with a slash":       {opts: dcvcli.CreateOptions{ID: "../a"}, want: dcvcli.ErrInvalid},
		"an id that is not UTF-8":  {opts: dcvcli.CreateOptions{ID: "a\xff"}, want: dcvcli.ErrInvalid},
		"an endless id":            {opts: dcvcli.CreateOptions{ID: strings.Repeat("a", 257)}, want: dcvcli.ErrInvalid},
		"an owner like an option":  {opts: dcvcli.CreateOptions{ID: "a", Owner: "-x"}, want: dcvcli.ErrInvalid},
		"a user with a tab":        {opts: dcvcli.CreateOptions{ID: "a", Type: dcvcli.Virtual, User: "a\t"}, want: dcvcli.ErrInvalid},
		"a user of a console":      {opts: dcvcli.CreateOptions{ID: "a", User: "alice"}, want: dcvcli.ErrInvalid},
		"an endless name":          {opts: dcvcli.CreateOptions{ID: "a", Name: strings.Repeat("é", 257)}, want: dcvcli.ErrInvalid},
		"GL that is dim":           {opts: dcvcli.CreateOptions{ID: "a", Type: dcvcli.Virtual, GL: "dim"}, want: dcvcli.ErrInvalid},
		"GL of a console":          {opts: dcvcli.CreateOptions{ID: "a", GL: dcvcli.GLOn}, want: dcvcli.ErrInvalid},
		"a script of a console":    {opts: dcvcli.CreateOptions{ID: "a", InitScript: "/start"}, want: dcvcli.ErrInvalid},
		"a script like an option":  {opts: dcvcli.CreateOptions{ID: "a", Type: dcvcli.Virtual, InitScript: "-x"}, want: dcvcli.ErrInvalid},
		"a script with a newline":  {opts: dcvcli.CreateOptions{ID: "a", Type: dcvcli.Virtual, InitScript: "/a\nb"}, want: dcvcli.ErrInvalid},
		"an endless storage root":  {opts: dcvcli.CreateOptions{ID: "a", StorageRoot: strings.Repeat("/a", 3000)}, want: dcvcli.ErrInvalid},
		"the monitor on Windows":   {platform: "windows", opts: dcvcli.CreateOptions{ID: "a", DisableLoginMonitor: true}, want: dcvcli.ErrUnsupported},
		"the monitor on macOS":     {platform: "darwin", opts: dcvcli.CreateOptions{ID: "a", DisableLoginMonitor: true}, want: dcvcli.ErrUnsupported},
		"a name with a newline":    {opts: dcvcli.CreateOptions{ID: "a", Name: "a\nb"}, want: dcvcli.ErrInvalid},
		"a negative limit":         {opts: dcvcli.CreateOptions{ID: "a", MaxConcurrentClients: -1}, want: dcvcli.ErrInvalid},
		"another type":             {opts: dcvcli.CreateOptions{ID: "a", Type: "Virtual"}, want: dcvcli.ErrInvalid},
		"a virtual one on Windows": {platform: "windows", opts: dcvcli.CreateOptions{ID: "a", Type: dcvcli.Virtual}, want: errors.ErrUnsupported},
		"a virtual one on macOS":   {platform: "darwin", opts: dcvcli.CreateOptions{ID: "a", Type: dcvcli.Virtual}, want: dcvcli.ErrUnsupported},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.platform == "" {
				tt.platform = "linux"
			}
			h := &host{}
			cli := newCLI(t, tt.platform, h.run)
			require.ErrorIs(t, cli.Create(t.Context(), tt.opts), tt.want)
			assert.Empty(t, h.commands)
		})
	}
	for _, id := range []string{"", "-j", "a\x1bb"} {
		h := &host{}
		cli := newCLI(t, "linux", h.run)
		for _, change := range []error{
			cli.Close(t.Context(), id),
			cli.CloseAndLogout(t.Context(), id),
			cli.SetName(t.Context(), id, "n"),
			cli.SetStorageRoot(t.Context(), id, "/s"),
			cli.SetPermissions(t.Context(), id, "/p"),
			cli.RevokePermissions(t.Context(), id),
			cli.ResetPermissions(t.Context(), id),
			cli.SetDisplayLayout(t.Context(), id, dcvcli.Layout{{Width: 800, Height: 600}}),
		} {
			require.ErrorIs(t, change, dcvcli.ErrInvalid)
		}
		_, err := cli.Screenshot(t.Context(), id, dcvcli.ScreenshotOptions{})
		require.ErrorIs(t, err, dcvcli.ErrInvalid)
		_, err = cli.Describe(t.Context(), id)
		require.ErrorIs(t, err, dcvcli.ErrInvalid)
		_, err = cli.Connections(t.Context(), id)
		require.ErrorIs(t, err, dcvcli.ErrInvalid)
		assert.Empty(t, h.commands)
	}
}
