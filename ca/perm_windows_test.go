package ca_test

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"

	"github.com/dcvix/dcvix/internal/private"
)

// remedy is how the command begins that takes a file from others.
const remedy = `icacls "`

// chmod does with an access list what its namesake does with bits: it lets
// Everyone in, or nobody else.
func chmod(t testing.TB, dir, name string, perm fs.FileMode) {
	t.Helper()
	path := filepath.Join(dir, name)
	if perm&0o077 == 0 {
		_, err := private.Tighten(path)
		require.NoError(t, err)
		return
	}
	rights := "FR"
	if perm&0o044 == 0 {
		rights = "FW"
	}
	sd, err := windows.SecurityDescriptorFromString("D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;OW)(A;;" + rights + ";;;WD)")
	require.NoError(t, err)
	list, _, err := sd.DACL()
	require.NoError(t, err)
	require.NoError(t, windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil))
}

// mode looks whether a file is its owner's alone, when it should be.
func mode(t testing.TB, path string, want fs.FileMode) {
	t.Helper()
	command, err := private.Remedy(path)
	require.NoError(t, err)
	if want&0o077 == 0 {
		assert.Empty(t, command, path)
	}
}

// cannotTakeAway skips what this system cannot do: Wine only adds to lists.
func cannotTakeAway(t testing.TB) {
	t.Helper()
	if windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil {
		t.Skip("Wine adds to an access list and takes nothing away")
	}
}
