package doctor_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/agentcmd/doctor"
)

func TestADiskThatFillsUpIsSaid(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk needs root")
	}
	h := newHost(t)
	small := t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=20m,mode=700"); err != nil {
		t.Skipf("root may not mount here, as in most containers: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(small, syscall.MNT_DETACH)) })
	h.cfg.DataDir = small
	f := finding(h.ask(), "disk")
	assert.Equal(t, doctor.Warning, f.Level, f)
	require.NoError(t, os.WriteFile(small+"/big", make([]byte, 20<<20-512<<10), 0o600))
	f = finding(h.ask(), "disk")
	assert.Equal(t, doctor.Problem, f.Level, f)
	assert.Contains(t, f.Text, "0 MiB are free")
}
