//go:build unix

package agentcmd_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix/cmd/agentcmd"
)

func TestOutsideWindowsThereIsNoServiceToInstall(t *testing.T) {
	for _, args := range [][]string{{"-install"}, {"--uninstall"}, {"service", "install"}, {"service", "uninstall"}} {
		got := finish(t, process(t, args...))
		assert.Equal(t, agentcmd.ExitUsage, got.code, args)
		assert.Contains(t, got.stderr, "on Windows alone")
		assert.Contains(t, got.stderr, "systemctl enable --now dcvix-agent")
	}
}
