package launchercmd

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

const viewerLog = "started with --log-level debug --log-file-name FILE, it writes one"

// viewerPaths are where Windows starts dcv:// links and the program's bare name, and
// the places of the installer, of 32 and of 64 bits.
func viewerPaths() []string {
	var paths []string
	for _, root := range []registry.Key{registry.CURRENT_USER, registry.LOCAL_MACHINE} {
		line := readRegistry(root, `SOFTWARE\Classes\dcv\shell\open\command`)
		if args, err := windows.DecomposeCommandLine(line); err == nil && line != "" && len(args) > 0 {
			paths = append(paths, args[0])
		}
		if path := readRegistry(root, `SOFTWARE\Microsoft\Windows\CurrentVersion\App Paths\dcvviewer.exe`); path != "" {
			paths = append(paths, strings.Trim(path, `"`))
		}
	}
	for _, root := range []string{os.Getenv("ProgramFiles(x86)"), os.Getenv("ProgramFiles")} {
		if root == "" {
			continue
		}
		for _, vendor := range []string{"NICE", "Amazon"} {
			paths = append(paths, filepath.Join(root, vendor, "DCV", "Client", "bin", "dcvviewer.exe"))
		}
	}
	return paths
}

// readRegistry returns the default value of a key; empty when there is none.
func readRegistry(root registry.Key, path string) string {
	key, err := registry.OpenKey(root, path, registry.QUERY_VALUE)
	if err != nil {
		return ""
	}
	defer key.Close() //nolint:errcheck // it was only read
	value, kind, err := key.GetStringValue("")
	if err == nil && kind == registry.EXPAND_SZ {
		value, err = registry.ExpandString(value)
	}
	if err != nil {
		return ""
	}
	return value
}

// linkOpener returns what opens links: Windows itself.
func linkOpener() (string, error) { return "", nil }

// openLink hands a link to the program that the system has for it.
func openLink(_ context.Context, _, link string) error {
	verb, err := windows.UTF16PtrFromString("open")
	if err != nil {
		return err
	}
	file, err := windows.UTF16PtrFromString(link)
	if err != nil {
		return err
	}
	return windows.ShellExecute(0, verb, file, nil, nil, windows.SW_SHOWNORMAL)
}

// ownGroup does nothing: a console's Ctrl-C reaches no program with a window.
func ownGroup(*exec.Cmd) {}

func endViewer(p *os.Process) error { return p.Kill() }

func killGroup(*os.Process) {}

// processRuns reports whether there is a process with that number. One that has ended
// can still be opened while somebody holds it.
func processRuns(pid int) bool {
	if pid <= 0 || pid > math.MaxUint32 {
		return false
	}
	process, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return errors.Is(err, windows.ERROR_ACCESS_DENIED) // somebody else's
	}
	defer windows.CloseHandle(process) //nolint:errcheck // it was only looked at
	event, err := windows.WaitForSingleObject(process, 0)
	return err != nil || event == uint32(windows.WAIT_TIMEOUT)
}
