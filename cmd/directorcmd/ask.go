package directorcmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
)

// maxSecret bounds a secret, in bytes.
const maxSecret = 4096

// An asker gets secrets from a person at the terminal, where they are not echoed,
// or as lines of standard input.
type asker struct {
	lines    *bufio.Reader // nil means the terminal
	terminal *os.File      // nil means that there is none
	out      io.Writer
}

func newAsker(opts Options, stdin bool) *asker {
	if stdin {
		return &asker{lines: bufio.NewReader(opts.Stdin)}
	}
	file, ok := opts.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return &asker{}
	}
	return &asker{terminal: file, out: opts.Stderr}
}

// ask gets one secret.
func (a *asker) ask(ctx context.Context, prompt string) (auth.Secret, error) {
	switch {
	case a.lines != nil:
		return a.line(prompt)
	case a.terminal == nil:
		return "", cmdline.Usage(fmt.Errorf("there is no terminal to ask on (%s): give --password-stdin", plain(prompt)))
	}
	fd := int(a.terminal.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask on the terminal: %w", err)
	}
	_, _ = fmt.Fprint(a.out, plain(prompt)+": ")
	type answer struct {
		secret []byte
		err    error
	}
	answers := make(chan answer, 1)
	go func() { // outlives ctx: a read from a terminal cannot be taken back, and the process ends then
		secret, err := term.ReadPassword(fd)
		answers <- answer{secret, err}
	}()
	select {
	case <-ctx.Done():
		_ = term.Restore(fd, state)
		_, _ = fmt.Fprintln(a.out)
		return "", errors.New("interrupted: nothing was tried")
	case got := <-answers:
		_, _ = fmt.Fprintln(a.out) // the person's Enter was not echoed
		if errors.Is(got.err, io.EOF) {
			return "", cmdline.Usage(errors.New("nothing was entered"))
		}
		return auth.Secret(got.secret), got.err
	}
}

func (a *asker) line(prompt string) (auth.Secret, error) {
	var line []byte
	for {
		b, err := a.lines.ReadByte()
		end := errors.Is(err, io.EOF)
		switch {
		case end && len(line) == 0:
			return "", cmdline.Usage(fmt.Errorf("standard input has no line for this: %s", plain(prompt)))
		case err != nil && !end:
			return "", fmt.Errorf("read standard input: %w", err)
		}
		if end || b == '\n' {
			return auth.Secret(strings.TrimSuffix(string(line), "\r")), nil
		}
		if line = append(line, b); len(line) > maxSecret {
			return "", cmdline.Usage(fmt.Errorf("a line of standard input is longer than %d bytes", maxSecret))
		}
	}
}
