package launchercmd

import (
	"os"
	"os/exec"
	"path/filepath"
)

const viewerLog = "started with --log-level debug --log-file-name FILE, it writes one"

// viewerPaths are the places of the installer, of 32 and of 64 bits.
func viewerPaths() []string {
	var paths []string
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

// ownGroup does nothing: a console's Ctrl-C reaches no program with a window.
func ownGroup(*exec.Cmd) {}

func endViewer(p *os.Process) error { return p.Kill() }

func killGroup(*os.Process) {}

// processRuns reports whether there is a process with that number.
func processRuns(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	_ = p.Release()
	return true
}
