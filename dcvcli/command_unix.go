//go:build unix

package dcvcli

import (
	"os/exec"
	"syscall"
)

// killWholly makes the end of the command's context kill its process group.
func killWholly(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// windowsPaths is empty: elsewhere the command is on the PATH.
func windowsPaths() []string { return nil }
