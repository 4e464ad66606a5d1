package dcvcli

import (
	"context"
	"errors"
	"strings"
)

// A setting is a command that changes one session.
type setting struct {
	id   string
	args []string
	// shown says whether a session, read from text or JSON, shows the change. nil
	// means that no session can.
	shown func(s Session, isText bool) evidence
}

// evidence is what a session shows of a change.
type evidence int

const (
	absent  evidence = iota
	present          // the change is there
	unclear          // sessions of this form do not show it
)

func presentIf(yes bool) evidence {
	if yes {
		return present
	}
	return absent
}

// SetName gives a session the name that is shown to people, at most 256
// characters; "" takes its name away. It returns once the session shows it. It
// returns an error that wraps [ErrInvalid] for a name that cannot be, [ErrNotFound]
// if there is no session of that id, and [ErrNotChanged] if the command reported
// success in vain. Servers have names since 2020.1.
func (c *CLI) SetName(ctx context.Context, id, name string) error {
	option := "--none"
	if name != "" {
		if err := checkName("session name", name); err != nil {
			return err
		}
		option = "--name=" + name
	}
	return c.set(ctx, setting{
		id:    id,
		args:  []string{"set-name", "--session=" + id, option},
		shown: func(s Session, _ bool) evidence { return presentIf(s.Name == name) },
	})
}

// SetStorageRoot names the folder for file transfer; "%home%" in it is the user's
// home. It returns once the session shows the folder; of a folder with a "%",
// and on servers that give no JSON, the exit status is believed. A server turns the transfer off when the folder does not exist and says
// nothing. It returns an error that wraps [ErrInvalid] for a path that cannot be,
// [ErrNotFound] if there is no session of that id, and [ErrNotChanged] if the
// command reported success in vain.
func (c *CLI) SetStorageRoot(ctx context.Context, id, dir string) error {
	if err := checkPath("storage root", dir); err != nil {
		return err
	}
	clean := strings.TrimRight(dir, `/\`)
	return c.set(ctx, setting{
		id:   id,
		args: []string{"set-storage-root", "--session=" + id, dir},
		shown: func(s Session, isText bool) evidence {
			if isText || strings.Contains(dir, "%") {
				return unclear
			}
			return presentIf(strings.TrimRight(s.StorageRoot, `/\`) == clean)
		},
	})
}

// SetPermissions replaces the permissions of a session by those of a file on the
// host, in the form of the Administrator Guide, "Working with permissions files".
// An empty file takes everything from everyone. It returns an error that wraps
// [ErrInvalid] for a path that cannot be, and [ErrNotFound] if there is no
// session of that id. No session shows its permissions: the exit status is
// believed.
func (c *CLI) SetPermissions(ctx context.Context, id, file string) error {
	if err := checkPath("permissions file", file); err != nil {
		return err
	}
	return c.set(ctx, setting{id: id, args: []string{"set-permissions", "--session=" + id, "--file=" + file}})
}

// RevokePermissions takes every permission on a session from everyone, its owner
// too. Its errors are those of [CLI.SetPermissions].
func (c *CLI) RevokePermissions(ctx context.Context, id string) error {
	return c.set(ctx, setting{id: id, args: []string{"set-permissions", "--session=" + id, "--none"}})
}

// ResetPermissions gives a session the built-in permissions: the owner may do
// everything, others nothing. Its errors are those of [CLI.SetPermissions].
func (c *CLI) ResetPermissions(ctx context.Context, id string) error {
	return c.set(ctx, setting{id: id, args: []string{"set-permissions", "--session=" + id, "--reset-builtin"}})
}

// set runs a command that changes one session and looks until the session shows
// it.
func (c *CLI) set(ctx context.Context, s setting) error {
	if err := checkID(s.id); err != nil {
		return err
	}
	return c.change(ctx, func() error {
		_, failure := c.run(ctx, s.args...)
		if failure != nil {
			failure = c.explain(ctx, s.id, failure)
		}
		if s.shown == nil || errors.Is(failure, ErrNotFound) || errors.Is(failure, ErrNotInstalled) {
			return failure
		}
		return c.await(ctx, failure, ErrNotChanged, func() (bool, error) {
			now, isText, err := c.describe(ctx, s.id)
			if err != nil {
				return false, err
			}
			shows := s.shown(now, isText)
			return shows == present || shows == unclear && failure == nil, nil
		})
	})
}
