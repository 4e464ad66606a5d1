package dcvcli

import (
	"context"
	"errors"
	"fmt"
	"time"
)

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

// await calls look until it reports true, and then returns nil. Otherwise it
// returns failure, the command's own error, after one look; and when the command
// had none, inVain once the time to settle is over. A look that fails is
// repeated as well, unless that is pointless.
func (c *CLI) await(ctx context.Context, failure, inVain error, look func() (bool, error)) error {
	const firstPause = 50 * time.Millisecond
	deadline := time.Now().Add(c.settle)
	for pause := firstPause; ; pause *= 2 {
		done, err := look()
		late := !time.Now().Before(deadline)
		switch {
		case err == nil && done:
			return nil
		case failure != nil || err != nil && (late || pointless(ctx, err)):
			return errors.Join(failure, err)
		case late:
			return inVain
		}
		select {
		case <-time.After(min(pause, time.Until(deadline))):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
