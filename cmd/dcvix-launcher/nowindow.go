//go:build !((ci && linux) || (cgo && (gles || windows || darwin)))

package main

import (
	"context"

	"github.com/dcvix/dcvix/cmd/launchercmd"
)

// window is nil: this build is for the terminal alone.
var window func(context.Context, launchercmd.WindowStart) error //nolint:gochecknoglobals // a build has one or none
