package launchercmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"time"
)

// defaultCommand is the name of the DCV viewer on every platform.
const defaultCommand = "dcvviewer"

// viewerGrace is how long a viewer that was asked to end may take to do so.
const viewerGrace = 5 * time.Second

// ErrNoViewer means that the DCV viewer is not installed where we look.
var ErrNoViewer = errors.New("the DCV viewer is not found")

// A ViewerError says that the viewer ended with an error of its own.
type ViewerError struct {
	Code int // its exit code; -1 when a signal ended it
}

// Error returns one sentence with where to look.
func (e *ViewerError) Error() string {
	how := fmt.Sprintf("with exit code %d", e.Code)
	if e.Code < 0 {
		how = "by a signal"
	}
	return fmt.Sprintf("the DCV viewer ended %s: look into its log (%s)", how, viewerLog)
}

// findViewer returns the path of the viewer. The bare default name is also
// looked for where the platform's installer puts it.
func findViewer(command string) (string, error) {
	candidates := []string{command}
	if command == defaultCommand {
		candidates = append(candidates, viewerPaths()...)
	}
	for _, c := range candidates {
		if path, err := exec.LookPath(c); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w at %q: install the Amazon DCV client from https://www.amazondcv.com, or set command = its path in the configuration file", ErrNoViewer, command)
}

// view runs the viewer on a connection file until it ends or ctx does. The file
// is gone after FileLife, or when the viewer has ended if that is earlier.
func (e *Engine) view(ctx context.Context, viewer, file string) error {
	remove := func() {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			e.cfg.Logger.WarnContext(ctx, "the connection file cannot be removed", slog.Any("err", err))
		}
	}
	defer remove()

	cmd := exec.CommandContext(ctx, viewer, file) //nolint:gosec // the person's own configuration names it
	cmd.Stdout, cmd.Stderr = e.cfg.ViewerOutput, e.cfg.ViewerOutput
	cmd.WaitDelay = viewerGrace
	ownGroup(cmd)
	cmd.Cancel = func() error { return endViewer(cmd.Process) }
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("the DCV viewer cannot be started: %w: set command = its path in the configuration file", err)
	}
	e.cfg.Progress("The viewer runs: this ends when you close it")
	timer := time.AfterFunc(e.cfg.FileLife, remove)
	defer timer.Stop()
	err := cmd.Wait()
	if ctx.Err() != nil {
		killGroup(cmd.Process)
		return fmt.Errorf("the viewer was ended: %w", ctx.Err())
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return &ViewerError{Code: exit.ExitCode()}
	}
	if err != nil {
		return fmt.Errorf("the DCV viewer: %w", err)
	}
	return nil
}
