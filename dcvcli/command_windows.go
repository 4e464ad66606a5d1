package dcvcli

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// runTree runs a command. The end of its context kills it and the processes that
// it started, which a job object holds together. What it started before it came
// into its job, a moment after its start, is not in it: Go cannot start a process
// that waits. No console window opens when a service runs it.
func runTree(cmd *exec.Cmd) error {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return fmt.Errorf("make a job for %s: %w", cmd.Path, err)
	}
	defer func() { _ = windows.CloseHandle(job) }() // kills nothing
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NO_WINDOW}
	joined := false
	held := make(chan struct{}) // closed when the process is in its job, or cannot be
	cmd.Cancel = func() error {
		<-held
		if joined && windows.TerminateJobObject(job, 1) == nil {
			return nil
		}
		return cmd.Process.Kill()
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	joined = join(job, cmd.Process) == nil
	close(held)
	return cmd.Wait()
}

// join puts a process into a job.
func join(job windows.Handle, process *os.Process) error {
	var err error
	withHandle := process.WithHandle(func(handle uintptr) {
		err = windows.AssignProcessToJobObject(job, windows.Handle(handle))
	})
	if withHandle != nil {
		return withHandle
	}
	return err
}

func windowsPaths() []string {
	return []string{
		`C:\Program Files\NICE\DCV\Server\bin\dcv.exe`,
		`C:\Program Files\Amazon\DCV\Server\bin\dcv.exe`,
	}
}
