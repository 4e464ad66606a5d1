package directorcmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const units = "../../packaging/systemd/"

// judged returns the path of a copy of a unit whose program exists, and its text.
func judged(t *testing.T, name string) (path, text string) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is missing: run scripts/need systemd")
		}
		t.Skip("systemd-analyze is not here")
	}
	dir := t.TempDir()
	for _, file := range []string{"dcvix-director.service", "dcvix-director.socket", "dcvix-pam.socket", "dcvix-pam@.service"} {
		raw, err := os.ReadFile(units + file)
		require.NoError(t, err)
		shown := regexp.MustCompile(`(?m)^ExecStart=.*$`).ReplaceAllString(string(raw), "ExecStart=/bin/true")
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(shown), 0o600))
		if file == name {
			text = string(raw)
		}
	}
	return filepath.Join(dir, name), text
}

func TestTheUnitsAreWhatSystemdUnderstands(t *testing.T) {
	for _, name := range []string{"dcvix-director.service", "dcvix-director.socket", "dcvix-pam.socket", "dcvix-pam@.service"} {
		t.Run(name, func(t *testing.T) {
			path, text := judged(t, name)
			verify := func() string {
				out, _ := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path).CombinedOutput()
				return string(out)
			}
			assert.Empty(t, verify())
			shown, err := os.ReadFile(path)
			require.NoError(t, err)
			section := "[Service]"
			if !strings.Contains(text, section) {
				section = "[Socket]"
			}
			require.NoError(t, os.WriteFile(path, append(shown, section+"\nProtectSystm=strict\n"...), 0o600))
			assert.Contains(t, verify(), "ProtectSystm", "it would say a mistake")
		})
	}
}

// The figure is from 0, closed, to 10. That of a service without any of it is 9.6.
func TestTheUnitsAreClosed(t *testing.T) {
	for name, most := range map[string]string{"dcvix-director.service": "20", "dcvix-pam@.service": "50"} {
		t.Run(name, func(t *testing.T) {
			path, _ := judged(t, name)
			out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--threshold="+most, "--no-pager", path).CombinedOutput()
			require.NoError(t, err, "%s", out)
			t.Logf("%s", regexp.MustCompile(`Overall exposure level.*`).Find(out))
		})
	}
}

func TestTheUnitGivesWhatTheDirectorNeeds(t *testing.T) {
	_, text := judged(t, "dcvix-director.service")
	for _, line := range []string{"Type=notify", "User=dcvix", "LimitNOFILE=65536", "StateDirectory=dcvix-director", "ExecReload=/bin/kill -HUP $MAINPID", "CapabilityBoundingSet="} {
		assert.Contains(t, text, "\n"+line+"\n")
	}
	assert.Regexp(t, `(?m)^WatchdogSec=`, text)
	for _, shut := range []string{"PrivateUsers=", "PrivateNetwork=", "ProcSubset=", "IPAddressDeny="} {
		assert.NotRegexp(t, `(?m)^`+shut, text, "the group shadow, the network and the length of its queues are needed")
	}
}
