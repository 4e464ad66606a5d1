//go:build !windows

package launchercmd

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

const viewerLog = "~/.local/share/NICE/dcvviewer/log/viewer.log"

// viewerPaths names the place of the macOS application; elsewhere it is not there.
func viewerPaths() []string {
	return []string{"/usr/bin/dcvviewer", "/Applications/DCV Viewer.app/Contents/MacOS/dcvviewer"}
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
