package launchercmd

import (
	"context"
	"errors"
	"fmt"
)

// errNoLinks: macOS hands links to an application bundle, as Apple events, and this is
// a bare program.
var errNoLinks = fmt.Errorf("on macOS links start applications alone, and this is a program: open the desktop by its name: %w", errors.ErrUnsupported)

func register(context.Context, string, bool) error { return errNoLinks }

func unregister(context.Context) error { return errNoLinks }
