package dcvcli

import (
	"context"
	"fmt"
)

// Close closes a session and returns once the host lists it no longer, whatever
// the exit status said. It returns an error that wraps [ErrNotFound] if there
// was none of that id, and [ErrNotClosed] if it is still there although the
// command reported success. A command that fails gives a [*CommandError]. A list
// that is partial proves nothing gone: its [*PartialListError] is returned.
func (c *CLI) Close(ctx context.Context, id string) error {
	return c.close(ctx, id)
}

// CloseAndLogout does as [CLI.Close] does and also logs the user of a console
// session out of the operating system, which closing alone leaves to them. What
// they have not saved is lost. It returns an error that wraps [ErrInvalid] for a
// virtual session. Servers know it since 2021.0.
func (c *CLI) CloseAndLogout(ctx context.Context, id string) error {
	return c.close(ctx, id, "--logout-user")
}

func (c *CLI) close(ctx context.Context, id string, options ...string) error {
	if err := checkID(id); err != nil {
		return err
	}
	return c.change(ctx, func() error {
		s, there, err := c.find(ctx, id)
		switch {
		case err != nil:
			return fmt.Errorf("close session %q: %w", id, err)
		case !there:
			return fmt.Errorf("close session %q: %w", id, ErrNotFound)
		case len(options) > 0 && s.Type != Console:
			return fmt.Errorf("close session %q and log its user out: %w: it is not a console session", id, ErrInvalid)
		}
		_, failure := c.run(ctx, append(append([]string{"close-session"}, options...), id)...)
		err = c.await(ctx, failure, ErrNotClosed, func() (bool, error) {
			_, there, err := c.find(ctx, id)
			return err == nil && !there, err
		})
		if err != nil {
			return fmt.Errorf("close session %q: %w", id, err)
		}
		return nil
	})
}
