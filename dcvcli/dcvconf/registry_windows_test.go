package dcvconf_test

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows/registry"

	"github.com/dcvix/dcvix/dcvcli/dcvconf"
)

func TestTheRegistryIsChangedAndPutBack(t *testing.T) {
	const base = `Software\dcvix-test\dcv`
	remove := func() {
		for _, path := range []string{
			base + `\session-management\automatic-console-session`, base + `\session-management`, base + `\security`, base, base + "-record",
		} {
			_ = registry.DeleteKey(registry.CURRENT_USER, path) // may not be there
		}
	}
	remove() // of a run that was killed
	t.Cleanup(remove)
	_, err := dcvconf.OpenRegistry(base)
	require.ErrorIs(t, err, fs.ErrNotExist, "no DCV server")
	security, _, err := registry.CreateKey(registry.CURRENT_USER, base+`\security`, registry.ALL_ACCESS)
	require.NoError(t, err)
	require.NoError(t, security.SetDWordValue("no-tls-strict", 1))
	require.NoError(t, security.SetStringValue("auth-token-verifier", `https://old.lab:8445/\x`))

	s, err := dcvconf.OpenRegistry(base)
	require.NoError(t, err)
	old, ok := s.Get("security", "auth-token-verifier")
	assert.True(t, ok)
	assert.Equal(t, dcvconf.Text(`https://old.lab:8445/\x`), old)
	s.Set("security", "auth-token-verifier", dcvconf.Text("https://d.lab:8445/v"))
	s.Set("security", "no-tls-strict", dcvconf.Bool(false))
	s.Set("session-management/automatic-console-session", "owner", dcvconf.Text("alice"))
	require.Len(t, s.Changes(), 3)
	require.NoError(t, s.Save())
	strict, _, err := security.GetIntegerValue("no-tls-strict")
	require.NoError(t, err)
	assert.Zero(t, strict)
	console, err := registry.OpenKey(registry.CURRENT_USER, base+`\session-management\automatic-console-session`, registry.QUERY_VALUE)
	require.NoError(t, err)
	owner, _, err := console.GetStringValue("owner")
	require.NoError(t, err)
	assert.Equal(t, "alice", owner)

	s, err = dcvconf.OpenRegistry(base)
	require.NoError(t, err)
	s.Set("security", "no-tls-strict", dcvconf.Bool(false))
	assert.Empty(t, s.Changes(), "a second time changes nothing")
	left, err := s.Undo()
	require.NoError(t, err)
	assert.Empty(t, left)
	require.NoError(t, s.Save())
	strict, _, err = security.GetIntegerValue("no-tls-strict")
	require.NoError(t, err)
	assert.Equal(t, uint64(1), strict)
	text, _, err := security.GetStringValue("auth-token-verifier")
	require.NoError(t, err)
	assert.Equal(t, `https://old.lab:8445/\x`, text)
	_, _, err = console.GetStringValue("owner")
	require.ErrorIs(t, err, registry.ErrNotExist)
	_, err = s.Undo()
	require.ErrorIs(t, err, dcvconf.ErrNothingToUndo)
}
