//go:build !windows

package agentcmd

import (
	"errors"

	"github.com/dcvix/dcvix/cmd/internal/cmdline"
)

var errNoWindows = errors.New("services of this kind are there on Windows alone: on Linux the package brings a unit, start it with \"systemctl enable --now dcvix-agent\"; on macOS launchd starts the agent")

func installService(Options, flags) error { return cmdline.Usage(errNoWindows) }

func removeService(Options) error { return cmdline.Usage(errNoWindows) }

// serveWindows does nothing: this is no Windows.
func serveWindows(Options) (code int, service bool) { return 0, false }
