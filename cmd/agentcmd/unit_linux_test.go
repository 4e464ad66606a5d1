package agentcmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const unitFile = "../../packaging/systemd/dcvix-agent.service"

// judgedUnit returns the path of a copy of the unit whose program exists.
func judgedUnit(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is missing: run scripts/need systemd")
		}
		t.Skip("systemd-analyze is not here")
	}
	text, err := os.ReadFile(unitFile)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "dcvix-agent.service")
	program := regexp.MustCompile(`(?m)^ExecStart=.*$`)
	require.NoError(t, os.WriteFile(path, program.ReplaceAll(text, []byte("ExecStart=/bin/true")), 0o600))
	return path
}

func TestTheUnitIsWhatSystemdUnderstands(t *testing.T) {
	path := judgedUnit(t)
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Empty(t, string(out))

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(text, "[Service]\nProtectSystm=strict\n"...), 0o600))
	out, _ = exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path).CombinedOutput()
	assert.Contains(t, string(out), "ProtectSystm", "it would say a mistake")
}

// The figure is from 0, closed, to 10. That of a service without any of it is 9.6.
func TestTheUnitIsClosedAsFarAsDCVAllows(t *testing.T) {
	path := judgedUnit(t)
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--threshold=36", "--no-pager", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", regexp.MustCompile(`Overall exposure level.*`).Find(out))

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, open := range []string{"PrivateDevices=", "ProtectClock=", "DeviceAllow=", "DevicePolicy=", "MemoryDenyWriteExecute=", "PrivateUsers=", "User="} {
		assert.NotRegexp(t, `(?m)^`+open, string(text), "nvidia-smi needs the devices, dcv the user root")
	}
}
