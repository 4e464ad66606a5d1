package dcvclitest_test

import (
	"bytes"
	"image"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// TestTheRealClientDrivesEveryVerb has the client and the fake, made from the same
// facts apart from each other, agree on every profile that has virtual sessions.
func TestTheRealClientDrivesEveryVerb(t *testing.T) {
	file := filepath.Join(t.TempDir(), "all.perm")
	require.NoError(t, os.WriteFile(file, []byte("[permissions]\n%any% allow display\n"), 0o600))
	for _, profile := range []dcvclitest.Profile{dcvclitest.Linux2025, dcvclitest.Linux2023, dcvclitest.DocLiteral} {
		t.Run(string(profile), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dcv := newDCV(t, dcvclitest.Config{Profile: profile})
				driveEveryVerb(t, newCLI(t, dcv, "linux"), file)
				state, err := dcv.State()
				require.NoError(t, err)
				require.Len(t, state.Sessions, 1)
				assert.Equal(t, "b", state.Sessions[0].ID)
				assert.Equal(t, map[string]string{"log/level": "'debug'"}, state.Config)
			})
		})
	}
}

func driveEveryVerb(t *testing.T, cli *dcvcli.CLI, permissions string) {
	t.Helper()
	ctx := t.Context()
	for _, id := range []string{"a", "b"} {
		require.NoError(t, cli.Create(ctx, dcvcli.CreateOptions{
			ID: id, Type: dcvcli.Virtual, Owner: "alice", GL: dcvcli.GLOff, InitScript: "/usr/bin/desk", DisableLoginMonitor: true,
			PermissionsFile: permissions, MaxConcurrentClients: 2,
		}))
	}
	require.NoError(t, cli.SetName(ctx, "a", "CAD seat"))
	require.NoError(t, cli.SetStorageRoot(ctx, "a", "%home%"))
	require.NoError(t, cli.SetPermissions(ctx, "a", permissions))
	require.NoError(t, cli.RevokePermissions(ctx, "a"))
	require.NoError(t, cli.ResetPermissions(ctx, "a"))
	layout, err := dcvcli.ParseLayout("1600x900+0+0,640x480+1600+0")
	require.NoError(t, err)
	require.NoError(t, cli.SetDisplayLayout(ctx, "a", layout))
	require.NoError(t, cli.SetConfig(ctx, "log", "level", dcvcli.GVariantString("debug")))

	session, err := cli.Describe(ctx, "a")
	require.NoError(t, err)
	assert.Equal(t, []string{"CAD seat", "%home%"}, []string{session.Name, session.StorageRoot})
	assert.Len(t, session.DisplayLayout, 2)

	shot, err := cli.Screenshot(ctx, "a", dcvcli.ScreenshotOptions{MaxWidth: 1120, Format: dcvcli.JPEG})
	require.NoError(t, err)
	picture, format, err := image.DecodeConfig(bytes.NewReader(shot.Data))
	require.NoError(t, err)
	assert.Equal(t, []any{"jpeg", 1120, 450}, []any{format, picture.Width, picture.Height})
	require.NoError(t, cli.SetName(ctx, "a", ""))
	require.NoError(t, cli.Close(ctx, "a"))
	require.ErrorIs(t, cli.CloseAndLogout(ctx, "a"), dcvcli.ErrNotFound)
}
