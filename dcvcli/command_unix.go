//go:build unix

package dcvcli

import (
	"os/exec"
	"syscall"
)

// runTree runs a command. The end of its context kills its process group.
func runTree(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd.Run()
}

// windowsPaths is empty: elsewhere the command is on the PATH.
func windowsPaths() []string { return nil }
