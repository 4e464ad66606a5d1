package agentcmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
)

// hostStats measures this machine.
type hostStats struct{}

var _ agentclient.Stats = hostStats{}

// Stats returns what can be measured, and an error that names the rest. The CPU
// usage is that since the call before.
func (hostStats) Stats(ctx context.Context) (dcvix.Stats, error) {
	var s dcvix.Stats
	var failed []error
	miss := func(what string, err error) { failed = append(failed, fmt.Errorf("%s: %w", what, err)) }
	if m, err := mem.VirtualMemoryWithContext(ctx); err != nil {
		miss("memory", err)
	} else {
		// Available, not Free: what the kernel uses as cache can be had.
		s.FreeMemory, s.TotalMemory = m.Available, m.Total
	}
	if n, err := cpu.CountsWithContext(ctx, true); err != nil {
		miss("cores", err)
	} else {
		s.Cores = n
	}
	if usage, err := cpu.PercentWithContext(ctx, 0, false); err != nil {
		miss("CPU usage", err)
	} else if len(usage) > 0 {
		s.CPUUsage = usage[0]
	}
	if l, err := load.AvgWithContext(ctx); err != nil {
		miss("load", err)
	} else {
		s.Load1, s.Load5, s.Load15 = l.Load1, l.Load5, l.Load15
	}
	return s, errors.Join(failed...)
}
