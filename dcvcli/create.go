package dcvcli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The kinds of session that DCV knows.
const (
	Console = "console"
	Virtual = "virtual"
)

// CreateOptions say which session to create. ID is required.
type CreateOptions struct {
	ID    string // at most 256 bytes, no "/" or "\": DCV makes file names of it
	Type  string // [Console] or [Virtual]; "" means Console
	Owner string // who may connect; "" means the user that runs the command
	User  string // virtual only: whose account runs the desktop; "" means Owner
	Name  string // shown to people, at most 256 characters; "" means none

	StorageRoot          string // folder for file transfer, "%home%" is the user's; "" means the server's default
	PermissionsFile      string // "" means the server's default: the owner may do everything, others nothing
	MaxConcurrentClients int    // 0 means no limit

	GL                  string // virtual only: whether DCV-GL is used, [GLOn] or [GLOff]; "" means as the server is configured
	InitScript          string // virtual only: executable on the host that starts the desktop; "" means the server's default
	DisableLoginMonitor bool   // Linux only, since 2020.2; the guide does not say what the monitor does
}

// The values of [CreateOptions].GL.
const (
	GLOn  = "on"
	GLOff = "off"
)

// Create creates a session and returns once the host lists it.
//
// The list decides, not the exit status: dcv may exit with 0 though nothing came
// to exist (an error that wraps [ErrNotCreated]), and be cut off or fail though
// the session is there (nil). A desktop that crashes moments later is beyond
// this check; look at the list again to notice it.
//
// It returns an error that wraps [ErrExists] if the id is taken, [ErrInvalid] if
// an option cannot be passed to the command, and [ErrUnsupported] for a virtual
// session or DisableLoginMonitor on a platform other than Linux. A command that
// fails gives a [*CommandError].
//
// A list that is partial (see [PartialListError]) hinders nothing: dcv itself
// refuses an id that is taken.
func (c *CLI) Create(ctx context.Context, opts CreateOptions) error {
	args, err := createArgs(c.platform, opts)
	if err != nil {
		return err
	}
	return c.change(ctx, func() error {
		_, there, err := c.find(ctx, opts.ID)
		switch {
		case there:
			return fmt.Errorf("create session %q: %w", opts.ID, ErrExists)
		case err != nil && !partial(err):
			return fmt.Errorf("create session %q: %w", opts.ID, err)
		}
		_, failure := c.run(ctx, args...)
		err = c.await(ctx, failure, ErrNotCreated, func() (bool, error) {
			_, there, err := c.find(ctx, opts.ID)
			if partial(err) {
				err = nil
			}
			return there, err
		})
		if err != nil {
			return fmt.Errorf("create session %q: %w", opts.ID, err)
		}
		return nil
	})
}

func partial(err error) bool {
	_, ok := errors.AsType[*PartialListError](err)
	return ok
}

// createArgs follows the rules of the Administrator Guide, "Starting Amazon DCV
// sessions": --type and --user exist on Linux alone, where root has to say with
// --user whose account runs a virtual desktop (--owner does not); the id comes
// last. The form --option=value keeps a value from being taken for an option.
func createArgs(platform string, o CreateOptions) ([]string, error) {
	if err := o.check(platform); err != nil {
		return nil, err
	}
	args := []string{"create-session"}
	option := func(name, value string) {
		if value != "" {
			args = append(args, name+"="+value)
		}
	}
	if platform == "linux" {
		kind, user := o.Type, o.User
		if kind == "" {
			kind = Console
		}
		if kind == Virtual && user == "" {
			user = o.Owner
		}
		option("--type", kind)
		option("--user", user)
		option("--gl", o.GL)
		option("--init", o.InitScript)
		if o.DisableLoginMonitor {
			args = append(args, "--disable-login-monitor")
		}
	}
	option("--owner", o.Owner)
	option("--name", o.Name)
	option("--storage-root", o.StorageRoot)
	option("--permissions-file", o.PermissionsFile)
	if o.MaxConcurrentClients > 0 {
		option("--max-concurrent-clients", strconv.Itoa(o.MaxConcurrentClients))
	}
	return append(args, o.ID), nil
}

func (o CreateOptions) check(platform string) error {
	if err := checkID(o.ID); err != nil {
		return err
	}
	if strings.ContainsAny(o.ID, `/\`) {
		return fmt.Errorf("session id %q: %w: it has a slash", o.ID, ErrInvalid)
	}
	if err := o.checkType(platform); err != nil {
		return err
	}
	switch {
	case o.GL != "" && o.GL != GLOn && o.GL != GLOff:
		return fmt.Errorf("GL %.40q: %w: it is %q or %q", o.GL, ErrInvalid, GLOn, GLOff)
	case o.DisableLoginMonitor && platform != "linux":
		return fmt.Errorf("login monitor: %w", ErrUnsupported)
	case o.MaxConcurrentClients < 0:
		return fmt.Errorf("most concurrent clients: %w: it is negative", ErrInvalid)
	}
	for _, text := range []struct {
		what, value string
		check       func(what, value string) error
	}{
		{"owner", o.Owner, checkArgument},
		{"user", o.User, checkArgument},
		{"session name", o.Name, checkName},
		{"storage root", o.StorageRoot, checkPath},
		{"permissions file", o.PermissionsFile, checkPath},
		{"init script", o.InitScript, checkPath},
	} {
		if text.value == "" {
			continue
		}
		if err := text.check(text.what, text.value); err != nil {
			return err
		}
	}
	return nil
}

// checkType checks the type and what is for virtual sessions alone.
func (o CreateOptions) checkType(platform string) error {
	switch o.Type {
	case "", Console:
		if o.User != "" || o.GL != "" || o.InitScript != "" {
			return fmt.Errorf("console session: %w: a user, GL or an init script of its own is for virtual sessions", ErrInvalid)
		}
		return nil
	case Virtual:
		if platform != "linux" {
			return fmt.Errorf("virtual session: %w", ErrUnsupported)
		}
		return nil
	default:
		return fmt.Errorf("session type %.80q: %w: it is %q or %q", o.Type, ErrInvalid, Console, Virtual)
	}
}
