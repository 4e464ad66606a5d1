package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/shirou/gopsutil/v4/disk"
)

// Free space of the data folder below which the doctor speaks up, in bytes. The
// agent writes a few kilobytes, in a new file each time.
const (
	tooFull    = 1 << 20
	almostFull = 50 << 20
)

func (d *doctor) checkHost(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, d.Limit)
	defer cancel()
	return []Finding{d.checkDisk(ctx), checkGPU(ctx)}
}

func (d *doctor) checkDisk(ctx context.Context) Finding {
	const check = "disk"
	folder := d.DataDir
	for _, err := os.Stat(folder); err != nil && folder != filepath.Dir(folder); _, err = os.Stat(folder) {
		folder = filepath.Dir(folder)
	}
	usage, err := disk.UsageWithContext(ctx, folder)
	if err != nil {
		return warning(check, fmt.Sprintf("The free space at %s cannot be read: %v.", folder, err), "Look whether its file system is healthy.")
	}
	text := fmt.Sprintf("%d MiB are free at %s.", usage.Free>>20, folder)
	switch {
	case usage.Free < tooFull:
		return problem(check, text, "Free some space: the agent cannot keep a renewed certificate.")
	case usage.Free < almostFull:
		return warning(check, text, "Free some space before the agent cannot write any more.")
	}
	return ok(check, text)
}

func checkGPU(ctx context.Context) Finding {
	const check = "GPU"
	tool, err := exec.LookPath("nvidia-smi")
	if err != nil {
		return ok(check, "No nvidia-smi here, which is fine without an NVIDIA GPU.")
	}
	err = exec.CommandContext(ctx, tool, "--list-gpus").Run() //nolint:gosec // looked up, and without input
	const noCard = 6                                          // manual page of nvidia-smi, "Return value"
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case exited && exit.ExitCode() == noCard:
		return ok(check, tool+" finds no GPU.")
	case err != nil:
		return warning(check, fmt.Sprintf("%s fails: %v.", tool, err), "Look at the NVIDIA driver of this host, or remove the tool if there is no GPU.")
	}
	return ok(check, tool+" answers.")
}
