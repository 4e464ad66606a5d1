package dcvcli

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// killWholly leaves the end of the context to kill the process alone: dcv.exe
// starts no others. It opens no console window when a service runs it.
func killWholly(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NO_WINDOW}
}

func windowsPaths() []string {
	return []string{
		`C:\Program Files\NICE\DCV\Server\bin\dcv.exe`,
		`C:\Program Files\Amazon\DCV\Server\bin\dcv.exe`,
	}
}
