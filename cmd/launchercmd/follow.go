package launchercmd

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/dcvix/dcvix"
)

// An Update is what [Engine.Follow] says.
type Update struct {
	List *List // what the person may use now; nil when Err says why it is not known
	Live bool  // changes come at once; else the director is asked every so often
	Err  error // why the director could not be asked; it is asked again, see [Engine.Explain]
}

// The pauses before a director that did not answer is asked again.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// Follow calls f with what the person may use, at once and whenever it may have
// changed: as the director says so by its events or, with one that is too old, every
// PollEvery. It calls f one at a time and never after it has returned. It returns
// nil when ctx is done, and an error that wraps [ErrLoggedOut] when the login has
// ended; a director that does not answer for a while is no end.
func (e *Engine) Follow(ctx context.Context, f func(Update)) error {
	pause := firstPause
	for ctx.Err() == nil {
		told := false
		err := e.followOnce(ctx, func(u Update) { told = true; f(u) })
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the end that was asked for
		case errors.Is(err, ErrLoggedOut):
			return err
		case err == nil || told && errors.Is(err, io.ErrUnexpectedEOF):
			pause = firstPause // the director restarts, or a stream has ended as they do
		case refused(err) && e.ask(ctx, f, false) == nil: // such as one stream too many
		default:
			f(Update{Err: err})
		}
		if !sleep(ctx, pause) {
			return nil
		}
		pause = min(2*pause, lastPause)
	}
	return nil
}

// followOnce follows one stream to its end, or polls until that fails.
func (e *Engine) followOnce(ctx context.Context, f func(Update)) error {
	director, err := e.current()
	if err != nil {
		return err
	}
	err = director.Events(ctx, func(event dcvix.Event) error {
		switch {
		case event.Kind != dcvix.EventDesktops: // it follows each resync
			return nil
		case len(event.Desktops.Desktops) == 0: // why there is none is said elsewhere
			return e.ask(ctx, f, true)
		}
		list := e.list(*event.Desktops)
		f(Update{List: &list, Live: true})
		return nil
	})
	if !errors.Is(err, errors.ErrUnsupported) {
		return ended(err)
	}
	for {
		if err := e.ask(ctx, f, false); err != nil {
			return err
		}
		if !sleep(ctx, e.cfg.PollEvery) {
			return nil
		}
	}
}

func (e *Engine) ask(ctx context.Context, f func(Update), live bool) error {
	list, err := e.Desktops(ctx)
	if err != nil {
		return err
	}
	f(Update{List: &list, Live: live})
	return nil
}

// refused reports whether the director answered, and said no.
func refused(err error) bool {
	var refusal *dcvix.Error
	return errors.As(err, &refusal)
}

// sleep reports whether ctx has outlasted d.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
