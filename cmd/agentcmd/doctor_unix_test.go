//go:build unix

package agentcmd_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/agentcmd/doctor"
)

func TestTheDoctorSaysAllWellOfAHostThatWasSetUp(t *testing.T) {
	h := newHost(t)
	before := h.doctor()
	assert.Equal(t, 1, before.code)
	assert.Contains(t, before.stdout, "the agent never ran")
	h.startAgent("waiting for an admin")
	pending := h.doctor()
	assert.Equal(t, 1, pending.code)
	assert.Contains(t, pending.stdout, "An admin has to approve this host.")
	assert.Contains(t, pending.stdout, "agents approve "+strings.TrimSpace(h.read("data/agent.guid")))
	require.NoError(t, h.agent.Process.Kill())
	_ = h.agent.Wait()
	h.enrol()
	setup := h.setup()
	require.Zero(t, setup.code, setup.stderr)

	got := h.doctor()
	t.Log("\n" + got.stdout)
	assert.Zero(t, got.code, got.stdout)
	assert.True(t, strings.HasSuffix(got.stdout, "\nall well\n"), got.stdout)
	for line := range strings.SplitSeq(got.stdout, "\n") {
		assert.LessOrEqual(t, len(line), 80+len(h.dir), "%q", line)
	}
	var report doctor.Report
	require.NoError(t, json.Unmarshal([]byte(h.doctor("--json").stdout), &report))
	assert.Zero(t, report.Problems+report.Warnings)
	for _, f := range report.Findings {
		assert.Equal(t, doctor.OK, f.Level, f.Check)
		assert.NotEmpty(t, f.Text)
	}
}
