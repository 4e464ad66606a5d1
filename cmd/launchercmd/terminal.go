package launchercmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// A Terminal is where a person can be asked.
type Terminal interface {
	// Ask shows a prompt and returns the line that the person enters, which is
	// not echoed when secret. It returns the error of ctx when that ends first,
	// and leaves the terminal as it was.
	Ask(ctx context.Context, prompt string, secret bool) (string, error)
}

var errNoTerminal = errors.New("there is no terminal to ask on")

// ask asks for a secret. instead names the flag for those without a terminal.
func (t *terminalFront) ask(ctx context.Context, prompt, instead string) (string, error) {
	return t.askFor(ctx, prompt, instead, true)
}

func (t *terminalFront) askOpen(ctx context.Context, prompt, instead string) (string, error) {
	return t.askFor(ctx, prompt, instead, false)
}

func (t *terminalFront) askFor(ctx context.Context, prompt, instead string, secret bool) (string, error) {
	terminal := t.opts.Terminal
	if terminal == nil {
		file, ok := t.opts.Stdin.(*os.File)
		if !ok || t.flags.passwordStdin || !term.IsTerminal(int(file.Fd())) {
			return "", &saidError{t.say(words.NoTerminal, prompt, instead), errNoTerminal}
		}
		terminal = &realTerminal{in: file, out: t.opts.Stderr, words: t.engine.Words()}
	}
	return terminal.Ask(ctx, prompt, secret)
}

// A realTerminal is the one that the program was started in.
type realTerminal struct {
	in    *os.File
	out   io.Writer
	words *words.Words
}

var _ Terminal = (*realTerminal)(nil)

// Ask implements [Terminal]. The goroutine that reads outlives it when ctx ends:
// a read from a terminal cannot be taken back, and the process ends then.
func (t *realTerminal) Ask(ctx context.Context, prompt string, secret bool) (string, error) {
	fd := int(t.in.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoTerminal, err)
	}
	_, _ = fmt.Fprint(t.out, prompt+": ")
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		if secret {
			line, err := term.ReadPassword(fd)
			answers <- answer{string(line), err}
			return
		}
		line, err := firstLine(t.in, t.words)
		answers <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		_ = term.Restore(fd, state)
		say(t.out, "")
		return "", ctx.Err()
	case a := <-answers:
		if secret {
			say(t.out, "") // the person's Enter was not echoed
		}
		if errors.Is(a.err, io.EOF) {
			return "", &saidError{text: t.words.Say(words.NothingEntered)}
		}
		return a.line, a.err
	}
}

// maxLine bounds a line of input, in bytes.
const maxLine = 4096

// firstLine reads a line without its end.
func firstLine(r io.Reader, w *words.Words) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxLine+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read standard input: %w", err)
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if len(line) > maxLine {
		return "", &saidError{text: w.Say(words.LineLong, maxLine)}
	}
	return line, nil
}

// An inTurn lets several write to one writer, each write whole.
type inTurn struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements [io.Writer].
func (t *inTurn) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.Write(p)
}
