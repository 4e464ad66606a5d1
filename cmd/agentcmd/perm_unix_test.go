//go:build unix

package agentcmd_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// remedy is how the command begins that closes a file to others.
const remedy = "chmod 600 "

func openToOthers(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.Chmod(path, 0o644))
}
