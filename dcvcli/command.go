package dcvcli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A Runner runs the dcv command with args and returns what it printed on its
// standard output. It returns an error unless the command ran to its end and
// exited with 0, and it returns soon after ctx is done. It must be safe for
// concurrent use and must not give args to a shell.
type Runner interface {
	Run(ctx context.Context, args ...string) (stdout []byte, err error)
}

const (
	maxOutput = 4 << 20 // bytes; some thousands of sessions
	maxStderr = 4 << 10
	maxLine   = 200

	// waitDelay is how long a command may keep its output open after it ended or
	// was killed, as a grandchild that inherited it does.
	waitDelay = 2 * time.Second
)

// A Command is the [Runner] that starts a process for every run. Its zero value
// runs the dcv of this machine. It is safe for concurrent use.
//
// When ctx ends, the process is killed with those that it started, on Unix its
// process group and on Windows its job, so that a wrapper script does not leave
// the command behind. Output over 4 MiB is an error, over 32 MiB of a screenshot.
type Command struct {
	// Path of the command. "" means "dcv" on the PATH; on Windows, where the
	// installer adds nothing to the PATH, the one under C:\Program Files\NICE or
	// else C:\Program Files\Amazon.
	Path string
}

var _ Runner = (*Command)(nil)

// Run implements [Runner]. It returns a [*CommandError] when the command ran and
// failed, and an error that wraps [ErrNotInstalled] when it is missing.
func (c *Command) Run(ctx context.Context, args ...string) ([]byte, error) {
	path := c.Path
	if path == "" {
		path = installedPath()
	}
	stdout, stderr := capture{limit: outputLimit(args)}, capture{limit: maxStderr, discard: true}
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // the path is the operator's, no shell is involved
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = waitDelay
	err := runTree(cmd)
	if errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		err = nil // exited with 0; what it left behind still holds the pipes
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case stdout.over:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrUnknownForm, stdout.limit)
	case err == nil:
		return stdout.buf.Bytes(), nil
	case errors.As(err, &exit):
		return nil, &CommandError{
			Verb: verb(args), ExitCode: exit.ExitCode(), Signal: signalOf(exit), Stderr: firstLine(stderr.buf.Bytes()),
		}
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: there is no %s: install the DCV server or correct the path", ErrNotInstalled, path)
	default:
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
}

// installedPath returns where the installer of DCV puts the command. One place of
// the documentation has Amazon where the others have NICE.
func installedPath() string {
	return firstExisting("dcv", windowsPaths())
}

func firstExisting(otherwise string, paths []string) string {
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return otherwise
}

// A CommandError is the failure of a command that ran.
type CommandError struct {
	Verb     string // such as "create-session"
	ExitCode int    // -1 when a signal ended it
	Signal   string // such as "segmentation fault"; "" unless a signal ended it
	Stderr   string // first line that it printed there: at most 200 bytes, control characters escaped; for people only
}

// Error names the exit status, or the signal, and what the command said.
func (e *CommandError) Error() string {
	end := "exit status " + strconv.Itoa(e.ExitCode)
	if e.Signal != "" {
		end = "ended by a signal: " + e.Signal
	}
	if e.Stderr == "" {
		return end
	}
	return end + ": " + e.Stderr
}

// signalOf returns the name of the signal that ended a process, "" for none. The
// state in words is the same on every platform that has signals.
func signalOf(exit *exec.ExitError) string {
	name, ok := strings.CutPrefix(exit.String(), "signal: ")
	if !ok {
		return ""
	}
	return name
}

// outputLimit returns how many bytes a command may print.
func outputLimit(args []string) int {
	if verb(args) == "get-screenshot" {
		return maxScreenshot
	}
	return maxOutput
}

func verb(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// firstLine returns the first line of out that is not blank, in a form that is
// safe in a log and an error.
func firstLine(out []byte) string {
	for line := range bytes.Lines(out) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		return escaped(string(line))
	}
	return ""
}

// escaped returns the beginning of s with everything that is not printable as a
// Go escape.
func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		piece := string(r)
		if !unicode.IsPrint(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			piece = quoted[1 : len(quoted)-1]
		}
		if b.Len()+len(piece) > maxLine {
			break
		}
		b.WriteString(piece)
	}
	return b.String()
}

// capture keeps the first limit bytes written to it. What comes after is thrown
// away if discard is set and fails the writer otherwise.
type capture struct {
	buf     bytes.Buffer
	limit   int
	discard bool
	over    bool
}

func (c *capture) Write(p []byte) (int, error) {
	room := c.limit - c.buf.Len()
	if len(p) <= room {
		return c.buf.Write(p)
	}
	c.over = true
	c.buf.Write(p[:room])
	if c.discard {
		return len(p), nil
	}
	return room, errors.New("too much output")
}
