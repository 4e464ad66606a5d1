package dcvcli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
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
}

// Create creates a session and returns once the host lists it.
//
// The list decides, not the exit status: dcv may exit with 0 though nothing came
// to exist (an error that wraps [ErrNotCreated]), and be cut off or fail though
// the session is there (nil). A desktop that crashes moments later is beyond
// this check; look at the list again to notice it.
//
// It returns an error that wraps [ErrExists] if the id is taken, [ErrInvalid] if
// an option cannot be passed to the command, and [ErrUnsupported] for a virtual
// session on a platform other than Linux. A command that fails gives a
// [*CommandError].
func (c *CLI) Create(ctx context.Context, opts CreateOptions) error {
	args, err := createArgs(c.platform, opts)
	if err != nil {
		return err
	}
	return c.change(ctx, func() error {
		before, err := c.List(ctx)
		if err != nil {
			return fmt.Errorf("create session %q: %w", opts.ID, err)
		}
		if has(before, opts.ID) {
			return fmt.Errorf("create session %q: %w", opts.ID, ErrExists)
		}
		_, failure := c.run(ctx, args...)
		if err := c.judge(ctx, opts.ID, true, failure); err != nil {
			return fmt.Errorf("create session %q: %w", opts.ID, err)
		}
		return nil
	})
}

// Close closes a session and returns once the host lists it no longer, whatever
// the exit status said. It returns an error that wraps [ErrNotFound] if there
// was none of that id, and [ErrNotClosed] if it is still there although the
// command reported success. A command that fails gives a [*CommandError].
func (c *CLI) Close(ctx context.Context, id string) error {
	if err := checkArgument("session id", id); err != nil {
		return err
	}
	return c.change(ctx, func() error {
		before, err := c.List(ctx)
		if err != nil {
			return fmt.Errorf("close session %q: %w", id, err)
		}
		if !has(before, id) {
			return fmt.Errorf("close session %q: %w", id, ErrNotFound)
		}
		_, failure := c.run(ctx, "close-session", id)
		if err := c.judge(ctx, id, false, failure); err != nil {
			return fmt.Errorf("close session %q: %w", id, err)
		}
		return nil
	})
}

// change waits for its turn and calls do.
func (c *CLI) change(ctx context.Context, do func() error) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
		return do()
	case <-ctx.Done():
		return fmt.Errorf("wait for another dcv command to end: %w", context.Cause(ctx))
	}
}

// judge returns nil when the session of that id is there, or is not, as wanted.
// Otherwise it returns failure, the command's own error; and when the command
// had none, it looks again until the list has had time to settle.
func (c *CLI) judge(ctx context.Context, id string, wanted bool, failure error) error {
	const firstPause = 50 * time.Millisecond
	deadline := time.Now().Add(c.settle)
	for pause := firstPause; ; pause *= 2 {
		sessions, err := c.List(ctx)
		if err != nil {
			return errors.Join(failure, err)
		}
		there := has(sessions, id)
		switch {
		case there == wanted:
			return nil
		case failure != nil:
			return failure
		case !time.Now().Before(deadline) && wanted:
			return ErrNotCreated
		case !time.Now().Before(deadline):
			return ErrNotClosed
		}
		select {
		case <-time.After(min(pause, time.Until(deadline))):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
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
	if err := checkArgument("session id", o.ID); err != nil {
		return err
	}
	if strings.ContainsAny(o.ID, `/\`) {
		return fmt.Errorf("session id %q: %w: it has a slash", o.ID, ErrInvalid)
	}
	switch o.Type {
	case "", Console:
		if o.User != "" {
			return fmt.Errorf("user %q: %w: only a virtual session has a user of its own", o.User, ErrInvalid)
		}
	case Virtual:
		if platform != "linux" {
			return fmt.Errorf("virtual session: %w", ErrUnsupported)
		}
	default:
		return fmt.Errorf("session type %.80q: %w: it is %q or %q", o.Type, ErrInvalid, Console, Virtual)
	}
	if utf8.RuneCountInString(o.Name) > 256 {
		return fmt.Errorf("session name: %w: it is longer than 256 characters", ErrInvalid)
	}
	if o.MaxConcurrentClients < 0 {
		return fmt.Errorf("most concurrent clients: %w: it is negative", ErrInvalid)
	}
	for what, value := range map[string]string{"owner": o.Owner, "user": o.User} {
		if value == "" {
			continue
		}
		if err := checkArgument(what, value); err != nil {
			return err
		}
	}
	for what, value := range map[string]string{"session name": o.Name, "storage root": o.StorageRoot, "permissions file": o.PermissionsFile} {
		if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
			return fmt.Errorf("%s: %w: it has a control character", what, ErrInvalid)
		}
	}
	return nil
}

// checkArgument returns an error unless value can stand alone among the
// arguments of a command: it must not be taken for an option.
func checkArgument(what, value string) error {
	switch {
	case value == "":
		return fmt.Errorf("%s: %w: it is empty", what, ErrInvalid)
	case len(value) > 256:
		return fmt.Errorf("%s %.40q…: %w: it is longer than 256 bytes", what, value, ErrInvalid)
	case value[0] == '-':
		return fmt.Errorf("%s %q: %w: it starts with \"-\"", what, value, ErrInvalid)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Errorf("%s %q: %w: it has a control character", what, value, ErrInvalid)
	}
	return nil
}
