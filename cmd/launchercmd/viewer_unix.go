//go:build !windows

package launchercmd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

const viewerLog = "~/.local/share/NICE/dcvviewer/log/viewer.log"

// viewerPaths names the places of the packages and of the macOS application, for all
// users and for one; elsewhere these are not there.
func viewerPaths() []string {
	const bundle = "Applications/DCV Viewer.app/Contents/MacOS/dcvviewer"
	paths := []string{"/usr/bin/dcvviewer", "/usr/local/bin/dcvviewer", "/" + bundle}
	if home, err := os.UserHomeDir(); err == nil {
		paths = append(paths, filepath.Join(home, bundle))
	}
	return paths
}

// linkOpener returns the program that the system has for links.
func linkOpener() (string, error) {
	if runtime.GOOS == "darwin" {
		return "/usr/bin/open", nil
	}
	return exec.LookPath("xdg-open")
}

// openLink hands a link to that program.
func openLink(ctx context.Context, opener, link string) error {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), opener, link) //nolint:gosec // made of checked values
	ownGroup(cmd)                                                        // it may become the viewer, which outlives this program
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(viewerSoon): // it became the viewer
		return nil
	}
}

// ownGroup lets the viewer and whatever it starts be ended together; the command
// may be a script around the viewer.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func endViewer(p *os.Process) error {
	if err := syscall.Kill(-p.Pid, syscall.SIGTERM); err != nil {
		return os.ErrProcessDone
	}
	return nil
}

// killGroup ends what did not end when it was asked to.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }

// processRuns reports whether there is a process with that number.
func processRuns(pid int) bool {
	if pid <= 0 {
		return false
	}
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
