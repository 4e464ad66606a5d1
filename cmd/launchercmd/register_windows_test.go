package launchercmd_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows/registry"

	"github.com/dcvix/dcvix/cmd/launchercmd"
)

func TestLinksAreRegisteredInThePersonsRegistry(t *testing.T) {
	const command = `Software\Classes\dcvix\shell\open\command`
	r := launch(t, launchercmd.Options{Args: []string{"uri", "install"}})
	require.Equal(t, 0, r.code, r.stderr)
	key, err := registry.OpenKey(registry.CURRENT_USER, command, registry.QUERY_VALUE)
	require.NoError(t, err)
	line, _, err := key.GetStringValue("")
	require.NoError(t, err)
	require.NoError(t, key.Close())
	self, err := os.Executable()
	require.NoError(t, err)
	self, err = filepath.EvalSymlinks(self)
	require.NoError(t, err)
	assert.Equal(t, `"`+self+`" -- "%1"`, line)
	scheme, err := registry.OpenKey(registry.CURRENT_USER, `Software\Classes\dcvix`, registry.QUERY_VALUE)
	require.NoError(t, err)
	_, _, err = scheme.GetStringValue("URL Protocol")
	require.NoError(t, err, "without it Windows takes the key for no scheme")
	require.NoError(t, scheme.Close())

	for range 2 { // twice is no harm
		r = launch(t, launchercmd.Options{Args: []string{"uri", "remove"}})
		require.Equal(t, 0, r.code, r.stderr)
	}
	_, err = registry.OpenKey(registry.CURRENT_USER, `Software\Classes\dcvix`, registry.QUERY_VALUE)
	require.ErrorIs(t, err, registry.ErrNotExist)
}

func TestTheViewerIsFoundWhereWindowsStartsItsLinks(t *testing.T) {
	const scheme = `Software\Classes\dcv`
	self, err := os.Executable()
	require.NoError(t, err)
	key, _, err := registry.CreateKey(registry.CURRENT_USER, scheme+`\shell\open\command`, registry.SET_VALUE)
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, below := range []string{`\shell\open\command`, `\shell\open`, `\shell`, ""} {
			_ = registry.DeleteKey(registry.CURRENT_USER, scheme+below)
		}
	})
	require.NoError(t, key.SetStringValue("", `"`+self+`" "%1"`))
	require.NoError(t, key.Close())
	d := newDesk(t, "")
	engine, _ := d.engine(t, "dcvviewer")
	found, err := engine.FindViewer("")
	require.NoError(t, err)
	assert.Equal(t, self, found)
}
