package launchercmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// defaultCommand is the name of the DCV viewer on every platform.
const defaultCommand = "dcvviewer"

// ViewerHome is where the viewer can be had.
const ViewerHome = "https://www.amazondcv.com"

const (
	viewerGrace = 5 * time.Second  // for a viewer that was asked to end
	viewerSoon  = 5 * time.Second  // one that ends before has not shown much
	viewerTest  = 10 * time.Second // to say its version
)

// ErrNoViewer means that the DCV viewer is not installed where we look.
var ErrNoViewer = errors.New("the DCV viewer is not found")

// A ViewerError says that the viewer ended with an error of its own.
type ViewerError struct {
	Code   int    // its exit code; -1 when a signal ended it
	Output string // the end of what it printed; empty when it printed nothing
	Soon   bool   // it ended right after the start

	words *words.Words
}

// Error returns one sentence with where to look.
func (e *ViewerError) Error() string {
	how := e.words.Say(words.ViewerCode, e.Code)
	if e.Code < 0 {
		how = e.words.Say(words.ViewerSignal)
	}
	if e.Soon {
		return e.words.Say(words.ViewerEndedSoon, how, viewerLog)
	}
	return e.words.Say(words.ViewerEnded, how, viewerLog)
}

// FindViewer returns the path of the viewer that is meant by a name or a path; an
// empty one means what [Preferences] or the configuration name. The bare default name is
// also looked for where the platform's installer puts it. The error wraps
// [ErrNoViewer].
func (e *Engine) FindViewer(command string) (string, error) {
	command = cmp.Or(strings.TrimSpace(command), e.Preferences().Viewer, e.cfg.Command)
	candidates := []string{command}
	if command == defaultCommand {
		candidates = append(candidates, viewerPaths()...)
	}
	for _, c := range candidates {
		if path, err := exec.LookPath(c); err == nil {
			return path, nil
		}
	}
	return "", &saidError{e.words().Say(words.NoViewer, fmt.Sprintf("%q", command), ViewerHome), ErrNoViewer}
}

// TestViewer finds the viewer as FindViewer does and asks it for its version, one
// line, which is empty where it cannot say: on Windows it has no such output.
func (e *Engine) TestViewer(ctx context.Context, command string) (path, version string, err error) {
	path, err = e.FindViewer(command)
	if err != nil || runtime.GOOS == "windows" {
		return path, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, viewerTest)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second
	out := new(tail)
	cmd.Stdout, cmd.Stderr = out, out
	ownGroup(cmd)
	cmd.Cancel = func() error { killGroup(cmd.Process); return cmd.Process.Kill() }
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return path, "", &saidError{e.words().Say(words.ViewerMute, path, err), err}
	}
	line, _, _ := strings.Cut(strings.TrimSpace(out.String()), "\n")
	return path, dcvix.OneLine(line, 200), nil
}

// viewerFor prepares what starts the viewer, so that what is missing is known before
// a session is asked for.
func (e *Engine) viewerFor(prefs Preferences) (func(context.Context, target, Wish) error, error) {
	if prefs.Link {
		opener, err := linkOpener()
		if err != nil {
			return nil, &saidError{e.words().Say(words.LinkFailed, err), ErrNoViewer}
		}
		return func(ctx context.Context, t target, wish Wish) error { return e.link(ctx, opener, t, wish) }, nil
	}
	viewer, err := e.FindViewer("")
	if err != nil {
		return nil, err
	}
	folder, err := openFolder(e.cfg.Folder, e.words())
	if err != nil {
		return nil, err
	}
	args, err := prefs.arguments(e.words())
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, t target, wish Wish) error {
		file, err := folder.write(t)
		if err != nil {
			return err
		}
		return e.view(ctx, exec.CommandContext(ctx, viewer, append(args, file)...), file, t, wish) //nolint:gosec // the person's own configuration names it
	}, nil
}

// link hands a dcv:// link to what opens such links.
func (e *Engine) link(ctx context.Context, opener string, t target, wish Wish) error {
	link, err := t.link()
	if err != nil {
		return err
	}
	if err := openLink(ctx, opener, link); err != nil {
		return &saidError{e.words().Say(words.LinkFailed, err), err}
	}
	wish.tell(StageRuns, e.words().Say(words.LinkGiven))
	return nil
}

// arguments returns the words for the viewer's command line, but the file.
func (p Preferences) arguments(w *words.Words) ([]string, error) {
	var args []string
	switch p.Datagrams {
	case SwitchOn:
		args = append(args, "--enable-datagrams-display=true")
	case SwitchOff:
		args = append(args, "--enable-datagrams-display=false")
	case SwitchDefault:
	}
	if p.Scaling && runtime.GOOS == "windows" {
		args = append(args, "--scaling-mode", "scaling")
	}
	extra, err := p.extra(w)
	return append(args, extra...), err
}

// view runs the viewer on a connection file until it ends or ctx does. The file
// is gone after FileLife, or when the viewer has ended if that is earlier.
func (e *Engine) view(ctx context.Context, cmd *exec.Cmd, file string, t target, wish Wish) error {
	remove := func() {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			e.cfg.Logger.WarnContext(ctx, "the connection file cannot be removed", slog.Any("err", err))
		}
	}
	defer remove()

	w, printed := e.words(), new(tail)
	cmd.Stdout, cmd.Stderr = printed, printed
	if e.cfg.ViewerOutput != nil {
		both := io.MultiWriter(printed, e.cfg.ViewerOutput)
		cmd.Stdout, cmd.Stderr = both, both
	}
	cmd.WaitDelay = viewerGrace
	ownGroup(cmd)
	cmd.Cancel = func() error { return endViewer(cmd.Process) }
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return &saidError{w.Say(words.ViewerUnstarted, err), err}
	}
	wish.tell(StageRuns, w.Say(words.ViewerRuns))
	timer := time.AfterFunc(e.cfg.FileLife, remove)
	defer timer.Stop()
	err := cmd.Wait()
	soon := time.Since(began) < viewerSoon
	if ctx.Err() != nil {
		killGroup(cmd.Process)
		return fmt.Errorf("the viewer was ended: %w", ctx.Err())
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		output := strings.ReplaceAll(printed.String(), t.token, "…")
		return &ViewerError{Code: exit.ExitCode(), Output: strings.TrimSpace(output), Soon: soon, words: w}
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) { // something it started still runs
		return fmt.Errorf("the DCV viewer: %w", err)
	}
	if soon {
		wish.tell(StageEnded, w.Say(words.ViewerGoneSoon, viewerLog))
	} else {
		wish.tell(StageEnded, w.Say(words.ViewerGone))
	}
	return nil
}

// A tail keeps the end of what is written to it. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	last []byte
}

const maxTail = 4 << 10

// Write implements [io.Writer].
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p[max(0, len(p)-maxTail):]...)
	t.last = t.last[max(0, len(t.last)-maxTail):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.last), "")
}
